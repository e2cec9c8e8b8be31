// Probe pods on real kubelets: exec for the token, and kubelet's own refresh of it after the keys were changed. Kubernetes grants no token for less
// than 10 minutes, and kubelet replaces it at 80 % of that: the test takes about ten minutes, most of them waiting.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { ClusterAdapters } from '../../src/activities/cluster-adapters.ts';
import { provePodRefresh, startProbePod, verifyWithPod } from '../../src/activities/probe-pod-steps.ts';
import type { StepContext, StepOutcome } from '../../src/activities/step-frame.ts';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { execInPod } from '../../src/api-servers/pod-exec.ts';
import { applyManifest } from '../../src/demo/control-plane/apply-manifest.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { KeyturnError } from '../../src/errors.ts';
import { kidsOf } from '../../src/jwks/jwks.ts';
import { KubeProbePods, type KubeProbePodsOptions } from '../../src/probe-pods/kube-probe-pods.ts';
import type { RecordWithNext } from '../../src/rotation/record.ts';
import { describeOnKubelet, openBed, type TemporaryBed } from '../fixtures/kubelet-bed.ts';
import { unfinishedRecord } from '../rotation/observed-cluster.ts';

const MINUTE_MS = 60_000;
const ISSUER = 'https://issuer.invalid/oidc';

