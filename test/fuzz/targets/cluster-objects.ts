// Objects of a cluster that others may have written: the Lease with our record, a Shoot, the operator's certificates and Secrets, Go's durations.
import { kidsIn, withoutKey } from '../../../src/platforms/openshift/cert-entries.ts';
import { jsonOf, parseAnswer } from '../../../src/api-servers/answer-json.ts';
import { leaseSchema, newLease, readHeld, readRecord, withRecord } from '../../../src/cluster-lock/lease-content.ts';
import { contentOf, newSecret, secretSchema } from '../../../src/key-stores/secret-object.ts';
import {
  hasManagedIssuer,
  keyRotationOf,
  lastOperationInWords,
  managedIssuerOf,
  poolsUpdatedByHand,
  shootSchema,
  tokenLifetimesOf,
} from '../../../src/platforms/gardener/shoot.ts';
import { parseGoDuration } from '../../../src/platforms/go-duration.ts';
import { ecKeyPair, rsaKeyPair } from '../../platforms/static-pod/key-pairs.ts';
import { unfinishedRecord } from '../../rotation/observed-cluster.ts';
import type { FuzzTarget } from '../run-target.ts';

const [former, next, foreign] = [rsaKeyPair(), ecKeyPair(), ecKeyPair()] as const;

const DEEP = ['['.repeat(50_000), `{"metadata":${'{"a":'.repeat(20_000)}1`];

export const certEntries: FuzzTarget = {
  name: 'certificates of the OpenShift operator',
  seeds: [
    former.publicPem,
    `${former.publicPem}${next.publicPem}`,
    `# kept by hand\n${foreign.publicPem}\n${former.publicPem.replaceAll('\n', '\r\n')}`,
  ],
  extremes: [former.publicPem.repeat(100)],
  tokens: ['-----BEGIN PUBLIC KEY-----\n', '-----END PUBLIC KEY-----\n', foreign.publicPem, former.publicPem],
  accepts(input) {
    const entries = { 'service-account-001.pub': next.publicPem, ['__proto__.pub']: input };
    const before = kidsIn(entries, 'ConfigMap');
    const changed = { ...entries, ...withoutKey(entries, former.kid, 'ConfigMap') };
    const kept = Object.fromEntries(Object.entries(changed).filter(([, pem]) => pem !== null)) as Record<
      string,
      string
    >;
    const after = kidsIn(kept, 'ConfigMap');
    const expected = before.filter((kid) => kid !== former.kid);
    if (after.toSorted().join() !== expected.toSorted().join()) throw new Error('another key than the one is gone');
    return true;
  },
};

const holder = { temporalClusterId: 'c', namespace: 'default', workflowId: 'rotate-signing-key/prod', runId: 'r' };
const lease = newLease('keyturn', 'prod', holder, 0) as { metadata: object };
const heldLease = leaseSchema.parse({ ...lease, metadata: { ...lease.metadata, resourceVersion: '1' } });
const AT = '2026-01-01T00:00:00.000Z';
const milestones = { publishedAt: AT, verifiedAt: AT };

export const leases: FuzzTarget = {
  name: 'the Lease of a cluster',
  seeds: [
    JSON.stringify(heldLease),
    JSON.stringify(withRecord(heldLease, unfinishedRecord({ milestones }), 0)),
    '{"metadata":{"resourceVersion":"1"}}',
  ],
  extremes: DEEP,
  tokens: [
    'keyturn.dev/rotation',
    'keyturn.dev/holder',
    'holderIdentity',
    '\\"next\\":null',
    '\\"runId\\":\\"r\\"',
    AT,
  ],
  accepts(input) {
    const read = jsonOf(leaseSchema, parseAnswer(input, 'Lease'), 'Lease');
    const held = readHeld(read, 'keyturn/prod');
    if (held !== null && read.spec?.holderIdentity?.includes(held.holder.runId) !== true)
      throw new Error('held by another run than the one that is named');
    const record = readRecord(read, 'keyturn/prod');
    if (record === null) return true;
    const again = readRecord(withRecord(read, record, 0), 'keyturn/prod');
    if (JSON.stringify(again) !== JSON.stringify(record)) throw new Error('written and read it is another record');
    return true;
  },
};

