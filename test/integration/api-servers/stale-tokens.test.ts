// The evidence of clients that do not reload their tokens, as a real kube-apiserver gives it: its counter and its audit log.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { readStaleTokenCount } from '../../../src/api-servers/stale-tokens.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { LocalNodeFiles } from '../../../src/nodes/local.ts';
import { readAuditLog } from '../../../src/rotation/audit-log.ts';
import { increasesSince } from '../../../src/rotation/slow-clients.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';

const HOUR_S = 3600;
let server: SingleApiServer;
let client: KubeClient;

beforeAll(async () => {
  server = await startSingleApiServer();
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac.yaml');
  client = new KubeClient(await loadKubeConfig(await server.kubeConfig('keyturn')));
});
afterAll(() => server?.stop());

/**
 * A token as an API server gives it to a pod, minted so many seconds ago: it lives for a year, and its client should have asked for another one
 * 3607 s after it was minted. Time cannot be waited for here, so the test signs it with the server's own key.
 */
async function tokenOfAge(ageS: number): Promise<string> {
  const { body } = await server.asAdmin('GET', '/api/v1/namespaces/keyturn/serviceaccounts/keyturn-probe');
  const { uid } = (body as { metadata: { uid: string } }).metadata;
  const iat = Math.floor(Date.now() / 1000) - ageS;
  return server.signToken(1, {
    iss: server.issuer,
    aud: [server.issuer],
    sub: 'system:serviceaccount:keyturn:keyturn-probe',
    iat,
    nbf: iat,
    exp: iat + 365 * 24 * HOUR_S,
    // Makes each token another one: what an API server has accepted it does not judge again for 10 s.
    jti: crypto.randomUUID(),
    'kubernetes.io': {
      namespace: 'keyturn',
      serviceaccount: { name: 'keyturn-probe', uid },
      warnafter: iat + 3607,
    },
  });
}

async function use(token: string): Promise<void> {
  const call = {
    verb: 'create',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    resource: 'selfsubjectreviews.authentication.k8s.io',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
  } as const;
  expect((await client.send(call, { bearerToken: token })).status).toBe(201);
}

const count = () => readStaleTokenCount('node-1', client);

test('the counter goes up with each stale token and not with others; after a restart it counts from nothing', async () => {
  const before = await count();
  await use(await tokenOfAge(60));
  const baseline = { at: new Date().toISOString(), counts: [before] };
  expect(increasesSince(baseline, [await count()])).toEqual([{ node: 'node-1', uses: 0, atLeast: false }]);
  for (let times = 0; times < 3; times += 1) await use(await tokenOfAge(2 * HOUR_S));
  expect(increasesSince(baseline, [await count()])).toEqual([{ node: 'node-1', uses: 3, atLeast: false }]);

  await server.signal('SIGTERM');
  expect(await count()).toEqual({ node: 'node-1', unknown: expect.stringContaining('cannot be reached') as string });
  await server.start(1);
  await use(await tokenOfAge(2 * HOUR_S));
  expect(increasesSince(baseline, [await count()])).toEqual([{ node: 'node-1', uses: 1, atLeast: true }]);
});

test('without the right to read /metrics it is said to be missing', async () => {
  const nobody = new KubeClient(await loadKubeConfig(await server.kubeConfig('nobody')));
  expect(await readStaleTokenCount('node-1', nobody)).toEqual({
    node: 'node-1',
    unknown: expect.stringContaining('Keyturn may not get /metrics') as string,
  });
});

test('the audit log tells whose token it was and when it was minted', async () => {
  const askedAt = Date.now();
  await use(await tokenOfAge(5 * HOUR_S));
  const files = new LocalNodeFiles('node-1');
  const read = async () => readAuditLog((await files.readTail(server.auditLogPath, 2 ** 20)) ?? '');
  const mintedSeconds = askedAt / 1000 - 5 * HOUR_S;
  const isOurs = ({ issuedAtMs }: { issuedAtMs: number }) => Math.abs(issuedAtMs / 1000 - mintedSeconds) < 5;
  for (const deadline = Date.now() + 10_000; !(await read()).uses.some(isOurs); await sleep(50)) {
    expect(Date.now()).toBeLessThan(deadline);
  }
  const { uses, fromMs } = await read();
  expect(uses.filter(isOurs)).toEqual([
    expect.objectContaining({ subject: 'system:serviceaccount:keyturn:keyturn-probe' }),
  ]);
  expect(uses.find(isOurs)?.usedAtMs).toBeGreaterThanOrEqual(askedAt);
  expect(fromMs).toBeLessThan(askedAt);
});
