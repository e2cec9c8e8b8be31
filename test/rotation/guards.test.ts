import { describe, expect, it } from 'vitest';
import { factsNeeded, violations, type GuardFacts, type GuardName } from '../../src/rotation/guards.ts';
import { apiServer, apiServers, FORMER, guardFacts, legacyToken, NEXT } from './observed-cluster.ts';

const BOTH = [FORMER, NEXT];
const away = apiServer('node-3', { ready: false, trusted: [], signingKid: null });
/** Ready, but its `/openid/v1/jwks` did not answer and it minted nothing. */
const silent = apiServer('node-3', { trusted: [], signingKid: null });
const withThird = (third: ReturnType<typeof apiServer>, change: Partial<ReturnType<typeof apiServer>>) => [
  apiServer('node-1', change),
  apiServer('node-2', change),
  third,
];

type Case = readonly [guard: GuardName, situation: string, change: Partial<GuardFacts>];

const ADDRESSES = ['https://node-1:6443', 'https://node-2:6443', 'https://node-3:6443'];
const byName = apiServers().map((server) => ({ ...server, url: `https://${server.node}.example:6443` }));

const HELD: readonly Case[] = [
  ['noUnknownApiServer', 'the EndpointSlice says nothing', {}],
  ['noUnknownApiServer', 'all are configured by their own addresses', { endpointAddresses: ADDRESSES }],
  [
    'noUnknownApiServer',
    'all are those of before, configured by names',
    { apiServers: byName, endpointAddresses: ADDRESSES, plannedAddresses: ADDRESSES },
  ],
  [
    'noUnknownApiServer',
    'one was replaced, and its successor is configured by name and ready',
    { apiServers: byName, endpointAddresses: [...ADDRESSES.slice(1), 'https://new:6443'], plannedAddresses: ADDRESSES },
  ],
  [
    'noUnknownApiServer',
    'one joined, and is configured by now',
    {
      apiServers: [...apiServers(), apiServer('node-4')],
      endpointAddresses: [...ADDRESSES, 'https://node-4:6443'],
      plannedAddresses: ADDRESSES,
    },
  ],
  ['nextStaged', 'the key store holds the new key', { stagedKid: 'next-kid' }],
  ['nextIsPublic', 'the JWKS has the new key', { publicKids: ['other', 'next-kid'] }],
  ['formerIsPublic', 'the JWKS has the former key', { publicKids: ['former-kid'] }],
  ['formerIsNotPublic', 'the JWKS lacks the former key', { publicKids: ['next-kid'] }],
  ['cachesExpired', 'the wait ends now', { relyingPartiesUntilMs: 1_000_000 }],
  ['drained', 'the wait is over', { drainUntilMs: 999_999 }],
  ['nextDrained', 'the wait is over', { drainNextUntilMs: 999_999 }],
  ['othersReady', 'all are ready', {}],
  ['othersReady', 'the node itself is down', { apiServers: withThird(away, {}), node: 'node-3' }],
  [
    'othersReady',
    'the only API server, as the operator accepted',
    { apiServers: [apiServer('node-1')], policies: { allowSingleApiServer: true, legacyTokens: 'hold' } },
  ],
  ['everyoneTrustsNext', 'all trust both', { apiServers: apiServers({ trusted: BOTH }) }],
  ['everyoneTrustsFormer', 'all trust both', { apiServers: apiServers({ trusted: BOTH }) }],
  ['everyoneSignsWithNext', 'all were switched', { apiServers: apiServers({ signingKid: 'next-kid' }) }],
  ['nobodySignsWithNext', 'none was switched', {}],
  ['nobodyTrustsNext', 'none was taught', {}],
  ['nobodyTrustsFormer', 'all forgot it', { apiServers: apiServers({ trusted: [NEXT] }) }],
  ['noLegacyTokensOfFormer', 'there are none of this key', { legacyTokens: [legacyToken('a', 'next-kid')] }],
  [
    'noLegacyTokensOfFormer',
    'they may die, as the operator accepted',
    {
      legacyTokens: [legacyToken('a', 'former-kid')],
      policies: { allowSingleApiServer: false, legacyTokens: 'keep' },
    },
  ],
  [
    'noLegacyTokensOfFormer',
    'none was used since the switch',
    { legacyTokens: [legacyToken('a', 'former-kid')], verifiedAtMs: Date.UTC(2026, 5, 2) },
  ],
  ['noLegacyTokensOfNext', 'there are none of this key', { legacyTokens: [legacyToken('a', 'former-kid')] }],
];

