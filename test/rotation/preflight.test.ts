import { describe, expect, it } from 'vitest';
import { findBlockers, findFormer, type PreflightFacts } from '../../src/rotation/preflight.ts';
import type { ApiServerObservation } from '../../src/rotation/observation.ts';
import { apiServer, apiServers, FORMER, NEXT, preflightFacts as facts, unfinishedRecord } from './observed-cluster.ts';

const OTHER = { kid: 'other-kid', alg: 'RS256' } as const;

const third = (change: Partial<ApiServerObservation>): readonly ApiServerObservation[] => [
  apiServer('node-1'),
  apiServer('node-2'),
  apiServer('node-3', change),
];

describe('a rotation may start', () => {
  it.each<[string, PreflightFacts]>([
    ['where nothing is wrong', facts()],
    ['where no discovery document is public yet', facts({ publicIssuer: null, publicJwksUri: null })],
    ['where the EndpointSlice says nothing', facts({ endpointAddresses: [] })],
    [
      'on one API server, as the operator accepts',
      facts({ allowSingleApiServer: true, endpointAddresses: [] }, [apiServer('node-1')]),
    ],
    ['where the last one ended', facts({ record: unfinishedRecord({ ended: { at: '', outcome: 'completed' } }) })],
    ['where another key is staged already', facts({ staged: NEXT })],
    [
      'where the one that is taken up has taught and switched only some',
      facts({ record: unfinishedRecord(), staged: NEXT }, [
        apiServer('node-1', { trusted: [FORMER, NEXT], signingKid: 'next-kid' }),
        apiServer('node-2', { trusted: [NEXT, FORMER] }),
        apiServer('node-3'),
      ]),
    ],
    [
      'where the one that is taken up has pruned the former key',
      facts(
        { record: unfinishedRecord(), staged: NEXT, publicKids: ['next-kid'] },
        apiServers({ trusted: [FORMER, NEXT], signingKid: 'next-kid' }),
      ),
    ],
    [
      'where the one that is taken up needs its private key no more',
      facts(
        { record: unfinishedRecord({ milestones: { untrustedAt: '2026-01-02T00:00:00.000Z' } }) },
        apiServers({ trusted: [NEXT], signingKid: 'next-kid' }),
      ),
    ],
  ])('%s', (_, observed) => {
    expect(findBlockers(observed)).toEqual([]);
    expect(findFormer(observed)).toMatchObject({ kid: 'former-kid', alg: 'RS256' });
  });
});

