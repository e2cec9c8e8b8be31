// Which version of Keyturn this worker is, for Temporal's Worker Versioning.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkerDeploymentOptions } from '@temporalio/worker';
import type { Config } from '../config/schema.ts';
import { packageVersion } from './package-version.ts';

const sourceFolder = fileURLToPath(new URL('..', import.meta.url));
/** What is bundled as workflow code, as .dependency-cruiser.runtime.mjs holds it. */
const WORKFLOW_CODE = ['workflows', 'rotation', 'jwks'];

/**
 * Rotations outlive versions, so they go on with the newest (AUTO_UPGRADE) and `patched` keeps changed code replayable: pinned to the build
 * that started them, they would need that build's worker for a year.
 * Null where versioning is not configured: any worker then takes any task.
 */
export async function deploymentOf({
  versioning,
}: Pick<Config, 'versioning'>): Promise<WorkerDeploymentOptions | null> {
  if (versioning === undefined) return null;
  return {
    useWorkerVersioning: true,
    version: { deploymentName: versioning.deploymentName, buildId: versioning.buildId ?? (await defaultBuildId()) },
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  };
}

/** The command that lets this build take over: until then it gets nothing to do. */
export function currentVersionCommand({ version }: WorkerDeploymentOptions, namespace: string): string {
  const { deploymentName, buildId } = version;
  return `temporal worker deployment set-current-version --namespace ${namespace} --deployment-name ${deploymentName} --build-id ${buildId}`;
}

/** `0.1.0-3f2a9c01d4e5`: equal exactly where the workflow code is equal, wherever it is installed. */
export async function defaultBuildId(folder: string = sourceFolder): Promise<string> {
  const hash = createHash('sha256');
  for (const name of WORKFLOW_CODE) {
    const files = await readdir(path.join(folder, name), { recursive: true });
    for (const file of files.filter((each) => /(?<!\.d)\.[jt]s$/.test(each)).toSorted()) {
      hash.update(`${name}/${file}\0`).update(await readFile(path.join(folder, name, file)));
    }
  }
  return `${packageVersion()}-${hash.digest('hex').slice(0, 12)}`;
}
