// Everything that rotations leave behind, with all logs at their most verbose, searched for every private key in every form; and under which rights they ran.
import { createPrivateKey } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify, parse } from 'yaml';
import { findCluster, loadConfig } from '../../../src/config/load.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { reservePort } from '../../../src/demo/free-port.ts';
import type { GuardedProcess } from '../../../src/demo/guarded-process.ts';
import { generateKeyPair } from '../../../src/keys/generate.ts';
import { composeKeyStore } from '../../../src/worker/compose-key-store.ts';
import { rollBackUpdate } from '../../../src/workflows/messages.ts';
import { PrivateKeySearch } from '../../fixtures/private-key-search.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../../fakes/webhook-receiver.ts';
import { openScene, rotate, waitForStatus, type Scene } from '../rotation-scene.ts';
import { Evidence } from './evidence.ts';
import { readAuditedRequests, readGrants, type AuditedRequest, type Grant } from './granted-rights.ts';
import { leak } from './leaky-worker.ts';

const RIGHTS = ['deploy/rbac.yaml', 'deploy/rbac-key-store.yaml'] as const;

/** At the most verbose, of the worker's own requests alone: bodies too. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'RequestResponse', users: ['keyturn'] }, { level: 'None' }],
};

let scene: Scene;
let evidence: Evidence;
let worker: GuardedProcess;
let receiver: WebhookReceiver;
let policyFolder: string;
let metricsUrl: string;
let releaseMetrics: () => Promise<void>;
/** PEM by what the key was. */
const keys: Record<string, string> = {};

beforeAll(async () => {
  policyFolder = await mkdtemp(path.join(tmpdir(), 'keyturn-audit-policy-'));
  const policyFile = path.join(policyFolder, 'policy.yaml');
  await writeFile(policyFile, stringify(AUDIT_POLICY));
  scene = await openScene({
    nodes: 2,
    temporalLogLevel: 'debug',
    apiServerFlags: { v: '8', 'audit-policy-file': policyFile, 'audit-log-path': '-' },
    policies: { readyTimeout: '2m' },
    clusterFields: {
      keyStore: { type: 'kubernetes-secret', wrappingKey: { file: 'wrapping.key' }, keyType: 'rsa-2048' },
    },
  });
  await applyManifest(scene.controlPlane.adminKubeconfigPath, 'deploy/rbac-key-store.yaml');
  receiver = await startWebhookReceiver();
  const reserved = await reservePort();
  releaseMetrics = reserved.release;
  const bindAddress = `127.0.0.1:${reserved.port}`;
  metricsUrl = `http://${bindAddress}/metrics`;
  const config = parse(await readFile(scene.configFile, 'utf8')) as object;
  const told = { notifications: { webhook: { url: receiver.url } }, metrics: { bindAddress } };
  await writeFile(scene.configFile, stringify({ ...config, ...told }));
  await mkdir(path.join(scene.directory, 'tmp'));
  vi.stubEnv('TMPDIR', path.join(scene.directory, 'tmp'));
  vi.stubEnv('KEYTURN_LOG_LEVEL', 'TRACE');
  worker = await scene.startWorker();
  evidence = await Evidence.open(scene);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await scene?.close();
  await receiver?.close();
  await releaseMetrics?.();
  await rm(policyFolder, { recursive: true, force: true });
});

const keyFile = (node: number) => path.join(scene.controlPlane.nodes[node]!.pkiDirectory, 'sa.key');

/** As the worker opens it: what is staged now. */
async function stagedKey(): Promise<{ kid: string; privatePem: string }> {
  const config = await loadConfig(scene.configFile);
  const store = await composeKeyStore(config, findCluster(config, scene.cluster));
  const staged = await store.staged(scene.cluster);
  if (staged === undefined) throw new Error('no key is staged');
  return store.load(scene.cluster, staged.kid);
}

