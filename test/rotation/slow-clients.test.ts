import { describe, expect, it } from 'vitest';
import { readAuditLog } from '../../src/rotation/audit-log.ts';
import {
  areClientsSlow,
  describeSlowClients,
  increasesSince,
  slowClientsOf,
  type SlowClientReport,
} from '../../src/rotation/slow-clients.ts';

const baseline = {
  at: '2026-06-02T12:00:00.000Z',
  counts: [
    { node: 'node-1', count: 10, startedAtMs: 1000 },
    { node: 'node-2', count: 10, startedAtMs: 1000 },
    { node: 'node-3', unknown: 'Keyturn may not get /metrics.' },
  ],
};

describe('the increase of a counter', () => {
  it.each<[string, Parameters<typeof increasesSince>[1][number], object]>([
    ['is the difference', { node: 'node-1', count: 12, startedAtMs: 1000 }, { uses: 2, atLeast: false }],
    ['is nothing where nothing came', { node: 'node-1', count: 10, startedAtMs: 1000 }, { uses: 0, atLeast: false }],
    [
      'is what was counted since a restart',
      { node: 'node-2', count: 3, startedAtMs: 5000 },
      { uses: 3, atLeast: true },
    ],
    [
      'is that also where it counted more than before',
      { node: 'node-2', count: 30, startedAtMs: 5000 },
      { uses: 30, atLeast: true },
    ],
    [
      'is not known where it cannot be read',
      { node: 'node-1', unknown: 'HTTP 403' },
      { uses: null, unknown: 'HTTP 403' },
    ],
    ['is not known where it could not be read before', { node: 'node-3', count: 3, startedAtMs: 1 }, { uses: null }],
    ['is not known of a node that joined', { node: 'node-4', count: 3, startedAtMs: 1 }, { uses: null }],
  ])('%s', (_, now, expected) => {
    expect(increasesSince(baseline, [now])).toEqual([expect.objectContaining({ node: now.node, ...expected })]);
  });
});

describe('slow clients', () => {
  const SINCE = Date.UTC(2026, 5, 2, 12);
  const use = (subject: string, usedAtMs: number, issuedAtMs: number) => ({ subject, usedAtMs, issuedAtMs });

  it('are those that use a token of the former key, the busiest first', () => {
    const uses = [
      use('a', SINCE + 1000, SINCE - 5000),
      use('b', SINCE + 3000, SINCE - 9000),
      use('b', SINCE + 2000, SINCE - 9000),
      use('issued after the switch', SINCE + 9_000_000, SINCE + 1),
      use('used before', SINCE - 1, SINCE - 5000),
    ];
    expect(slowClientsOf(uses, SINCE, SINCE)).toEqual({
      clients: [
        { subject: 'b', uses: 2, lastUsedAt: '2026-06-02T12:00:03.000Z', tokenIssuedAt: '2026-06-02T11:59:51.000Z' },
        { subject: 'a', uses: 1, lastUsedAt: '2026-06-02T12:00:01.000Z', tokenIssuedAt: '2026-06-02T11:59:55.000Z' },
      ],
      leftOut: 0,
    });
    const many = Array.from({ length: 25 }, (_, number) => use(`s${number}`, SINCE, SINCE));
    expect(slowClientsOf(many, SINCE, SINCE)).toMatchObject({ leftOut: 5, clients: { length: 20 } });
  });

  const report = (change: Partial<SlowClientReport>): SlowClientReport => ({
    since: '2026-06-02T12:00:00.000Z',
    increases: [{ node: 'node-1', uses: 0, atLeast: false }],
    auditLogs: [],
    clients: [],
    leftOut: 0,
    ...change,
  });
  const increases = [{ node: 'node-1', uses: 3, atLeast: false }];
  const client = { subject: 'a', uses: 1, lastUsedAt: '', tokenIssuedAt: '' };

  it.each<[string, boolean, Partial<SlowClientReport>]>([
    ['nothing was seen', false, {}],
    ['nothing could be read', false, { increases: [{ node: 'node-1', uses: null, atLeast: false, unknown: 'x' }] }],
    ['a counter went up', true, { increases }],
    ['a client was seen', true, { clients: [client] }],
    [
      'a counter went up, and the audit log of all the time shows no token of the former key',
      false,
      { increases, auditLogs: [{ node: 'node-1', from: '2026-06-02T12:00:00.000Z' }] },
    ],
    [
      'a counter went up, and the audit log begins too late',
      true,
      { increases, auditLogs: [{ node: 'node-1', from: '2026-06-02T12:00:01.000Z' }] },
    ],
    [
      'a counter went up, and one of the audit logs is missing',
      true,
      {
        increases: [...increases, { node: 'node-2', uses: 0, atLeast: false }],
        auditLogs: [{ node: 'node-1', from: '2026-06-02T11:00:00.000Z' }],
      },
    ],
  ])('where %s: %s', (_, slow, change) => expect(areClientsSlow(report(change))).toBe(slow));

  it('are told in a sentence', () => {
    const told = describeSlowClients(
      report({
        increases: [
          { node: 'node-1', uses: 3, atLeast: false },
          { node: 'node-2', uses: 1, atLeast: true },
          { node: 'node-3', uses: null, atLeast: false, unknown: 'HTTP 403' },
        ],
        auditLogs: [
          { node: 'node-1', from: '2026-06-02T11:00:00.000Z' },
          { node: 'node-2', from: null, unknown: 'there is no /a' },
        ],
        clients: ['a', 'b', 'c', 'd', 'e', 'f'].map((subject) => ({ ...client, subject })),
        leftOut: 1,
      }),
    );
    expect(told).toBe(
      'requests with tokens that their clients did not reload, since 2026-06-02T12:00:00.000Z: node-1 3, node-2 at least 1, node-3 not available (HTTP 403); ' +
        'with tokens of the former key: a (1), b (1), c (1), d (1), e (1) and 2 more; ' +
        'audit logs read: node-1 from 2026-06-02T11:00:00.000Z, node-2 there is no /a',
    );
  });
});

describe('an audit log', () => {
  const line = (time: string, annotation?: string) =>
    JSON.stringify({
      kind: 'Event',
      auditID: time,
      requestReceivedTimestamp: time,
      annotations: annotation === undefined ? {} : { 'authentication.k8s.io/stale-token': annotation },
    });

  it('tells who used which token, and from when on it was read', () => {
    const text = [
      'cut off in its middle"}',
      line('2026-06-02T12:00:00.500000Z'),
      line(
        '2026-06-02T13:00:00.000000Z',
        'subject: system:serviceaccount:ns:slow, seconds after warning threshold: 10',
      ),
      // Logged at another stage, too.
      line(
        '2026-06-02T13:00:00.000000Z',
        'subject: system:serviceaccount:ns:slow, seconds after warning threshold: 10',
      ),
      line('2026-06-02T13:00:01.000000Z', 'in words that nobody knows'),
      '{"annotations": {"authentication.k8s.io/stale-token": ',
      'null',
      '',
    ].join('\n');
    expect(readAuditLog(text)).toEqual({
      fromMs: Date.UTC(2026, 5, 2, 12, 0, 0, 500),
      uses: [
        {
          subject: 'system:serviceaccount:ns:slow',
          usedAtMs: Date.UTC(2026, 5, 2, 13),
          // 3607 s after it was issued, and then 10 s
          issuedAtMs: Date.UTC(2026, 5, 2, 11, 59, 43),
        },
      ],
    });
  });

  it('without a request tells nothing', () => expect(readAuditLog('')).toEqual({ fromMs: null, uses: [] }));
});
