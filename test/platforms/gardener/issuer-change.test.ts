import { describe, expect, test } from 'vitest';
import { dueForIssuers, findIssuerProblems, settingsOf } from '../../../src/platforms/gardener/issuer-change.ts';
import { shootSchema, type Shoot } from '../../../src/platforms/gardener/shoot.ts';
import type { IssuerMigration } from '../../../src/rotation/issuer-migration.ts';

const A = 'https://a.example';
const B = 'https://b.example';
const OTHER = 'https://other.example';

const migration = (change: Partial<IssuerMigration> = {}): IssuerMigration => ({
  from: A,
  to: B,
  fromIsDefault: false,
  acceptedBefore: [],
  ...change,
});

interface Fields {
  readonly issuer?: string;
  readonly acceptedIssuers?: readonly string[];
  readonly maxTokenExpiration?: string;
}

function shoot(config: Fields, status: object = {}, annotations: Readonly<Record<string, string>> = {}): Shoot {
  return shootSchema.parse({
    metadata: { name: 'prod', namespace: 'garden-dev', resourceVersion: '1', generation: 3, annotations },
    spec: { kubernetes: { kubeAPIServer: { serviceAccountConfig: config } } },
    status: {
      observedGeneration: 3,
      lastOperation: { type: 'Reconcile', state: 'Succeeded', progress: 100, description: 'Done.' },
      ...status,
    },
  });
}

describe('on the way from one issuer to another', () => {
  test.each([
    ['accepting', { issuer: A, acceptedIssuers: [OTHER, B] }],
    ['issuing', { issuer: B, acceptedIssuers: [OTHER, A] }],
    ['alone', { issuer: B, acceptedIssuers: [OTHER] }],
    ['before', { issuer: A, acceptedIssuers: [OTHER] }],
  ] as const)('%s, others that were accepted stay', (state, settings) => {
    expect(settingsOf(state, migration({ acceptedBefore: [OTHER] }))).toEqual(settings);
  });

  test('the platform’s own issuer is accepted whatever is configured', () => {
    const own = migration({ fromIsDefault: true });
    expect(settingsOf('accepting', own)).toEqual({ issuer: null, acceptedIssuers: [B] });
    expect(settingsOf('issuing', own)).toEqual({ issuer: B, acceptedIssuers: [] });
    expect(settingsOf('before', own)).toEqual({ issuer: null, acceptedIssuers: [] });
  });

  test('a new issuer that was accepted before stays so on the way back', () => {
    expect(settingsOf('before', migration({ acceptedBefore: [B] }))).toEqual({ issuer: A, acceptedIssuers: [B] });
    expect(settingsOf('alone', migration({ acceptedBefore: [B] }))).toEqual({ issuer: B, acceptedIssuers: [] });
  });
});

describe('what is due', () => {
  test('a change, where the Shoot is in another state of the migration', () => {
    expect(dueForIssuers(shoot({ issuer: A }), 'accepting', migration())).toEqual({
      change: { issuer: A, acceptedIssuers: [B] },
    });
  });

  test('a wait, until gardenlet has seen the change and has succeeded', () => {
    const issuing = { issuer: B, acceptedIssuers: [A] };
    const due = (status: object) => dueForIssuers(shoot(issuing, status), 'issuing', migration());
    expect(due({ observedGeneration: 2 })).toMatchObject({
      waitingFor: expect.stringContaining('gardenlet has seen generation 2 of 3') as unknown,
    });
    const processing = { type: 'Reconcile', state: 'Processing', progress: 42, description: 'Deploying.' };
    expect(due({ lastOperation: processing })).toMatchObject({
      waitingFor: expect.stringContaining('Reconcile Processing, 42 %: Deploying.') as unknown,
    });
    expect(due({})).toMatchObject({ proof: expect.stringContaining('generation 3') as unknown });
  });

  test('nothing that Gardener has given up: it holds, in its words; of a generation before it says nothing', () => {
    const issuing = { issuer: B, acceptedIssuers: [A] };
    const failed = { type: 'Reconcile', state: 'Failed', progress: 9, description: 'quota' };
    const status = { lastOperation: failed };
    expect(() => dueForIssuers(shoot(issuing, status), 'issuing', migration())).toThrow(/given up.*quota/);
    const before = shoot(issuing, { ...status, observedGeneration: 2 });
    expect(dueForIssuers(before, 'issuing', migration())).toHaveProperty('waitingFor');
  });

  test('nothing, where somebody else has changed the issuers: that is never overwritten', () => {
    for (const config of [{ issuer: OTHER }, { issuer: A, acceptedIssuers: [B, OTHER] }, {}]) {
      expect(() => dueForIssuers(shoot(config), 'issuing', migration())).toThrow(
        expect.objectContaining({ code: 'PLATFORM_CHANGED' }),
      );
    }
  });
});

describe('against a migration speaks', () => {
  const messages = (seen: Shoot, change: Partial<IssuerMigration> = {}) =>
    findIssuerProblems(seen, migration(change)).map(({ message }) => message);

  test('nothing, where both are good', () => {
    expect(messages(shoot({ issuer: A, acceptedIssuers: [OTHER], maxTokenExpiration: '720h' }))).toEqual([]);
  });

  test.each([
    ['http://b.example', 'is not https'],
    ['b.example', 'is no URL'],
    ['https://user:x@b.example', 'has user information in it'],
    ['https://b.example?x=1', 'has a query or a fragment'],
    ['https://b.example#x', 'has a query or a fragment'],
  ])('the issuer %s, which %s', (to, why) => {
    expect(messages(shoot({ issuer: A }), { to })).toEqual([`The issuer ${to} ${why}. Correct it.`]);
  });

  test.each<[string, Shoot, Partial<IssuerMigration>]>([
    ['issues as https://b.example already', shoot({ issuer: B }), { from: B }],
    ['names an issuer twice', shoot({ issuer: A, acceptedIssuers: [OTHER, OTHER] }), {}],
    ['names an issuer twice', shoot({ issuer: A, acceptedIssuers: [A] }), {}],
    ['outside of the 30 to 90 days', shoot({ issuer: A, maxTokenExpiration: '719h' }), {}],
    ['outside of the 30 to 90 days', shoot({ issuer: A, maxTokenExpiration: '2161h' }), {}],
    ['has a managed issuer', shoot({}, {}, { 'authentication.gardener.cloud/issuer': 'managed' }), {}],
  ])('%s', (why, seen, change) => {
    expect(messages(seen, change)).toEqual([expect.stringContaining(why)]);
  });
});