describe('two rotations, one completed and one rolled back', () => {
  test('are followed while they run, with errors on purpose', async () => {
    keys['former'] = await readFile(keyFile(0), 'utf8');
    const first = await rotate(scene);
    const stopFirst = new AbortController();
    const following = evidence.follow(first, stopFirst.signal);
    expect(await first.result()).toMatchObject({ outcome: 'completed' });
    stopFirst.abort();
    expect((await following).heartbeats).toBeGreaterThan(0);
    keys['active'] = await readFile(keyFile(0), 'utf8');
    expect(keys['active']).not.toBe(keys['former']);

    const second = await rotate(scene);
    const stopSecond = new AbortController();
    const followingSecond = evidence.follow(second, stopSecond.signal);
    await waitForStatus(second, ({ phase }) => phase === 'Trusting');
    const { kid, privatePem } = await stagedKey();
    keys['rolled back'] = privatePem;
    // The private key cannot be written to the second node.
    const obstacle = path.join(scene.controlPlane.nodes[1]!.pkiDirectory, `sa-${kid}.key`);
    await mkdir(obstacle);
    const status = await waitForStatus(second, ({ state }) => state === 'held');
    expect(status.held).toMatchObject({ step: 'sign/node-2', code: 'FILE_UNREADABLE' });
    await evidence.keep('status-held.json', status);
    await evidence.keepCommand('status', '--json', 'status', '--workflow-id', second.workflowId);
    await rmdir(obstacle);
    await second.executeUpdate(rollBackUpdate, { args: [{ reason: 'no way to node-2' }] });
    expect(await second.result()).toMatchObject({ outcome: 'rolled-back' });
    stopSecond.abort();
    await followingSecond;
    expect(Object.keys(keys)).toEqual(['former', 'active', 'rolled back']);
  });

  test('commands fail on keys that are broken in the middle', async () => {
    const { privatePem } = await generateKeyPair('rsa-2048');
    keys['brought'] = privatePem;
    const whole = createPrivateKey(privatePem);
    const lines = privatePem.split('\n');
    const broken: Readonly<Record<string, string>> = {
      'cut-off': lines.slice(0, 20).join('\n'),
      garbled: lines.toSpliced(12, 1, `*${lines[12]}`).join('\n'),
      jwk: JSON.stringify(whole.export({ format: 'jwk' })),
    };
    const config = parse(await readFile(scene.configFile, 'utf8')) as { clusters: Record<string, unknown>[] };
    for (const [name, content] of Object.entries(broken)) {
      const folder = await mkdtemp(path.join(policyFolder, 'brought-'));
      const file = path.join(folder, `${name}.key`);
      await writeFile(file, content, { mode: 0o600 });
      const brought = { type: 'bring-your-own', privateKeyFile: file };
      const configFile = path.join(scene.directory, `keyturn-${name}.yaml`);
      const [cluster] = config.clusters;
      await writeFile(configFile, stringify({ ...config, clusters: [{ ...cluster, keyStore: brought }] }));
      expect(await evidence.keepCommand(`plan-${name}`, '--json', '--config', configFile, 'plan')).toMatch(
        /KEY_MALFORMED|PREFLIGHT/,
      );
    }
    // And on a node's, whose content is put back.
    const content = await readFile(keyFile(1), 'utf8');
    await writeFile(keyFile(1), content.slice(0, 1200));
    await evidence.keepCommand('plan-broken-node', 'plan');
    await evidence.keepCommand('doctor', 'doctor');
    await writeFile(keyFile(1), content);
  });

  test('leave no private key anywhere but on the nodes', async () => {
    expect(await evidence.keepHistories(scene.client)).toBe(2);
    await evidence.keep('metrics.txt', await (await fetch(metricsUrl)).text());
    await evidence.keep('notifications.json', receiver.received);
    await evidence.keepProcess('worker', worker.pid);
    await evidence.keepCommand('keys', 'keys');

    const left = (await readdir(scene.directory, { recursive: true })).filter((name) => !name.includes('/etcd/'));
    // What is searched is there, and the logs are as verbose as they can be.
    for (const expected of [
      /^temporal\/temporal\.db$/,
      /^temporal\/temporal\.log$/,
      /^worker\.log$/,
      /^audit\/.*\.json$/,
      /^evidence\/history-/,
      /^evidence\/pending-/,
      /^evidence\/command-plan-cut-off/,
      /^control-plane\/node-2\/logs\/kube-apiserver/,
      /^control-plane\/node-2\/logs\/kube-controller-manager/,
      /^tmp$/,
    ]) {
      expect(left).toContainEqual(expect.stringMatching(expected));
    }
    const log = await readFile(path.join(scene.directory, 'worker.log'), 'utf8');
    expect(log).toMatch(/\[(TRACE|DEBUG)\]/);
    expect(await readFile(path.join(evidence.directory, 'metrics.txt'), 'utf8')).toContain('keyturn_');
    expect(receiver.received.length).toBeGreaterThanOrEqual(3);

    const search = new PrivateKeySearch(keys);
    const found = await search.findInFolder(scene.directory);
    const onNodes = ['node-1', 'node-2'].map((node) => `control-plane/${node}/pki/sa.key`);
    expect(Object.keys(found).toSorted()).toEqual(onNodes);
    for (const forms of Object.values(found)) {
      expect(forms.every((form) => form.startsWith('active: '))).toBe(true);
    }
  });

  test('leave no token in what Temporal has, in the log of the worker, in reports and metrics', async () => {
    const jwt = /eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/;
    const files = await readdir(evidence.directory);
    const searched = ['worker.log', 'temporal/temporal.db', 'temporal/temporal.db-wal', 'temporal/temporal.log']
      .concat(files.map((name) => path.join('evidence', name)))
      .concat((await readdir(path.join(scene.directory, 'audit'))).map((name) => path.join('audit', name)));
    for (const name of searched) {
      const content = await readFile(path.join(scene.directory, name), 'latin1').catch(() => '');
      const decoded = content.replaceAll(/"([A-Za-z0-9+/]{40,}=*)"/g, (_, text: string) =>
        Buffer.from(text, 'base64').toString('latin1'),
      );
      expect(jwt.exec(content)?.[0], name).toBeUndefined();
      expect(jwt.exec(decoded)?.[0], name).toBeUndefined();
    }
  });
});