const shoot = {
  metadata: { name: 'prod', namespace: 'garden-x', resourceVersion: '7', generation: 3, annotations: {} },
  spec: { kubernetes: { kubeAPIServer: { serviceAccountConfig: { maxTokenExpiration: '720h0m0s' } } } },
  status: {
    observedGeneration: 3,
    lastOperation: { type: 'Reconcile', state: 'Succeeded', progress: 100, description: 'done' },
    credentials: { rotation: { serviceAccountKey: { phase: 'Prepared', lastInitiationTime: AT } } },
    advertisedAddresses: [{ name: 'service-account-issuer', url: 'https://issuer.example' }],
  },
};

export const shoots: FuzzTarget = {
  name: 'Shoots of Gardener',
  seeds: [JSON.stringify(shoot), JSON.stringify({ ...shoot, status: {} })],
  extremes: DEEP,
  tokens: ['"phase":"Completed"', '"maxTokenExpiration":"9e9h"', '"annotations":null', '"status":null', '999999999h'],
  accepts(input) {
    const read = jsonOf(shootSchema, parseAnswer(input, 'Shoot'), 'Shoot');
    const { maxTokenExpirationMs } = tokenLifetimesOf(read);
    if (maxTokenExpirationMs !== null && !(maxTokenExpirationMs >= 0 && Number.isFinite(maxTokenExpirationMs)))
      throw new Error(`a lifetime of ${maxTokenExpirationMs}`);
    hasManagedIssuer(read);
    const told = [
      lastOperationInWords(read),
      managedIssuerOf(read),
      keyRotationOf(read)?.phase,
      ...poolsUpdatedByHand(read),
    ];
    if (told.some((word) => word !== undefined && typeof word !== 'string')) throw new Error('words that are none');
    return true;
  },
};

export const goDurations: FuzzTarget = {
  name: 'durations of flags',
  seeds: ['24h', '1h30m', '2160h0m0s', '0', '1.5h', '300ms'],
  extremes: ['9'.repeat(400) + 'h', '1h'.repeat(50_000), '.'.repeat(50_000), '1'.repeat(50_000)],
  tokens: ['h', 'm', 's', 'ms', 'µs', '.', '-', '+', '1'],
  accepts(input) {
    const ms = parseGoDuration(input);
    if (ms === undefined) return false;
    if (!(ms >= 0 && Number.isFinite(ms))) throw new Error(`${ms} ms`);
    return true;
  },
};

const staged = {
  namespace: 'keyturn-keys',
  cluster: 'prod',
  kid: former.kid,
  createdBy: '1@worker',
  rotationId: 'abc',
};
const sealed = { jwe: 'a.b.c.d.e', dataKey: { wrappingKeyId: 'transit/keyturn:v1', wrapped: 'vault:v1:AAAA' } };
const secretText = (content: Parameters<typeof newSecret>[0]['content']) => {
  const secret = newSecret({ ...staged, content }) as { metadata: object };
  return JSON.stringify({ ...secret, metadata: { ...secret.metadata, uid: 'u', resourceVersion: '1' } });
};

export const stagedSecrets: FuzzTarget = {
  name: 'Secrets with a staged key',
  seeds: [secretText({ sealed }), secretText({ privatePem: former.privatePem })],
  extremes: DEEP,
  tokens: ['keyturn.dev/signing-key', 'key.pem', 'key.jwe', 'keyturn.dev/wrapped-data-key', '"data":null'],
  accepts(input) {
    const content = contentOf(jsonOf(secretSchema, parseAnswer(input, 'Secret'), 'Secret'), 'Secret');
    if (!('privatePem' in content) && typeof content.sealed.jwe !== 'string') throw new Error('a key that is none');
    return true;
  },
};
