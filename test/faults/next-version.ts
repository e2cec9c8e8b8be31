// A second worker, of the next version of Keyturn, that takes over as an upgrade does: by Temporal's Worker Versioning.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { type GuardedProcess, startGuardedProcess } from '../../src/demo/guarded-process.ts';
import type { Scene } from '../integration/rotation-scene.ts';
import { preload } from './preload.ts';

const DEPLOYMENT = 'keyturn';
const BUILD_ID = '0.2.0-next';
const PATIENCE_MS = 90_000;
const WORKER_STOP_MS = 15_000;
const mainScript = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export class NextVersion {
  readonly #scene: Scene;
  #worker: GuardedProcess | undefined;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Settles when it is the current version: what is under way goes on with it, while the former worker still asks for work. */
  async takeOver(): Promise<void> {
    const { directory, configFile, processEnvironment } = this.#scene;
    const file = path.join(directory, 'keyturn-next.yaml');
    const config = parse(await readFile(configFile, 'utf8')) as object;
    await writeFile(file, stringify({ ...config, versioning: { deploymentName: DEPLOYMENT, buildId: BUILD_ID } }));
    this.#worker = await startGuardedProcess(process.execPath, [mainScript, 'worker'], {
      logFile: path.join(directory, 'worker-next.log'),
      environment: {
        ...processEnvironment,
        KEYTURN_CONFIG: file,
        NODE_OPTIONS: preload('next-version-worker.ts'),
      },
    });
    await this.#makeCurrent(BUILD_ID);
  }

  /** Back to the version without a name. Not while a rotation runs: that would be a downgrade. */
  async end(): Promise<void> {
    if (this.#worker === undefined) return;
    await this.#makeCurrent('');
    await this.#worker.stop(WORKER_STOP_MS);
    this.#worker = undefined;
  }

  /** The server knows a version once its worker has asked for work. */
  async #makeCurrent(buildId: string): Promise<void> {
    const { workflowService } = this.#scene.client;
    const request = { namespace: 'default', deploymentName: DEPLOYMENT, buildId, identity: 'test' };
    let last: unknown;
    for (const giveUpAt = Date.now() + PATIENCE_MS; Date.now() < giveUpAt; await sleep(200)) {
      try {
        await workflowService.setWorkerDeploymentCurrentVersion(request);
        return;
      } catch (error) {
        last = error;
      }
    }
    throw new Error(`the version "${buildId}" did not become the current one`, { cause: last });
  }
}
