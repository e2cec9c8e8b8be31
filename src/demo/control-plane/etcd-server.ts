// A single etcd on loopback, the store of the embedded control plane.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ReservedPort, reservePort } from '../free-port.ts';
import { type GuardedProcess, startGuardedProcess } from '../guarded-process.ts';

export interface EtcdServer {
  readonly url: string;
  /** SIGKILL; settles when the process is gone. The data stay. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data; settles when it is healthy. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** @throws Error where it is not healthy after 20 s */
export async function startEtcd(program: string, directory: string): Promise<EtcdServer> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [client, peer] = await Promise.all([reservePort(), reservePort()]);
  const url = `http://127.0.0.1:${client.port}`;
  const peerUrl = `http://127.0.0.1:${peer.port}`;
  const flags = {
    name: 'etcd',
    'data-dir': join(directory, 'data'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `etcd=${peerUrl}`,
    'log-level': 'warn',
    // The data need not survive a power cut.
    'unsafe-no-fsync': 'true',
  };
  const programArguments = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const logFile = join(directory, 'etcd.log');
  let etcd: GuardedProcess | undefined;
  const end = async (graceMs: number): Promise<void> => {
    await etcd?.stop(graceMs);
    etcd = undefined;
  };
  const start = async (): Promise<void> => {
    if (etcd !== undefined) return;
    etcd = await startGuardedProcess(program, programArguments, { logFile });
    await waitUntilHealthy(url, etcd);
  };
  const stop = async (): Promise<void> => {
    await end(2000);
    await releaseAll([client, peer]);
  };
  try {
    await start();
    return { url, start, stop, kill: () => end(0) };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function releaseAll(ports: readonly ReservedPort[]): Promise<void> {
  await Promise.all(ports.map((port) => port.release()));
}

async function waitUntilHealthy(url: string, etcd: GuardedProcess): Promise<void> {
  let isGone = false;
  void etcd.exited.then(() => (isGone = true));
  for (const giveUpAt = Date.now() + 20_000; Date.now() < giveUpAt && !isGone; await sleep(50)) {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(isGone ? 'etcd ended at once, see etcd.log' : 'etcd is not healthy after 20 s, see etcd.log');
}