test('a key that is planted in any of these places, in any encoding, is found there', async () => {
  const { privatePem } = await generateKeyPair('rsa-2048');
  const search = new PrivateKeySearch({ planted: privatePem });
  const key = createPrivateKey(privatePem);
  const der = key.export({ type: 'pkcs1', format: 'der' });
  const jwk = key.export({ format: 'jwk' });
  const foundIn = async () => Object.keys(await search.findInFolder(scene.directory));
  expect(await foundIn()).toEqual([]);

  // By way of Temporal: what runs shows the heartbeat and the error; what has ended, the input and the reason.
  const planted = {
    inInput: privatePem,
    inHeartbeat: { p: jwk.p },
    inError: `cannot use ${der.toString('base64')}`,
    inReason: der.toString('hex').slice(der.length),
  };
  const holds = (told: unknown) => search.find(JSON.stringify(told)).length > 0;
  const runId = await leak(scene.client, scene.temporal.address, planted, (pending) => {
    const heartbeats = pending.map(({ heartbeatDetails }) => heartbeatDetails);
    return holds(heartbeats) && holds(pending.map(({ lastFailure }) => lastFailure));
  });
  await evidence.keepHistories(scene.client);
  const evidenceOfLeak = (await foundIn()).filter((file) => file.includes(runId));
  expect(evidenceOfLeak).toContainEqual(expect.stringMatching(/^evidence\/history-/));
  expect((await foundIn()).filter((file) => file.startsWith('temporal/temporal.db'))).not.toEqual([]);

  // As files: one form in each.
  const [audit] = await readdir(path.join(scene.directory, 'audit'));
  const [apiServerLog] = (await readdir(path.join(scene.directory, 'control-plane/node-2/logs'))).filter((name) =>
    name.startsWith('kube-apiserver'),
  );
  const places: Readonly<Record<string, string | Buffer>> = {
    'worker.log': JSON.stringify({ error: privatePem }),
    'temporal/temporal.log': der.toString('base64'),
    [`audit/${audit}`]: JSON.stringify(jwk),
    'evidence/metrics.txt': der.toString('hex'),
    'evidence/notifications.json': `"${Buffer.from(JSON.stringify(jwk)).toString('base64')}"`,
    'evidence/command-doctor.txt': String(BigInt(`0x${Buffer.from(jwk.q ?? '', 'base64url').toString('hex')}`)),
    'evidence/process-worker-cmdline': `--key=${jwk.d?.slice(100)}`,
    'evidence/process-worker-environ': `KEY=${JSON.stringify([...der.subarray(700)])}`,
    'tmp/left-over': der.subarray(der.length / 2),
    [`control-plane/node-2/logs/${apiServerLog}`]: `"data":{"key":"${Buffer.from(privatePem).toString('base64')}"}`,
  };
  for (const [file, content] of Object.entries(places)) await appendFile(path.join(scene.directory, file), content);
  expect(await foundIn()).toEqual(expect.arrayContaining(Object.keys(places)));
});

describe('the rights under which they ran', () => {
  let requests: readonly AuditedRequest[];
  let grants: readonly Grant[];
  beforeAll(async () => {
    requests = await readAuditedRequests(scene.controlPlane, 'keyturn');
    grants = (await Promise.all(RIGHTS.map(readGrants))).flat();
  });

  /** What every user may do (system:basic-user): ask what it may do. */
  const isOwnReview = ({ objectRef }: AuditedRequest) => objectRef?.resource === 'selfsubjectaccessreviews';

  test('are those of deploy/ and no others: each request is one that they grant', () => {
    expect(requests.length).toBeGreaterThan(300);
    const others = requests.filter(
      (request) => !isOwnReview(request) && !grants.some((grant) => grant.covers(request)),
    );
    expect(others.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  });

  test('are needed: each that deploy/ grants was used', () => {
    const unused = grants.filter((grant) => !requests.some((request) => grant.covers(request))).map(({ text }) => text);
    expect(unused).toEqual([
      // Controller managers are asked at their own addresses here; where kubelets are, test/kubelet/rotation.test.ts asks those.
      'get pods in kube-system',
      // There was no legacy token, so that nobody had to be looked for who mounts one.
      'list pods',
      'list serviceaccounts',
      'list deployments.apps',
      'list statefulsets.apps',
      'list daemonsets.apps',
      'list cronjobs.batch',
      'get replicasets.apps',
      'get jobs.batch',
      // `keyturn keys rewrap` alone does it.
      'update secrets in keyturn-keys',
    ]);
  });

  test('suffice: whatever was forbidden was allowed another time', () => {
    // An API server that has just started forbids everything for a moment, until it has read its rules.
    const shape = ({ verb, requestURI }: AuditedRequest) => `${verb} ${requestURI}`;
    const isForbidden = ({ responseStatus }: AuditedRequest) => responseStatus?.code === 403;
    const allowed = new Set(requests.filter((request) => !isForbidden(request)).map(shape));
    expect(requests.filter((request) => isForbidden(request) && !allowed.has(shape(request))).map(shape)).toEqual([]);
  });
});