const BLOCKERS: readonly (readonly [string, PreflightFacts, string, string])[] = [
  [
    'a manifest that cannot be read',
    facts({
      controlPlane: {
        ...facts().controlPlane,
        problems: [{ code: 'MANIFEST_UNREADABLE', subject: 'node-2', message: 'Broken.' }],
      },
    }),
    'MANIFEST_UNREADABLE',
    'Broken.',
  ],
  [
    'a publisher that refuses us',
    facts({ observationProblems: [{ code: 'PUBLISHER_ACCESS_DENIED', subject: 'blob', message: 'Denied.' }] }),
    'PUBLISHER_ACCESS_DENIED',
    'Denied.',
  ],
  ['no API server at all', facts({ endpointAddresses: [] }, []), 'PREFLIGHT_REFUSED', 'No API server was observed'],
  [
    'an API server that is not ready',
    facts({}, third({ ready: false, unreadyReason: 'etcd failed', signingKid: null, trusted: [], issuer: null })),
    'API_SERVER_UNREACHABLE',
    'node-3 (https://node-3:6443) is not ready: etcd failed',
  ],
  [
    'an API server that mints no token',
    facts({}, third({ signingKid: null })),
    'API_SERVER_UNEXPECTED',
    'node-3 (https://node-3:6443) minted no token',
  ],
  [
    'one API server only',
    facts({ endpointAddresses: [] }, [apiServer('node-1')]),
    'PREFLIGHT_REFUSED',
    'one API server',
  ],
  [
    'an API server that the configuration does not name',
    facts({ endpointAddresses: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'] }),
    'PREFLIGHT_REFUSED',
    'The cluster has 4 API servers',
  ],
  [
    'different signers',
    facts(
      {},
      apiServers({ trusted: [FORMER, OTHER] }).with(
        2,
        apiServer('node-3', { trusted: [FORMER, OTHER], signingKid: 'other-kid' }),
      ),
    ),
    'PREFLIGHT_REFUSED',
    'sign with different keys (node-1: former-kid; node-2: former-kid; node-3: other-kid)',
  ],
  ['different trust', facts({}, third({ trusted: [FORMER, OTHER] })), 'PREFLIGHT_REFUSED', 'trust different keys'],
  [
    'a signer that is not trusted',
    facts({ allowSingleApiServer: true, endpointAddresses: [] }, [apiServer('node-1', { trusted: [OTHER] })]),
    'PREFLIGHT_REFUSED',
    'signs with former-kid but does not trust it',
  ],
  [
    'a signer that is of neither key of the rotation under way',
    facts({ record: unfinishedRecord(), staged: NEXT }, apiServers({ trusted: [OTHER], signingKid: 'other-kid' })),
    'PREFLIGHT_REFUSED',
    'sign with a key that is not of the rotation under way',
  ],
  [
    'another issuer',
    facts({}, third({ issuer: 'https://other' })),
    'PREFLIGHT_REFUSED',
    'issues tokens as https://other',
  ],
  [
    'another public issuer',
    facts({ publicIssuer: 'https://other' }),
    'PREFLIGHT_REFUSED',
    'names the issuer https://other',
  ],
  [
    'a discovery document that leads elsewhere',
    facts({ publicJwksUri: 'https://elsewhere/jwks' }),
    'PREFLIGHT_REFUSED',
    'sends relying parties to https://elsewhere/jwks',
  ],
  ['an active key that is not public', facts({ publicKids: ['foreign'] }), 'PREFLIGHT_REFUSED', 'lacks former-kid'],
  [
    'a clock that is behind',
    facts({ clockSkewMs: { 'node-2': 300_001 } }),
    'PREFLIGHT_REFUSED',
    'clock is 5m ahead of that of node-2',
  ],
  [
    'a clock that is ahead',
    facts({ clockSkewMs: { 'node-2': -600_000 } }),
    'PREFLIGHT_REFUSED',
    'clock is 10m behind that of node-2',
  ],
  ['a staged key that signs already', facts({ staged: FORMER }), 'KEY_UNSUPPORTED', 'is the one that signs already'],
  [
    'a staged key that is not the one of the rotation under way',
    facts({ record: unfinishedRecord(), staged: OTHER }),
    'KEY_NOT_FOUND',
    'A rotation to next-kid is under way, but the key store holds other-kid',
  ],
  [
    'no staged key for the rotation under way',
    facts({ record: unfinishedRecord() }),
    'KEY_NOT_FOUND',
    'but the key store holds no key',
  ],
  ['a relying party that refuses the algorithm', facts({ refusedBy: ['AWS STS'] }), 'KEY_UNSUPPORTED', 'AWS STS'],
  [
    'a drain that has no bound',
    facts({ drain: { refused: 'no bound' } }),
    'WAIT_UNBOUNDED',
    'The drain is refused: no bound.',
  ],
];

describe('a rotation must not start with', () => {
  it.each(BLOCKERS)('%s, and that alone is said', (_, observed, code, sentence) => {
    expect(findBlockers(observed)).toEqual([
      { code, subject: expect.any(String), message: expect.stringContaining(sentence) },
    ]);
  });

  it('many things at once, and all are said', () => {
    const blockers = findBlockers(
      facts({
        controlPlane: {
          ...facts().controlPlane,
          apiServers: [
            apiServer('node-1', { ready: false }),
            apiServer('node-2', { signingKid: 'other-kid', trusted: [FORMER, OTHER] }),
            apiServer('node-3', { issuer: 'https://other' }),
          ],
          problems: [{ code: 'NODE_UNREACHABLE', subject: 'node-1', message: 'Away.' }],
        },
        observationProblems: [{ code: 'KEY_STORE_LOCKED', subject: 'store', message: 'Locked.' }],
        publicIssuer: 'https://third',
        endpointAddresses: ['1', '2', '3', '4'],
        clockSkewMs: { 'node-1': 999_999 },
        refusedBy: ['Entra ID'],
        drain: { refused: 'no bound' },
      }),
    );
    expect(blockers.map(({ code }) => code).toSorted()).toEqual([
      'API_SERVER_UNREACHABLE',
      'KEY_STORE_LOCKED',
      'KEY_UNSUPPORTED',
      'NODE_UNREACHABLE',
      'PREFLIGHT_REFUSED', // unknown API server
      'PREFLIGHT_REFUSED', // different signers
      'PREFLIGHT_REFUSED', // different trust
      'PREFLIGHT_REFUSED', // issuer of node-3
      'PREFLIGHT_REFUSED', // public issuer
      'PREFLIGHT_REFUSED', // clock
      'WAIT_UNBOUNDED',
    ]);
  });
});

it('knows no former key where there is a reason not to start', () => {
  expect(findFormer(facts({}, []))).toBeNull();
  expect(findFormer(facts({}, third({ signingKid: null })))).toBeNull();
  expect(findFormer(facts({}, third({ signingKid: 'other-kid' })))).toBeNull();
  expect(findFormer(facts({}, apiServers({ signingKid: 'other-kid' })))).toBeNull();
});
