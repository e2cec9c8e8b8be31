// Brings together what else a rotation leaves behind than files: what Temporal answers, metrics, notifications, what commands print.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { Client } from '@temporalio/client';
import { historyToText } from '../../replay/stored-history.ts';
import type { RotationHandle } from '../../../src/cli/temporal.ts';
import type { Scene } from '../rotation-scene.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const run = promisify(execFile);

export class Evidence {
  readonly directory: string;
  readonly #scene: Scene;

  private constructor(scene: Scene) {
    this.#scene = scene;
    this.directory = path.join(scene.directory, 'evidence');
  }

  static async open(scene: Scene): Promise<Evidence> {
    const evidence = new Evidence(scene);
    await mkdir(evidence.directory);
    return evidence;
  }

  async keep(name: string, content: unknown): Promise<void> {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(path.join(this.directory, name.replaceAll('/', '-')), text);
  }

  /** As `temporal workflow show --output json` of every workflow, and all else that the server says about each. */
  async keepHistories(client: Client): Promise<number> {
    let count = 0;
    for await (const { workflowId, runId } of client.workflow.list()) {
      count += 1;
      const handle = client.workflow.getHandle(workflowId, runId);
      await this.keep(`history-${workflowId}-${runId}.json`, historyToText(await handle.fetchHistory()));
      await this.keep(`description-${workflowId}-${runId}.json`, (await handle.describe()).raw);
    }
    return count;
  }

  /** What heartbeats, retries and queries show while it runs, every quarter of a second. */
  async follow(handle: RotationHandle, signal: AbortSignal): Promise<{ heartbeats: number }> {
    const seen = new Set<string>();
    let heartbeats = 0;
    while (!signal.aborted) {
      const description = await handle.describe().catch(() => undefined);
      for (const pending of description?.raw.pendingActivities ?? []) {
        const text = JSON.stringify(pending);
        if (pending.heartbeatDetails?.payloads?.length && !seen.has(text)) heartbeats += 1;
        seen.add(text);
      }
      await sleep(250, undefined, { signal }).catch(() => undefined);
    }
    await this.keep(`pending-${randomUUID()}.jsonl`, [...seen].join('\n'));
    return { heartbeats };
  }

  /** Output and errors of a command, as users run it. With `--json` errors have their details, too. */
  async keepCommand(name: string, ...words: readonly string[]): Promise<string> {
    const env = { ...process.env, ...this.#scene.processEnvironment };
    const outcome = await run(process.execPath, [main, ...words], { env }).catch(
      (error: unknown) => error as Awaited<ReturnType<typeof run>>,
    );
    const text = [outcome.stdout, outcome.stderr].map(String).join('\n');
    await this.keep(`command-${name}.txt`, text);
    return text;
  }

  /** What every user of the machine, or root, sees of the process. */
  async keepProcess(name: string, pid: number): Promise<void> {
    for (const what of ['cmdline', 'environ']) {
      await this.keep(`process-${name}-${what}`, await readFile(`/proc/${pid}/${what}`, 'latin1'));
    }
  }
}
