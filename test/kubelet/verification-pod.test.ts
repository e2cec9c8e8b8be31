// Probe pods on real kubelets where something is in the way; test/kubelet/rotation.test.ts has one that is verified with, and refreshed.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { execInPod } from '../../src/api-servers/pod-exec.ts';
import { applyManifest } from '../../src/demo/control-plane/apply-manifest.ts';
import { KeyturnError } from '../../src/errors.ts';
import { KubeProbePods, type KubeProbePodsOptions } from '../../src/probe-pods/kube-probe-pods.ts';
import { describeOnKubelet, openBed, type TemporaryBed } from '../fixtures/kubelet-bed.ts';

const MINUTE_MS = 60_000;
const control = { signal: new AbortController().signal, report: () => undefined };

describeOnKubelet('a probe pod on real kubelets', () => {
  let temporary: TemporaryBed;
  let pods: KubeProbePods;

  beforeAll(async () => {
    temporary = await openBed({ issuer: 'https://issuer.invalid/oidc', apiServerGracePeriodSeconds: 2 });
    await applyManifest(temporary.bed.adminKubeconfigPath, 'deploy/rbac-verification-pod.yaml');
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

  /** Again and again while the error says that time may mend it, as Temporal does with an activity. */
  async function retried<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof KeyturnError) || !error.retryable) throw error;
        await sleep(2000);
      }
    }
  }

  it('that cannot start is told in the words of kubelet, and is removed', { timeout: 5 * MINUTE_MS }, async () => {
    const broken = await probePods({ image: 'registry.invalid/not-there:1', startTimeoutMs: 30_000 });
    await expect(retried(() => broken.start('bad', 'fresh', control))).rejects.toMatchObject({
      code: 'PROBE_POD_UNREADY',
      details: { why: expect.stringMatching(/ImagePull/) },
    });
    await retried(() => broken.removeAll(control));
    expect(await retried(() => broken.leftovers())).toEqual([]);
  });

  it('whose kubelet is away is removed all the same', { timeout: 5 * MINUTE_MS }, async () => {
    const pod = await retried(() => pods.start('def', 'fresh', control));
    expect(pod.node).toBe('node-2');
    await temporary.bed.stopKubelet('node-2');
    await retried(() => pods.removeAll(control));
    expect(await retried(() => pods.leftovers())).toEqual([]);
    await temporary.bed.startKubelet('node-2');
  });
});
