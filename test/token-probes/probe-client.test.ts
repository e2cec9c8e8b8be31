// How a probe client reloads its token, and which former ones it keeps.
import { describe, expect, test } from 'vitest';
import type { MintedToken } from '../../src/api-servers/port.ts';
import { ProbeClient, retainTokens } from '../../src/token-probes/probe-client.ts';
import { FakeApiServer } from '../fakes/api-server.ts';

function token(name: string, kid: string, mintedAt: number, expiresAt = 10_000_000): MintedToken {
  return { token: name, kid, mintedAt, expiresAt };
}
const names = (tokens: readonly MintedToken[]): readonly string[] => tokens.map((held) => held.token);

describe('retainTokens', () => {
  test.each([
    [
      'keeps the present token and the three newest of one key',
      ['e.k', 'd.k', 'c.k', 'b.k', 'a.k'],
      ['e', 'd', 'c', 'b'],
    ],
    ['keeps the newest of a former key before others', ['e.n', 'd.n', 'c.n', 'b.n', 'a.o'], ['e', 'd', 'c', 'a']],
    ['keeps the newest only of a former key', ['e.n', 'd.n', 'c.n', 'b.o', 'a.o'], ['e', 'd', 'c', 'b']],
    ['keeps one of each of two former keys', ['e.n', 'd.n', 'c.n', 'b.o', 'a.p'], ['e', 'd', 'b', 'a']],
    ['keeps a former key that is in use again', ['d.o', 'c.n', 'b.o', 'a.o'], ['d', 'c', 'b', 'a']],
    ['has nothing to keep', [], []],
  ])('%s', (_, tokens, kept) => {
    const held = tokens.map((each, index) => token(each.slice(0, 1), each.slice(2), 1000 - index));
    expect(names(retainTokens(held, 1000, 1000))).toEqual(kept);
  });

  test('gives up what is too old, and what expires within 30 s', () => {
    const now = 100_000;
    const held = [
      token('present', 'k', now),
      token('good', 'k', now - 60_000),
      token('too old', 'k', now - 60_001),
      token('expiring', 'k', now - 10, now + 30_000),
    ];
    expect(names(retainTokens(held, now, 60_000))).toEqual(['present', 'good']);
  });
});

describe('ProbeClient', () => {
  const reloadAfterMs = 10_000;
  function client(apiServer: FakeApiServer, random = 0): ProbeClient {
    return new ProbeClient({ apiServer, reloadAfterMs, holdMs: 30_000, random: () => random });
  }

  test('reloads at the age given, up to a tenth earlier', async () => {
    const apiServer = new FakeApiServer('node-1');
    let now = 0;
    apiServer.now = () => now;
    const punctual = client(apiServer);
    await punctual.reload(now);
    await punctual.reload((now = 9_999));
    expect(apiServer.minted).toHaveLength(1);
    await punctual.reload((now = 10_000));
    expect(apiServer.minted).toHaveLength(2);
    const early = client(apiServer, 1);
    await early.reload((now = 20_000));
    await early.reload((now = 28_999));
    expect(apiServer.minted).toHaveLength(3);
    await early.reload((now = 29_000));
    expect(apiServer.minted).toHaveLength(4);
  });

  test('reloads at 80 % of what it was granted, where that is less', async () => {
    const apiServer = new FakeApiServer('node-1');
    apiServer.now = () => 0;
    apiServer.lifetimeMs = 5_000;
    const probe = client(apiServer);
    await probe.reload(0);
    await probe.reload(3_999);
    expect(apiServer.minted).toHaveLength(1);
    await probe.reload(4_000);
    expect(apiServer.minted).toHaveLength(2);
  });

  test('asks for tokens that outlive its holding them', async () => {
    const apiServer = new FakeApiServer('node-1');
    await client(apiServer).reload(0);
    const patient = new ProbeClient({ apiServer, audience: 'x', reloadAfterMs, holdMs: 3_600_000, random: () => 0 });
    await patient.reload(0);
    expect(apiServer.asked).toEqual([{ expirationSeconds: 600 }, { expirationSeconds: 3_630, audiences: ['x'] }]);
  });

  test('goes on with what it has while the API server is away, and tries again each time', async () => {
    const apiServer = new FakeApiServer('node-1');
    apiServer.now = () => 0;
    const probe = client(apiServer);
    await probe.reload(0);
    apiServer.state = 'away';
    await probe.reload(11_000);
    await probe.reload(11_001);
    expect(probe.tokens(40_000)).toHaveLength(1);
    expect(apiServer.asked).toHaveLength(3);
    apiServer.state = 'ready';
    apiServer.now = () => 12_000;
    await probe.reload(12_000);
    expect(probe.tokens(12_000)).toHaveLength(2);
    expect(probe.tokens(30_001)).toHaveLength(1);
  });

  test('does not hide that it will never get a token', async () => {
    const apiServer = new FakeApiServer('node-1');
    apiServer.state = 'refuses-us';
    await expect(client(apiServer).reload(0)).rejects.toMatchObject({ code: 'API_SERVER_FORBIDDEN' });
  });
});
