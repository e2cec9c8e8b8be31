// The words of notifications: short, with what can be decided, and harmless in a chat.
import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import {
  endingOf,
  notificationBody,
  notificationSentence,
  notificationSummary,
  shortenReason,
  type Notification,
} from '../../src/rotation/notification.ts';

const held: Notification = {
  id: 'run-1-2',
  at: '2026-01-01T00:00:00.000Z',
  state: 'held',
  cluster: 'prod',
  rotationId: 'abc',
  workflowId: 'rotate-signing-key/prod',
  runId: 'run-1',
  phase: 'Signing',
  reason: 'sign/node-2: not ready [EFFECT_MISSING]',
  possible: ['retry', 'rollBack'],
};

describe('the body of a notification', () => {
  it('has a text for chats and the fields for programs', () => {
    expect(notificationBody(held, null)).toEqual({
      text: [
        '*prod* is held in Signing: someone must decide',
        'sign/node-2: not ready [EFFECT_MISSING]',
        'Possible now: retry, rollBack',
        'Workflow: rotate-signing-key/prod',
      ].join('\n'),
      version: 1,
      id: 'run-1-2',
      at: '2026-01-01T00:00:00.000Z',
      state: 'held',
      cluster: 'prod',
      rotationId: 'abc',
      workflowId: 'rotate-signing-key/prod',
      runId: 'run-1',
      phase: 'Signing',
      reason: 'sign/node-2: not ready [EFFECT_MISSING]',
      possible: ['retry', 'rollBack'],
      link: null,
    });
  });

  it('links to the rotation where the address of the UI is known', () => {
    const link = 'https://temporal.example/namespaces/default/workflows/rotate-signing-key%2Fprod/run-1';
    const { text } = notificationBody(held, link);
    expect(text.split('\n').at(-1)).toBe(`<${link}|rotate-signing-key/prod>`);
  });

  it('calls nobody and links to nothing by what an error says', () => {
    const { text } = notificationBody({ ...held, reason: '<!channel> & <https://evil.example|here>' }, null);
    expect(text).toContain('&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;');
  });

  it.each([
    ['gated', '*prod* asks before it goes on in Signing'],
    ['held', '*prod* is held in Signing: someone must decide'],
    ['completed', '*prod* has a new signing key'],
    ['rolled-back', '*prod* was rolled back'],
    ['refused', '*prod* may not be rotated now: nothing was changed'],
  ] as const)('begins for %s with: %s', (state, headline) => {
    expect(notificationBody({ ...held, state, possible: [] }, null).text.split('\n')[0]).toBe(headline);
  });

  it('of a refusal needs no name: the request may have none', () => {
    const body = notificationBody({ ...held, state: 'refused', cluster: '', possible: [] }, null);
    expect(body.text).toMatch(/^\*The cluster\* may not be rotated now/);
  });
});

it.each([
  ['gated', 'Tell operators: asks in Signing'],
  ['held', 'Tell operators: held in Signing'],
  ['completed', 'Tell operators: completed'],
  ['rolled-back', 'Tell operators: rolled back'],
  ['refused', 'Tell operators: refused'],
] as const)('the timeline shows %s as: %s', (state, summary) => {
  expect(notificationSummary({ state, phase: 'Signing' })).toBe(summary);
});

it('a log gets it as a sentence', () => {
  expect(notificationSentence(held)).toBe(
    'prod is held in Signing: someone must decide. sign/node-2: not ready [EFFECT_MISSING]',
  );
});

it('a long reason is cut: the status has all of it', () => {
  expect(shortenReason('a'.repeat(1000))).toHaveLength(1000);
  expect(shortenReason('a'.repeat(1001))).toBe(`${'a'.repeat(1000)} ...`);
});

describe('the end of a rotation', () => {
  const audit: Pick<AuditRecord, 'outcome' | 'keys' | 'decisions' | 'probes'> = {
    outcome: 'completed',
    keys: [
      { kid: 'old', alg: 'RS256', role: 'retired', version: 1 },
      { kid: 'new', alg: 'RS256', role: 'active', version: 2 },
    ],
    decisions: [],
    probes: null,
  };

  it('says which key signs', () => {
    expect(endingOf(audit)).toBe('Tokens are signed with new.');
  });

  it('says who took it back, and why', () => {
    const [old, next] = audit.keys;
    const ending = endingOf({
      ...audit,
      outcome: 'rolled-back',
      keys: [
        { ...old!, role: 'active' },
        { ...next!, role: 'retired' },
      ],
      decisions: [
        { decision: 'rollBack', at: '2026-01-01T00:00:00.000Z', by: 'ann', reason: 'wrong key', phase: 'Signing' },
      ],
    });
    expect(ending).toBe('Tokens are signed with old as before. Decided by ann: wrong key');
  });
});
