// What a worker remembers of a rotation must not come back in the next one, which another worker may have ended.
import { expect, test } from 'vitest';
import { FormerTokens } from '../../src/activities/former-tokens.ts';
import type { MintedToken } from '../../src/api-servers/port.ts';

const minted = (kid: string, expiresAt: number) => ({ token: `a.token.of-${kid}`, kid, expiresAt }) as MintedToken;
const isOf = (former: string) => (token: MintedToken) => token.kid === former;

test('tokens of the former key that have not expired are kept, by node, until they are cleared', () => {
  const tokens = new FormerTokens();
  tokens.keep('node-1', minted('former', 1000));
  tokens.keep('node-2', minted('former', 2000));
  expect(tokens.valid(1500, isOf('former')).map(({ node }) => node)).toEqual(['node-2']);
  tokens.clear();
  expect(tokens.valid(0, isOf('former'))).toEqual([]);
});

test('a token of a rotation that another worker has ended is none of the next one', () => {
  const tokens = new FormerTokens();
  tokens.keep('node-1', minted('retired', 5000));
  tokens.keep('node-2', minted('former', 5000));
  expect(tokens.valid(0, isOf('former')).map(({ node }) => node)).toEqual(['node-2']);
});
