// The story of the demo: bring everything up, let workloads run, rotate, show what happened, leave nothing running.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askRotation } from '../cli/ask-rotation.ts';
import { renderStatus } from '../cli/render-status.ts';
import { startRotation } from '../cli/rotate.ts';
import type { RotationHandle } from '../cli/temporal.ts';
import { readFlags } from '../platforms/static-pod/manifest-flags.ts';
import { createTrustingFetch } from '../publishers/trusting-fetch.ts';
import type { AuditRecord } from '../rotation/audit.ts';
import { startEnvironment, type Environment } from './environment.ts';
import { renderAudit, renderFlags } from './summary.ts';
import { startWorkloads } from './workloads.ts';

export interface DemoOptions {
  readonly directory: string;
  readonly rotations: number;
  readonly keep: boolean;
  /** On real nodes instead of the embedded control plane. */
  readonly kubelet: boolean;
  readonly signal: AbortSignal;
}

/** Shortened so that the demo ends in minutes; everything else is as in production. */
const POLICIES = {
  relyingPartyCache: '10s',
  drain: { policy: 'fixed', duration: '15s', allowShorter: 'demo: nobody waits a day for it' },
  probeInterval: '500ms',
  probeReload: '5s',
} as const;

const say = (text: string) => process.stdout.write(`${text}\n`);

/** True where every rotation completed and no token was rejected. */
export async function runDemo({ directory, rotations, keep, kubelet, signal }: DemoOptions): Promise<boolean> {
  say(
    'Keyturn demo: real kube-apiservers, kube-controller-managers and etcd, a real Temporal server, a real Blob server.',
  );
  say(
    'Shortened for the demo: relying parties hold the JWKS for 10 s instead of 1 h, the drain is 15 s instead of a day.\n',
  );
  if (kubelet)
    say(
      'Three real nodes, each with its own kubelet and containerd, made by kubeadm: an API server takes 35 to 50 s to restart.\n',
    );
  const environment = await startEnvironment({
    directory,
    policies: POLICIES,
    onProgress: say,
    ...(kubelet ? { kubelet: true } : {}),
  });
  try {
    signal.throwIfAborted();
    await environment.startWorker();
    const workloads = await startWorkloads(environment, { cacheMs: 10_000, intervalMs: 500, reloadAfterMs: 5_000 });
    say(`\nTemporal UI: ${environment.temporal.uiUrl}\n`);
    let succeeded = true;
    for (let turn = 1; turn <= rotations; turn += 1) {
      say(`Rotation ${turn} of ${rotations}\n\nBefore:\n${await describe(environment)}\n`);
      const audit = await rotate(environment, `demo, rotation ${turn}`, signal);
      say(`\nAfter:\n${await describe(environment)}\n\n${renderAudit(audit)}\n`);
      succeeded &&= audit.outcome === 'completed' && audit.probes?.rejected === 0;
    }
    if (keep) await stayUp(environment, signal);
    const seen = await workloads.stop();
    say(`Workloads of the demo itself: ${seen.checks} token checks, ${seen.rejected} rejected.`);
    return succeeded && seen.rejected === 0;
  } finally {
    await environment.stop();
  }
}

async function rotate(environment: Environment, reason: string, signal: AbortSignal): Promise<AuditRecord> {
  const handle = await startRotation(environment.client, 'keyturn', {
    cluster: environment.cluster,
    reason,
    requestedBy: 'the demo',
  });
  const ended = new AbortController();
  const showing = showProgress(handle, AbortSignal.any([signal, ended.signal]));
  try {
    const result = handle.result();
    const interruption = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason as Error)),
    );
    return await Promise.race([result, interruption]);
  } finally {
    ended.abort();
    await showing;
  }
}

/** On a terminal a live view; otherwise a line whenever the phase or a wait changes. */
async function showProgress(handle: RotationHandle, signal: AbortSignal): Promise<void> {
  let height = 0;
  let told = '';
  while (!signal.aborted) {
    const answer = await askRotation(handle).catch(() => null);
    const status = answer?.status ?? null;
    if (answer !== null && status !== null && process.stdout.isTTY) {
      const text = renderStatus(answer, Date.now());
      process.stdout.write(`${height > 0 ? `\x1b[${height}A\x1b[J` : ''}${text}\n`);
      height = text.split('\n').length;
    } else if (status !== null) {
      const running = status.steps.find(({ state }) => state === 'running');
      const line = `${status.phase}: ${status.held?.message ?? status.wait?.reason ?? running?.summary ?? status.state}`;
      if (line !== told) say(`  ${line}`);
      told = line;
    }
    await sleep(500, undefined, { signal }).catch(() => undefined);
  }
}

async function describe({ controlPlane, blobStore }: Environment): Promise<string> {
  const manifests = await Promise.all(
    controlPlane.nodes.map(async ({ name, manifestsDirectory }) => {
      const file = path.join(manifestsDirectory, 'kube-apiserver.yaml');
      const source = await readFile(file, 'utf8');
      return { node: name, flags: readFlags({ source, component: 'kube-apiserver', subject: file }) };
    }),
  );
  const fetchPublic = createTrustingFetch(await readFile(blobStore.caPath, 'utf8'));
  const jwks = await (await fetchPublic(`${blobStore.containerUrl}/openid/v1/jwks`)).text();
  return renderFlags(manifests, jwks);
}

async function stayUp(environment: Environment, signal: AbortSignal): Promise<void> {
  const variables = Object.entries(environment.processEnvironment).map(([name, value]) => `export ${name}='${value}'`);
  say('Everything stays up until Ctrl-C. In another terminal, in this folder:\n');
  say(`${variables.join('\n')}\nexport KUBECONFIG='${environment.controlPlane.adminKubeconfigPath}'`);
  say('npm run keyturn -- rotate --reason "trying it out" && npm run keyturn -- watch\n');
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