const VIOLATED: readonly (readonly [...Case, reason: string])[] = [
  [
    'noUnknownApiServer',
    'one joined',
    { endpointAddresses: [...ADDRESSES, 'https://node-4:6443'], plannedAddresses: ADDRESSES },
    'or taken the place of others: https://node-4:6443. Name their nodes in keyturn.yaml',
  ],
  [
    'noUnknownApiServer',
    'one was replaced, and is not configured',
    {
      apiServers: withThird(away, {}),
      endpointAddresses: [...ADDRESSES.slice(0, 2), 'https://node-4:6443'],
      plannedAddresses: ADDRESSES,
    },
    'or taken the place of others: https://node-4:6443.',
  ],
  [
    'noUnknownApiServer',
    'one joined between Preflight and Staging',
    {
      endpointAddresses: [...ADDRESSES, 'https://node-4:6443'],
      plannedAddresses: [...ADDRESSES, 'https://node-4:6443'],
    },
    'API servers that this rotation does not know',
  ],
  ['nextStaged', 'the key store is empty', {}, 'does not hold the new key next-kid'],
  ['nextStaged', 'the key store holds another', { stagedKid: 'other' }, 'does not hold the new key next-kid'],
  ['nextIsPublic', 'the JWKS lacks it', {}, 'does not have the new key next-kid'],
  ['formerIsPublic', 'the JWKS lacks it', { publicKids: [] }, 'does not have the former key former-kid'],
  ['formerIsNotPublic', 'the JWKS has it', {}, 'still has the former key former-kid'],
  ['cachesExpired', 'the wait never began', {}, 'the wait has not begun'],
  ['drained', 'the wait never began', {}, 'the wait has not begun'],
  ['nextDrained', 'the wait never began', {}, 'the wait has not begun'],
  ['othersReady', 'there is no other', { apiServers: [apiServer('node-1')] }, 'no other API server'],
  [
    'everyoneTrustsNext',
    'one was left out',
    { apiServers: withThird(apiServer('node-3'), { trusted: BOTH }) },
    'not trusted by node-3',
  ],
  [
    'everyoneTrustsFormer',
    'one forgot it',
    { apiServers: withThird(apiServer('node-3', { trusted: [NEXT] }), {}) },
    'not trusted by node-3',
  ],
  ['everyoneSignsWithNext', 'none was switched', {}, 'not the signer of node-1, node-2, node-3'],
  [
    'nobodySignsWithNext',
    'one was switched',
    { apiServers: withThird(apiServer('node-3', { signingKid: 'next-kid' }), {}) },
    'still signs on node-3',
  ],
  [
    'nobodyTrustsNext',
    'one was taught',
    { apiServers: withThird(apiServer('node-3', { trusted: BOTH }), {}) },
    'still trusted by node-3',
  ],
  ['nobodyTrustsFormer', 'all trust it', {}, 'still trusted by node-1, node-2, node-3'],
  [
    'noLegacyTokensOfFormer',
    'there are seven',
    { legacyTokens: [1, 2, 3, 4, 5, 6, 7].map((n) => legacyToken(`t${n}`, 'former-kid')) },
    '7 legacy token Secret(s) are signed by the former key and would die: default/t1 (no use noted; nothing mounts it), ',
  ],
  [
    'noLegacyTokensOfFormer',
    'one was used since the switch',
    {
      legacyTokens: [legacyToken('a', 'former-kid'), legacyToken('b', 'former-kid', { lastUsed: '2026-06-03' })],
      verifiedAtMs: Date.UTC(2026, 5, 2, 12),
    },
    '1 legacy token Secret(s) are signed by the former key and would die: default/b (last used 2026-06-03; nothing',
  ],
  [
    'noLegacyTokensOfFormer',
    'one was not used, but the run began before that was looked at',
    {
      legacyTokens: [legacyToken('a', 'former-kid')],
      verifiedAtMs: Date.UTC(2026, 5, 2),
      policies: { allowSingleApiServer: false, legacyTokens: 'hold' },
    },
    'default/a',
  ],
  [
    'noLegacyTokensOfNext',
    'a controller manager made one that was not used yet',
    { legacyTokens: [legacyToken('new', 'next-kid')], verifiedAtMs: Date.UTC(2026, 5, 2) },
    'default/new',
  ],
  [
    'noLegacyTokensOfNext',
    'a controller manager made one',
    { legacyTokens: [legacyToken('ci', 'next-kid')] },
    'signed by the new key and would die: default/ci (no use noted; nothing mounts it)',
  ],
];

