// What the integration tests share: an environment with short waits, rotations in it, and everything that a rotation may change.
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RotationInput } from '../../src/activities/contract.ts';
import { startRotation } from '../../src/cli/rotate.ts';
import type { RotationHandle } from '../../src/cli/temporal.ts';
import { startEnvironment, type Environment, type EnvironmentOptions } from '../../src/demo/environment.ts';
import type { RotationStatus } from '../../src/rotation/status.ts';
import { createTrustingFetch } from '../../src/publishers/trusting-fetch.ts';
import { statusQuery } from '../../src/workflows/messages.ts';

const SHORT_WAITS = {
  relyingPartyCache: '2s',
  drain: { policy: 'fixed', duration: '2s', allowShorter: 'test' },
  probeInterval: '250ms',
  probeReload: '2s',
  readyTimeout: '40s',
} as const;

export interface Scene extends Environment {
  readonly directory: string;
  close(): Promise<void>;
}

/** An environment with a worker, in a folder of its own that is removed at the end. */
export async function openScene(options: Omit<EnvironmentOptions, 'directory'> = {}): Promise<Scene> {
  const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-test-'));
  const environment = await startEnvironment({
    ...options,
    directory,
    policies: { ...SHORT_WAITS, ...options.policies },
  });
  return {
    ...environment,
    directory,
    close: async () => {
      await environment.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function rotate(scene: Scene, input: Omit<RotationInput, 'cluster'> = {}): Promise<RotationHandle> {
  return startRotation(scene.client, 'keyturn', {
    cluster: scene.cluster,
    reason: 'test',
    requestedBy: 'test',
    ...input,
  });
}

/** Polls the rotation's status until it is as wanted. */
export async function waitForStatus(
  handle: RotationHandle,
  isWanted: (status: RotationStatus) => boolean,
  timeoutMs = 180_000,
  pollMs = 100,
): Promise<RotationStatus> {
  const deadline = Date.now() + timeoutMs;
  let last: RotationStatus | undefined;
  while (Date.now() < deadline) {
    last = await handle.query(statusQuery).catch(() => last);
    if (last !== undefined && isWanted(last)) return last;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`not reached in ${timeoutMs} ms; last status: ${JSON.stringify(last, null, 2)}`);
}

export function stepRuns(id: string): (status: RotationStatus) => boolean {
  return ({ steps }) => steps.some((step) => step.id === id && step.state === 'running');
}

export interface FileState {
  readonly content: string;
  readonly mode: string;
}

/** Every file of every node's manifests and pki folders and whatever lies beside them, by `node/relative path`; logs excepted. */
export async function snapshotNodes({ controlPlane }: Scene): Promise<ReadonlyMap<string, FileState>> {
  const files = new Map<string, FileState>();
  for (const { name, directory } of controlPlane.nodes) {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath, entry.name);
      const relative = path.relative(directory, file);
      if (!entry.isFile() || relative.startsWith('logs')) continue;
      const mode = ((await stat(file)).mode & 0o777).toString(8);
      files.set(`${name}/${relative}`, { content: await readFile(file, 'utf8'), mode });
    }
  }
  return files;
}

export async function readPublicJwks({ blobStore }: Scene): Promise<{ kids: string[]; body: string }> {
  const fetch = createTrustingFetch(await readFile(blobStore.caPath, 'utf8'));
  const body = await (await fetch(`${blobStore.containerUrl}/openid/v1/jwks`)).text();
  const { keys } = JSON.parse(body) as { keys: { kid: string }[] };
  return { kids: keys.map(({ kid }) => kid), body };
}
