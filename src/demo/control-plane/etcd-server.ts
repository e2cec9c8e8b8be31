// An etcd on loopback, of one member or several: the store of the embedded control plane.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ReservedPort, reservePort } from '../free-port.ts';
import { type GuardedProcess, startGuardedProcess } from '../guarded-process.ts';

export interface Etcd {
  /** One of each member, as `--etcd-servers` wants them. */
  readonly urls: readonly string[];
  /** SIGKILL of that many members, the last ones, default all; settles when they are gone. The data stay. */
  kill(members?: number): Promise<void>;
  /** Starts what was killed, on the same ports and data; settles when every member is healthy. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface Member {
  readonly name: string;
  readonly directory: string;
  readonly client: ReservedPort;
  readonly peer: ReservedPort;
  process?: GuardedProcess | undefined;
}

/** @throws Error where a member is not healthy after 20 s; nothing is left running */
export async function startEtcd(program: string, directory: string, count = 1): Promise<Etcd> {
  const members = await Promise.all(Array.from({ length: count }, (_, index) => addMember(directory, index + 1)));
  const cluster = members.map(({ name, peer }) => `${name}=${urlOf(peer)}`).join();
  const start = async (): Promise<void> => {
    const missing = members.filter((member) => member.process === undefined);
    for (const member of missing) {
      const logFile = join(member.directory, 'etcd.log');
      member.process = await startGuardedProcess(program, argumentsOf(member, cluster), { logFile });
    }
    // A member is healthy only while most of them are there: all have been started first.
    await Promise.all(missing.map(waitUntilHealthy));
  };
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => end(member, 2000)));
    await Promise.all(members.flatMap(({ client, peer }) => [client.release(), peer.release()]));
  };
  const kill = async (killed = count): Promise<void> => {
    await Promise.all(members.slice(count - killed).map((member) => end(member, 0)));
  };
  try {
    await start();
    return { urls: members.map(({ client }) => urlOf(client)), start, stop, kill };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function addMember(directory: string, number: number): Promise<Member> {
  const name = `etcd-${number}`;
  await mkdir(join(directory, name), { recursive: true, mode: 0o700 });
  const [client, peer] = await Promise.all([reservePort(), reservePort()]);
  return { name, directory: join(directory, name), client, peer };
}

function argumentsOf({ name, directory, client, peer }: Member, cluster: string): readonly string[] {
  const flags = {
    name,
    'data-dir': join(directory, 'data'),
    'listen-client-urls': urlOf(client),
    'advertise-client-urls': urlOf(client),
    'listen-peer-urls': urlOf(peer),
    'initial-advertise-peer-urls': urlOf(peer),
    'initial-cluster': cluster,
    'log-level': 'warn',
    // The data need not survive a power cut.
    'unsafe-no-fsync': 'true',
  };
  return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
}

function urlOf({ port }: ReservedPort): string {
  return `http://127.0.0.1:${port}`;
}

async function end(member: Member, graceMs: number): Promise<void> {
  await member.process?.stop(graceMs);
  member.process = undefined;
}

async function waitUntilHealthy({ name, client, process: etcd }: Member): Promise<void> {
  let isGone = false;
  void etcd?.exited.then(() => (isGone = true));
  for (const giveUpAt = Date.now() + 20_000; Date.now() < giveUpAt && !isGone; await sleep(50)) {
    const answer = await fetch(`${urlOf(client)}/health`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(`${name} ${isGone ? 'ended at once' : 'is not healthy after 20 s'}, see its etcd.log`);
}