const ASKS_EVERYONE = [
  'everyoneTrustsNext',
  'everyoneTrustsFormer',
  'everyoneSignsWithNext',
  'nobodySignsWithNext',
  'nobodyTrustsNext',
  'nobodyTrustsFormer',
] as const;
/** All but the third are as the guard wants them. */
const FITTING: Readonly<Record<(typeof ASKS_EVERYONE)[number], Partial<ReturnType<typeof apiServer>>>> = {
  everyoneTrustsNext: { trusted: BOTH },
  everyoneTrustsFormer: { trusted: BOTH },
  everyoneSignsWithNext: { signingKid: 'next-kid' },
  nobodySignsWithNext: {},
  nobodyTrustsNext: {},
  nobodyTrustsFormer: { trusted: [NEXT] },
};

const TRANSIENT: readonly (readonly [...Case, reason: string])[] = [
  ['cachesExpired', 'the wait goes on', { relyingPartiesUntilMs: 1_060_000 }, 'for another 1m'],
  ['drained', 'the wait goes on', { drainUntilMs: 1_000_001 }, 'for another 1ms'],
  ['nextDrained', 'the wait goes on', { drainNextUntilMs: 1_000_001 }, 'for another 1ms'],
  ['othersReady', 'another restarts', { apiServers: withThird(away, {}) }, 'not ready: node-3'],
  [
    'othersReady',
    'etcd is not well',
    { apiServers: withThird(apiServer('node-3', { etcdHealthy: false }), {}) },
    'etcd is not healthy as seen by node-3',
  ],
  [
    'othersReady',
    'nothing was observed',
    { apiServers: [], policies: { allowSingleApiServer: true, legacyTokens: 'hold' } },
    'no API server was observed',
  ],
  ...ASKS_EVERYONE.flatMap((guard): (readonly [...Case, string])[] => [
    [guard, 'one is away', { apiServers: withThird(away, FITTING[guard]) }, 'not ready: node-3'],
    [
      guard,
      'one is ready but did not tell',
      { apiServers: withThird(silent, FITTING[guard]) },
      'did not tell its keys when asked: node-3',
    ],
    [guard, 'nothing was observed', { apiServers: [] }, 'no API server was observed'],
  ]),
];

describe('a guard holds', () => {
  it.each(HELD)('%s, where %s', (guard, _, change) => expect(violations([guard], guardFacts(change))).toEqual([]));
});

describe('a guard is violated until a person decides', () => {
  it.each(VIOLATED)('%s, where %s', (guard, _, change, reason) => {
    expect(violations([guard], guardFacts(change))).toEqual([
      { guard, transient: false, reason: expect.stringContaining(reason) },
    ]);
  });
});

describe('a guard is violated for the time being', () => {
  it.each(TRANSIENT)('%s, where %s', (guard, _, change, reason) => {
    expect(violations([guard], guardFacts(change))).toEqual([
      { guard, transient: true, reason: expect.stringContaining(reason) },
    ]);
  });
});

it('tells all violations at once, in the order in which they were asked', () => {
  const all = violations(['drained', 'nextIsPublic', 'othersReady', 'nobodyTrustsFormer'], guardFacts());
  expect(all.map(({ guard }) => guard)).toEqual(['drained', 'nextIsPublic', 'nobodyTrustsFormer']);
});

it('gathers only the facts that are needed', () => {
  expect([...factsNeeded(['cachesExpired', 'drained', 'nextDrained'])]).toEqual([]);
  expect([...factsNeeded(['othersReady', 'everyoneTrustsNext', 'nextIsPublic'])].toSorted()).toEqual([
    'apiServers',
    'publicJwks',
  ]);
  expect([...factsNeeded(['nextStaged', 'noLegacyTokensOfNext'])].toSorted()).toEqual(['keyStore', 'legacyTokens']);
});

describe('a node that lost what the rotation had brought it', () => {
  it.each<[GuardName, string]>([
    ['everyoneTrustsNext', 'the new key is not trusted by node-3'],
    ['everyoneSignsWithNext', 'the new key is not the signer of node-3'],
  ])('%s names kubeadm as a likely cause in the key layout flags, and what to do', (guard, what) => {
    const servers = withThird(apiServer('node-3'), { trusted: BOTH, signingKid: 'next-kid' });
    const [violation] = violations([guard], guardFacts({ apiServers: servers, keyLayout: 'flags' }));
    expect(violation).toMatchObject({ transient: false, reason: expect.stringContaining(`${what}. Has kubeadm`) });
    expect(violation?.reason).toContain('terminate this run and start again');
    for (const keyLayout of ['in-place', null] as const) {
      const [plain] = violations([guard], guardFacts({ apiServers: servers, keyLayout }));
      expect(plain?.reason).toBe(what);
    }
  });
});
