// What rotations on real nodes have in common: a scene whose cluster is reached through agent pods and over ssh, and what must not be left.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { CoordinationV1Api, CoreV1Api, DiscoveryV1Api, KubeConfig } from '@kubernetes/client-node';
import { expect, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { RotationHandle } from '../../src/cli/temporal.ts';
import { askRotation } from '../../src/cli/ask-rotation.ts';
import { applyManifest } from '../../src/demo/control-plane/apply-manifest.ts';
import type { KubeletBed } from '../../src/demo/kubelet/kubelet-bed.ts';
import { startWorkloads } from '../../src/demo/workloads.ts';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import { pauseUpdate, resumeUpdate } from '../../src/workflows/messages.ts';
import { openScene, rotate, stepRuns, waitForStatus, type Scene } from '../integration/rotation-scene.ts';

const MINUTE_MS = 60_000;
const main = path.join(import.meta.dirname, '../../src/cli/main.ts');

type Fields = Readonly<Record<string, unknown>>;

/** The same cluster under four names, by how its nodes are reached and how keys change: in place is what is chosen by itself, since kubeadm made it. */
const WAYS = {
  demo: { access: 'pod', keyLayout: 'flags' },
  'pods-in-place': { access: 'pod' },
  'over-ssh': { access: 'ssh' },
  'ssh-flags': { access: 'ssh', keyLayout: 'flags' },
} as const;
export type Way = keyof typeof WAYS;

export interface NodesScene extends Scene {
  readonly bed: KubeletBed;
}

/** @param verification of the cluster `demo` */
export async function openNodesScene(verification: (bed: KubeletBed) => Fields): Promise<NodesScene> {
  const scene = await openScene({
    kubelet: { apiServerGracePeriodSeconds: 2 },
    policies: {
      probeInterval: '1s',
      // A node that reboots on a busy machine.
      readyTimeout: '5m',
      drain: { policy: 'fixed', duration: '15s', allowShorter: 'test' },
    },
  });
  const { bed } = scene;
  if (bed === undefined) throw new Error('asked for real nodes');
  await applyManifest(
    bed.adminKubeconfigPath,
    path.join(import.meta.dirname, '../../deploy/rbac-verification-pod.yaml'),
  );
  await configureWays(scene.configFile, bed, verification(bed));
  return { ...scene, bed };
}

/** A pod that is verified with, on node-2. */
export function withProbePod(bed: KubeletBed): Fields {
  return {
    // Kubernetes grants no shorter lifetime.
    pod: {
      image: bed.shellImage,
      tokenExpiration: '10m',
      nodeSelector: { 'kubernetes.io/hostname': 'node-2' },
      tolerations: [{ operator: 'Exists' }],
    },
  };
}

async function configureWays(file: string, bed: KubeletBed, verification: Fields): Promise<void> {
  const config = parse(await readFile(file, 'utf8')) as { clusters: { platform: Fields; policies: Fields }[] };
  const { pod, ...platform } = config.clusters[0]!.platform as Fields & { readonly pod: unknown };
  const clusters = Object.entries(WAYS).map(([name, way]) => ({
    ...config.clusters[0],
    name,
    platform: {
      ...platform,
      ...(way.access === 'pod' ? { pod } : { ssh: { configFile: bed.ssh.configFile } }),
      ...way,
    },
    // Long enough for a restart, and short enough to wait for one that does not come.
    policies: { ...config.clusters[0]!.policies, ...(name === 'over-ssh' ? { readyTimeout: '75s' } : {}) },
    ...(name === 'demo' ? { verification } : {}),
  }));
  await writeFile(file, stringify({ ...config, clusters }));
}

/** Starts a rotation, does to it what `disturb` does, and gives its audit record. The demo's own clients try tokens all the while. */
export async function rotateWhile(
  scene: NodesScene,
  cluster: Way,
  disturb: (handle: RotationHandle) => Promise<void>,
): Promise<AuditRecord> {
  const workloads = await startWorkloads(scene, { cacheMs: 2000, intervalMs: 500, reloadAfterMs: 2000 });
  const handle = await begin({ ...scene, cluster });
  try {
    await disturb(handle);
    return await handle.result();
  } finally {
    const seen = await workloads.stop();
    expect(seen.rejections).toEqual([]);
    expect(seen.rejected).toBe(0);
    expect(seen.checks).toBeGreaterThan(100);
  }
}

/** On a machine that is busy with other things an API server may not answer in time: Preflight refuses then, and is asked again. */
async function begin(scene: Scene): Promise<RotationHandle> {
  for (let attempt = 1; ; attempt += 1) {
    const handle = await rotate(scene);
    const refusal = handle.result().then(
      () => undefined,
      (error: unknown) => error as { readonly cause?: { readonly message?: string } },
    );
    const begun = untilStatus(handle, ({ phase }) => phase !== 'Preflight').then(() => 'begun' as const);
    begun.catch(() => undefined);
    const first = await Promise.race([begun, refusal]);
    if (first === 'begun' || attempt === 5 || !/cannot be reached|is not ready/.test(first?.cause?.message ?? ''))
      return handle;
  }
}

/** What a decision is sent with. */
export const because = (reason: string) => ({ args: [{ reason, by: 'test' }] as [{ reason: string; by: string }] });

/** Restarts take long here, and the machine has enough to do. */
export function untilStatus(
  handle: RotationHandle,
  isWanted: Parameters<typeof waitForStatus>[1],
): ReturnType<typeof waitForStatus> {
  return waitForStatus(handle, isWanted, 8 * MINUTE_MS, 500);
}

/** Disturbs a rotation while it pauses behind a step, so that no API server but the disturbed one is away. */
export async function betweenSteps(
  handle: RotationHandle,
  step: string,
  disturb: () => Promise<unknown>,
): Promise<void> {
  await untilStatus(handle, stepRuns(step));
  await handle.executeUpdate(pauseUpdate, because('somebody else is at work'));
  await untilStatus(handle, ({ state }) => state === 'paused');
  await disturb();
  await handle.executeUpdate(resumeUpdate, because('it is done'));
}

/** What an upgrade does on one node. */
export async function regenerateByKubeadm(bed: KubeletBed, node: string): Promise<void> {
  await bed.regenerateControlPlane(node);
  expect(await bed.regenerateSigningKey(node)).toContain('existing');
}

/** Waits until the rotation tells that it tries something again, for this reason. */
export async function waitForRetry(handle: RotationHandle, reason: RegExp): Promise<void> {
  await vi.waitFor(
    async () => {
      const { retrying } = await askRotation(handle);
      expect(retrying.map((each) => each.reason).join('\n')).toMatch(reason);
    },
    { timeout: 3 * MINUTE_MS, interval: 500 },
  );
}

export function coreApi(bed: KubeletBed): CoreV1Api {
  return adminConfig(bed).makeApiClient(CoreV1Api);
}

/** As the API servers say themselves: one that is gone is named for some seconds more. */
export async function apiServerAddresses(bed: KubeletBed): Promise<readonly string[]> {
  const slices = adminConfig(bed).makeApiClient(DiscoveryV1Api);
  const { endpoints } = await slices.readNamespacedEndpointSlice({ namespace: 'default', name: 'kubernetes' });
  return (endpoints ?? []).flatMap(({ addresses }) => addresses);
}

/** Node whose controller manager leads, and how often leadership has gone to another process. */
export async function leadershipOf(bed: KubeletBed): Promise<{ readonly node: string; readonly transitions: number }> {
  const leases = adminConfig(bed).makeApiClient(CoordinationV1Api);
  const lease = await vi.waitFor(
    () => leases.readNamespacedLease({ namespace: 'kube-system', name: 'kube-controller-manager' }),
    { timeout: MINUTE_MS, interval: 500 },
  );
  const { holderIdentity = '', leaseTransitions = 0 } = lease.spec ?? {};
  return { node: holderIdentity.split('_')[0]!, transitions: leaseTransitions };
}

export async function namespacesOf(bed: KubeletBed): Promise<readonly string[]> {
  const { items } = await coreApi(bed).listNamespace();
  return items.map(({ metadata }) => metadata!.name!).toSorted();
}

/** No agent, no probe pod, no ServiceAccount, no namespace that was not there before, and `keyturn doctor` finds nothing left. */
export async function expectNothingLeft(scene: NodesScene, namespaces: readonly string[]): Promise<void> {
  const core = coreApi(scene.bed);
  const podsIn = async (namespace: string) => (await core.listNamespacedPod({ namespace })).items;
  await vi.waitFor(
    async () => expect([...(await podsIn('keyturn-agents')), ...(await podsIn('keyturn-verify'))]).toEqual([]),
    { timeout: 3 * MINUTE_MS, interval: 500 },
  );
  const { items } = await core.listNamespacedServiceAccount({ namespace: 'keyturn-verify' });
  expect(items.map(({ metadata }) => metadata!.name)).toEqual(['default']);
  expect(await namespacesOf(scene.bed)).toEqual(namespaces);
  const findings = (await doctor(scene)).filter(({ level }) => level !== 'ok');
  expect(findings.filter(({ what }) => /agent pods|probe pods|permissions|nodes/.test(what))).toEqual([]);
}

async function doctor(scene: Scene): Promise<readonly { level: string; what: string; found: string }[]> {
  const run = promisify(execFile);
  const environment = { ...process.env, ...scene.processEnvironment };
  const options = { env: environment, maxBuffer: 10_000_000 };
  // It exits with 1 where anything at all is wrong; what it says is what counts here.
  const { stdout } = await run(process.execPath, [main, 'doctor', '--json'], options).catch(
    (error: unknown) => error as { stdout: string },
  );
  return JSON.parse(stdout) as readonly { level: string; what: string; found: string }[];
}

/** Start to end less declared waits, over what the components took to restart. */
export function tellFigures(how: string, { startedAt, endedAt, steps, waits, probes }: AuditRecord): void {
  const between = (from: string, until: string): number => Date.parse(until) - Date.parse(from);
  const activeMs = between(startedAt, endedAt) - waits.reduce((sum, { from, until }) => sum + between(from, until), 0);
  const restarts = steps.flatMap(({ restartMs = 0 }) => (restartMs > 0 ? [restartMs] : []));
  const restartMs = restarts.reduce((sum, ms) => sum + ms, 0);
  const seconds = (ms: number): string => (ms / 1000).toFixed(1);
  process.stdout.write(
    `Rotation ${how}: ${probes?.checks ?? 0} token checks, ${probes?.rejected ?? 0} rejected; active ${seconds(activeMs)} s ` +
      `over ${restarts.length} restarts of ${seconds(restartMs)} s in all: ${(activeMs / restartMs).toFixed(2)}\n`,
  );
}

function adminConfig(bed: KubeletBed): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(bed.adminKubeconfigPath);
  return config;
}
