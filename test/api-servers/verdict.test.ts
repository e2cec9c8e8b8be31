// Which answers are a verdict on a token, and which say nothing about it.
import { UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { verdictOfReview, verdictOfUse } from '../../src/api-servers/verdict.ts';

const subject = 'system:serviceaccount:keyturn:keyturn-probe';
const token = new UnsecuredJWT({}).setSubject(subject).encode();
const answeredAs = (username: string): string => JSON.stringify({ status: { userInfo: { username } } });

describe('a request that carried only the token', () => {
  test.each([
    ['accepts with 201 for its own subject', 201, answeredAs(subject), 'accepted'],
    ['accepts with 403: authentication comes first', 403, '{"kind":"Status"}', 'accepted'],
    ['rejects with 401', 401, '{"kind":"Status"}', 'rejected'],
    ['says nothing with 201 for another subject', 201, answeredAs('system:anonymous'), 'unreachable'],
    ['says nothing with 201 and no JSON', 201, '<html>', 'unreachable'],
    ['says nothing with 429', 429, '', 'unreachable'],
    ['says nothing with 500', 500, '', 'unreachable'],
    ['says nothing with 503', 503, '', 'unreachable'],
    ['says nothing with 404', 404, '', 'unreachable'],
  ])('%s', (_, status, body, outcome) => {
    expect(verdictOfUse({ status, headers: {}, body }, token).outcome).toBe(outcome);
  });
});

describe('a TokenReview', () => {
  test.each([
    ['authenticated', { status: { authenticated: true } }, { outcome: 'accepted' }],
    [
      'with an error',
      { status: { error: 'invalid bearer token' } },
      { outcome: 'rejected', reason: 'invalid bearer token' },
    ],
    [
      'not authenticated, without a reason',
      { status: {} },
      { outcome: 'rejected', reason: 'TokenReview: not authenticated' },
    ],
    ['of another shape', { kind: 'Status' }, { outcome: 'unreachable', reason: 'the answer is not a TokenReview' }],
  ])('%s', (_, body, verdict) => {
    expect(verdictOfReview(body)).toEqual(verdict);
  });
});