describeOnKubelet('a probe pod on real kubelets', () => {
  let temporary: TemporaryBed;
  let admin: KubeClient;
  let pods: KubeProbePods;
  let record: RecordWithNext;
  const said: string[] = [];

  beforeAll(async () => {
    temporary = await openBed({ issuer: ISSUER, apiServerGracePeriodSeconds: 2 });
    const { bed } = temporary;
    await applyManifest(bed.adminKubeconfigPath, 'deploy/rbac-verification-pod.yaml');
    admin = new KubeClient(await loadKubeConfig(bed.adminKubeconfigPath));
    pods = await probePods({});
  });
  afterAll(async () => {
    await temporary?.close();
  });

  /** As the user `keyturn`, with the rights of the two files under deploy/. */
  async function probePods(overrides: Partial<KubeProbePodsOptions>): Promise<KubeProbePods> {
    const { bed } = temporary;
    const kubeConfig = await loadKubeConfig(bed.keyturnKubeconfigPath);
    return new KubeProbePods({
      cluster: 'bed',
      image: bed.shellImage,
      namespace: 'keyturn-verify',
      audience: 'api://outside',
      tokenLifetimeMs: 10 * MINUTE_MS,
      awaitRefresh: true,
      labels: { 'azure.workload.identity/use': 'true' },
      annotations: { 'azure.workload.identity/client-id': 'dummy' },
      nodeSelector: { 'kubernetes.io/hostname': 'node-2' },
      tolerations: [{ operator: 'Exists' }],
      imagePullSecrets: [],
      client: new KubeClient(kubeConfig),
      exec: (command) => execInPod(kubeConfig, command),
      ...overrides,
    });
  }

  const publishedBy = async (url: string): Promise<readonly string[]> =>
    kidsOf(await admin.at(url).read('/openid/v1/jwks'), url);

  /** The steps' surroundings; the public JWKS is what the API servers publish. */
  function context(): StepContext {
    const fetchJwks = async () =>
      new Response(await admin.read('/openid/v1/jwks'), { headers: { 'content-type': 'application/json' } });
    const publicIssuer = { jwksUrl: `${ISSUER}/openid/v1/jwks`, discoveryUrl: ISSUER, fetch: fetchJwks };
    return {
      adapters: { name: 'bed', issuer: ISSUER, publicIssuer, probePods: pods } as unknown as ClusterAdapters,
      input: {} as StepContext['input'],
      record,
      control: { signal: new AbortController().signal, report: (words) => said.push(words) },
      now: () => new Date().toISOString(),
      saveRecord: async (change) => {
        record = { ...record, ...change } as RecordWithNext;
      },
    };
  }
  /** Again and again while the error says that time may mend it, as Temporal does with an activity. */
  async function retried<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof KeyturnError) || !error.retryable) throw error;
        said.push(error.message);
        await sleep(2000);
      }
    }
  }
  async function run(step: (each: StepContext) => Promise<StepOutcome>): Promise<StepOutcome> {
    const outcome = await retried(() => step(context()));
    said.push(outcome.proof);
    return outcome;
  }

  /** New content of a node's key files, which its API server reads when its manifest's annotation makes it restart. */
  async function restartWith(
    node: number,
    files: Readonly<Record<string, string>>,
    isDone: (url: string) => Promise<boolean>,
  ) {
    const { pkiDirectory, manifestsDirectory, directory, apiServerUrl } = temporary.bed.nodes[node]!;
    for (const [name, content] of Object.entries(files)) await writeFile(join(pkiDirectory, name), content);
    const manifest = join(manifestsDirectory, 'kube-apiserver.yaml');
    const text = await readFile(manifest, 'utf8');
    const staged = join(directory, 'staged.yaml');
    await writeFile(
      staged,
      text.replace('metadata:\n  annotations:\n', `metadata:\n  annotations:\n    test/${Date.now()}: x\n`),
    );
    await rename(staged, manifest);
    const until = { timeout: 3 * MINUTE_MS, interval: 500 };
    await vi.waitFor(async () => expect(await isDone(apiServerUrl)).toBe(true), until);
  }

  /** Key of a token that this API server makes now. */
  async function signerOf(url: string): Promise<string> {
    const { body } = await admin.at(url).call({
      verb: 'create',
      path: '/api/v1/namespaces/keyturn/serviceaccounts/keyturn-probe/token',
      resource: 'serviceaccounts/token',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [] } },
    });
    const { token } = (body as { status: { token: string } }).status;
    return (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid;
  }

  it(
    'holds a token of the former key, gets one of the new key from kubelet while it runs on, and leaves nothing',
    { timeout: 20 * MINUTE_MS },
    async () => {
      const { nodes } = temporary.bed;
      const [former] = await publishedBy(nodes[0]!.apiServerUrl);
      const next = await generateKeyPair('rsa-2048');
      record = unfinishedRecord({
        former: { kid: former!, alg: 'RS256', publicPem: '' },
        next: { kid: next.kid, alg: 'RS256' },
      });
      const startedAt = Date.now();
      expect(await run(startProbePod)).toMatchObject({ changed: true });
      const uid = record.probePod?.uid;
      expect(await run(startProbePod)).toMatchObject({ changed: false });

      // Every API server trusts both keys, then every one signs with the new one. The pod's token can be read all along, at worst after a while.
      const formerPublic = await readFile(join(nodes[0]!.pkiDirectory, 'sa.pub'), 'utf8');
      const both = { 'sa.pub': formerPublic + next.publicPem };
      for (const node of nodes.keys()) {
        await restartWith(node, both, async (url) => (await publishedBy(url)).includes(next.kid));
        const token = await retried(async () =>
          pods.readToken((await pods.find('abc', 'lasting'))!, context().control),
        );
        expect(token.kid).toBe(former);
      }
      for (const node of nodes.keys())
        await restartWith(node, { 'sa.key': next.privatePem }, async (url) => (await signerOf(url)) === next.kid);

      const verified = await run(verifyWithPod);
      expect(verified.proof).toContain(`got a token of ${next.kid}, which a relying party accepts`);
      // Where all this took less than 8 minutes, the pod's own token is still the former key's, and there is a wait.
      const isEarly = Date.now() - startedAt < 7 * MINUTE_MS;
      if (isEarly) expect(verified.podTokenSince).toBeDefined();

      // Fails for good where kubelet is later than it may be.
      const proven = await run(provePodRefresh);
      if (isEarly) expect(said.join('\n')).toContain(`still holds the token of ${former}`);
      const tookMs = Date.now() - startedAt;
      console.log(`kubelet brought the new key ${Math.round(tookMs / 1000)} s after the pod's start: ${proven.proof}`);
      expect(proven.proof).toContain(`holds a token of ${next.kid}`);
      expect(record.probePod?.uid).toBe(uid);
      // 80 % of 10 min, 10 s and 90 s, from the pod's start.
      expect(tookMs).toBeLessThan(580_000 + 30_000);
      for (const [path, name] of [
        ['pods', 'keyturn-verify-abc'],
        ['serviceaccounts', 'keyturn-verify'],
      ]) {
        const { body } = await admin.call({
          verb: 'list',
          path: `/api/v1/namespaces/keyturn-verify/${path}`,
          resource: path!,
        });
        expect(JSON.stringify((body as { items: unknown[] }).items)).not.toContain(`"name":"${name}`);
      }
      expect(said.join('\n')).not.toContain('eyJ');
    },
  );

  it('that cannot start is told in the words of kubelet, and is removed', { timeout: 5 * MINUTE_MS }, async () => {
    const broken = await probePods({ image: 'registry.invalid/not-there:1', startTimeoutMs: 30_000 });
    await expect(retried(() => broken.start('bad', 'fresh', context().control))).rejects.toMatchObject({
      code: 'PROBE_POD_UNREADY',
      details: { why: expect.stringMatching(/ImagePull/) },
    });
    await retried(() => broken.removeAll(context().control));
    expect(await retried(() => broken.leftovers())).toEqual([]);
  });

  it('whose kubelet is away is removed all the same', { timeout: 5 * MINUTE_MS }, async () => {
    const pod = await retried(() => pods.start('def', 'fresh', context().control));
    expect(pod.node).toBe('node-2');
    await temporary.bed.stopKubelet('node-2');
    await retried(() => pods.removeAll(context().control));
    expect(await retried(() => pods.leftovers())).toEqual([]);
    await temporary.bed.startKubelet('node-2');
  });
});
