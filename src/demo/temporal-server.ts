// A Temporal development server with its Web UI, on loopback.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { reservePort } from './free-port.ts';
import { type GuardedProcess, startGuardedProcess } from './guarded-process.ts';

export interface TemporalServerOptions {
  /** Path of the Temporal CLI. */
  readonly program: string;
  /** Gets `temporal.log`. Made where it is missing. */
  readonly directory: string;
  /** SQLite file in which everything is kept. Default: memory, all is lost with the process. */
  readonly databasePath?: string;
  /** Default `error`. */
  readonly logLevel?: 'debug' | 'error';
  /** Search attributes to register, by name, e.g. `{ KeyturnCluster: 'Keyword' }`. */
  readonly searchAttributes?: Readonly<Record<string, string>>;
}

export interface TemporalServer {
  /** `127.0.0.1:<port>`, the same after each `start`. */
  readonly address: string;
  readonly uiUrl: string;
  /** Starts it again after `stop`, on the same ports; settles when the namespace `default` is served. */
  start(): Promise<void>;
  /** Settles when the process is gone. Nothing happens if it is gone already. */
  stop(): Promise<void>;
  /** SIGKILL; settles when the process is gone. What is not in the database file is lost. */
  kill(): Promise<void>;
}

const readyTimeoutMs = 60_000;
const stopGraceMs = 5_000;

/** @throws Error where it is not ready after 60 s; nothing is left running */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  await mkdir(options.directory, { recursive: true });
  const [frontend, ui, metrics, http] = await Promise.all([reservePort(), reservePort(), reservePort(), reservePort()]);
  const flags = [
    ['--ip', '127.0.0.1'],
    ['--port', frontend.port],
    ['--ui-port', ui.port],
    ['--metrics-port', metrics.port],
    ['--http-port', http.port],
    ['--log-level', options.logLevel ?? 'error'],
    ...(options.databasePath === undefined ? [] : [['--db-filename', options.databasePath]]),
    ...Object.entries(options.searchAttributes ?? {}).map(([name, type]) => ['--search-attribute', `${name}=${type}`]),
  ];
  const programArguments = ['server', 'start-dev', '--ui-disable-news-fetch', ...flags.flat().map(String)];
  const logFile = join(options.directory, 'temporal.log');
  const address = `127.0.0.1:${frontend.port}`;
  let running: GuardedProcess | undefined;

  const end = async (graceMs: number): Promise<void> => {
    await running?.stop(graceMs);
    running = undefined;
  };
  const stop = (): Promise<void> => end(stopGraceMs);
  const start = async (): Promise<void> => {
    if (running !== undefined) return;
    // The CLI asks the user's own configuration for defaults, which must not reach into the demo.
    running = await startGuardedProcess(options.program, programArguments, { logFile, environment: cleanEnvironment });
    try {
      await waitUntilServing(address, running);
    } catch (error) {
      await stop();
      throw new Error(`The Temporal server did not start, see ${logFile}`, { cause: error });
    }
  };
  await start();
  return { address, uiUrl: `http://127.0.0.1:${ui.port}`, start, stop, kill: () => end(0) };
}

const cleanEnvironment = { TEMPORAL_CONFIG_FILE: '/dev/null', TEMPORAL_PROFILE: '' } as const;

async function waitUntilServing(address: string, server: GuardedProcess): Promise<void> {
  let isGone = false;
  void server.exited.then(() => (isGone = true));
  let lastError: unknown;
  for (const giveUpAt = Date.now() + readyTimeoutMs; Date.now() < giveUpAt && !isGone; await sleep(100)) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 1000 });
      try {
        await connection.withDeadline(Date.now() + 2000, () =>
          connection.workflowService.describeNamespace({ namespace: 'default' }),
        );
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      lastError = error;
    }
  }
  throw new Error(isGone ? 'it ended at once' : `not ready after ${readyTimeoutMs / 1000} s`, { cause: lastError });
}
