// The N x N proof on fakes: complete where all is well, and clear about the one that is not.
import { describe, expect, test } from 'vitest';
import type { TokenVerifier } from '../../src/token-probes/ask-relying-party.ts';
import { verifyTokens } from '../../src/token-probes/verify-tokens.ts';
import { FakeApiServer } from '../fakes/api-server.ts';

const accepting: TokenVerifier = { verify: async () => ({ accepted: true }) };

async function afterSigning() {
  const apiServers = [new FakeApiServer('node-1'), new FakeApiServer('node-2'), new FakeApiServer('node-3')] as const;
  const formerTokens = await Promise.all(
    apiServers.map(async (apiServer) => ({ node: apiServer.node, token: await apiServer.mintToken() })),
  );
  for (const apiServer of apiServers) {
    apiServer.trusts = ['former', 'next'];
    apiServer.signs = 'next';
  }
  return { apiServers, formerTokens, expectedKid: 'next', audience: 'outside' };
}

describe('verifyTokens', () => {
  test('proves each token at each API server in two ways and at the relying party', async () => {
    const proofs = await verifyTokens({ ...(await afterSigning()), relyingParty: accepting });
    // 3 fresh and 3 former tokens at 3 API servers in 2 ways, and 3 fresh ones at the relying party
    expect(proofs).toHaveLength((3 + 3) * 3 * 2 + 3);
    expect(new Set(proofs.map(({ outcome }) => outcome))).toEqual(new Set(['accepted']));
    expect(proofs).toContainEqual({
      mintedBy: 'node-1',
      kid: 'next',
      askedOf: 'node-3',
      how: 'request',
      outcome: 'accepted',
    });
    expect(proofs).toContainEqual({
      mintedBy: 'node-2',
      kid: 'former',
      askedOf: 'node-1',
      how: 'review',
      outcome: 'accepted',
    });
    expect(proofs).toContainEqual({
      mintedBy: 'node-3',
      kid: 'next',
      askedOf: 'relying party',
      how: 'jwks',
      outcome: 'accepted',
    });
    expect(new Set(proofs.map(({ mintedBy, kid, askedOf, how }) => [mintedBy, kid, askedOf, how].join())).size).toBe(
      39,
    );
    expect(JSON.stringify(proofs)).not.toContain('number');
  });

  test('does without former tokens and without a relying party', async () => {
    const { formerTokens: _, ...options } = await afterSigning();
    expect(await verifyTokens(options)).toHaveLength(3 * 3 * 2);
  });

  test('an API server that signs with another key is named', async () => {
    const options = await afterSigning();
    options.apiServers[1].signs = 'former';
    await expect(verifyTokens(options)).rejects.toMatchObject({
      code: 'EFFECT_MISSING',
      retryable: false,
      details: { node: 'node-2', kid: 'former', expectedKid: 'next' },
    });
  });

  test.each([
    ['the new key', 'former', 6],
    ['the former key', 'next', 6],
  ])('an API server that does not know %s is a rejection, with the list', async (_, knows, count) => {
    const options = await afterSigning();
    options.apiServers[2].trusts = [knows];
    const error: unknown = await verifyTokens(options).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TOKEN_REJECTED', retryable: false, subject: 'node-3' });
    const { rejected } = (error as { details: { rejected: { askedOf: string }[] } }).details;
    expect(rejected).toHaveLength(count);
    expect(rejected.every(({ askedOf }) => askedOf === 'node-3')).toBe(true);
    expect(JSON.stringify(rejected)).not.toContain('number');
  });

  test('a relying party that lacks the new key is a rejection', async () => {
    const relyingParty: TokenVerifier = { verify: async () => ({ accepted: false, reason: 'no matching key' }) };
    await expect(verifyTokens({ ...(await afterSigning()), relyingParty })).rejects.toMatchObject({
      code: 'TOKEN_REJECTED',
      subject: 'relying party',
    });
  });

  test.each(['away', 'hangs'] as const)('an API server that %s can be tried again', async (state) => {
    const options = await afterSigning();
    const [first] = options.apiServers;
    const judging = verifyTokens({ ...options, apiServers: [options.apiServers[1], options.apiServers[2], first] });
    first.state = state;
    await expect(judging).rejects.toMatchObject({ code: 'API_SERVER_UNREACHABLE', retryable: true });
  });

  test('a relying party that cannot read the JWKS can be asked again', async () => {
    const relyingParty: TokenVerifier = { verify: () => Promise.reject(new Error('ECONNREFUSED')) };
    await expect(verifyTokens({ ...(await afterSigning()), relyingParty })).rejects.toMatchObject({
      code: 'API_SERVER_UNREACHABLE',
      subject: 'relying party',
      retryable: true,
    });
  });

  test('a rejection outweighs someone who is away', async () => {
    const options = await afterSigning();
    options.apiServers[2].trusts = ['former'];
    const relyingParty: TokenVerifier = { verify: () => Promise.reject(new Error('away')) };
    await expect(verifyTokens({ ...options, relyingParty })).rejects.toMatchObject({ code: 'TOKEN_REJECTED' });
  });
});
