// The network of a bed: a switch in a namespace of its own, a link from the host to it, and one from each node.
import { randomInt } from 'node:crypto';
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../components/run-command.ts';
import { type GuardedProcess, startGuardedProcess } from '../guarded-process.ts';
import { runInNetworkOf } from './node-namespaces.ts';

/** The address of the API server's Service in a cluster with kubeadm's default service subnet. */
const serviceAddress = '10.96.0.1';
const apiServerPort = 6443;

/**
 * Frames between nodes stay in the switch's namespace: no firewall of the host sees them. Nodes have no way out but to the host's
 * address in the bed. Everything is gone when the switch's process is.
 */
export class BedNetwork {
  /** First three numbers of the /24, e.g. `172.29.7`. */
  readonly prefix: string;
  readonly #hostLink: string;
  #switch: GuardedProcess | undefined;

  /** @param bed a short id, part of the name of the host's link */
  constructor(bed: string, prefix: string) {
    this.prefix = prefix;
    this.#hostLink = hostLinkName(bed);
  }

  /** The host's address in the bed. */
  get hostAddress(): string {
    return `${this.prefix}.1`;
  }

  /** @param number from 1 on */
  nodeAddress(number: number): string {
    return `${this.prefix}.${10 + number}`;
  }

  async start(directory: string): Promise<void> {
    const command = [
      '--net',
      '--',
      'sh',
      '-c',
      'ip link set lo up && ip link add bridge up type bridge && exec sleep infinity',
    ];
    this.#switch = await startGuardedProcess('unshare', command, { logFile: join(directory, 'switch.log') });
    const { pid } = this.#switch;
    await waitForBridge(pid);
    await ip(['link', 'add', this.#hostLink, 'type', 'veth', 'peer', 'name', 'host', 'netns', String(pid)]);
    await runInNetworkOf(pid, ['ip', 'link', 'set', 'host', 'master', 'bridge', 'up']);
    await ip(['address', 'add', `${this.hostAddress}/24`, 'dev', this.#hostLink]);
    await ip(['link', 'set', this.#hostLink, 'up']);
  }

  async stop(): Promise<void> {
    await this.#switch?.stop(0);
    this.#switch = undefined;
    await removeHostLink(this.#hostLink);
  }

  /** Plugs a node in: `eth0` with its address, and the API server's Service, which leads to the node's own API server as kube-proxy might do. */
  async attach(name: string, number: number, initPid: number): Promise<void> {
    const address = this.nodeAddress(number);
    const inSwitch = (...words: readonly string[]): Promise<string> =>
      runInNetworkOf(this.#switchPid, ['ip', ...words]);
    const inNode = (...words: readonly string[]): Promise<string> => runInNetworkOf(initPid, words);
    // The same after each boot, since neighbours remember it.
    const mac = `02:4b:54:00:00:${number.toString(16).padStart(2, '0')}`;
    await inSwitch(
      'link',
      'add',
      name,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'address',
      mac,
      'netns',
      String(initPid),
    );
    await inSwitch('link', 'set', name, 'master', 'bridge', 'up');
    await inNode('ip', 'link', 'set', 'lo', 'up');
    await inNode('ip', 'address', 'add', `${serviceAddress}/32`, 'dev', 'lo');
    await inNode('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await inNode('ip', 'link', 'set', 'eth0', 'up');
    for (const chain of ['PREROUTING', 'OUTPUT']) {
      const match = ['-d', serviceAddress, '-p', 'tcp', '--dport', '443'];
      const target = ['-j', 'DNAT', '--to-destination', `${address}:${apiServerPort}`];
      await inNode('iptables', '-w', '-t', 'nat', '-A', chain, ...match, ...target);
    }
  }

  /** Pulls the node's cable. What runs in the node goes on, and still reaches itself. */
  async cut(name: string): Promise<void> {
    await runInNetworkOf(this.#switchPid, ['ip', 'link', 'set', name, 'down']);
  }

  async restore(name: string): Promise<void> {
    await runInNetworkOf(this.#switchPid, ['ip', 'link', 'set', name, 'up']);
  }

  get #switchPid(): number {
    if (this.#switch === undefined) throw new Error('the network of the bed is down');
    return this.#switch.pid;
  }
}

export function hostLinkName(bed: string): string {
  return `keyturn-${bed}`;
}

/** Settles when there is no such link, also where the kernel is removing it already. @throws Error where it stays */
export async function removeHostLink(name: string): Promise<void> {
  for (const giveUpAt = Date.now() + 10_000; await hasLink(name); await sleep(20)) {
    await ip(['link', 'delete', name]).catch((error: unknown) => {
      if (Date.now() > giveUpAt) throw error;
    });
  }
}

async function hasLink(name: string): Promise<boolean> {
  const links = JSON.parse(await runCommand('ip', ['-json', 'link'])) as readonly { readonly ifname: string }[];
  return links.some(({ ifname }) => ifname === name);
}

/** The first three numbers of a /24 of 172.16.0.0/12 that no route of this machine touches. @throws Error where every one is taken */
export async function findFreeSubnet(alsoTaken: readonly string[]): Promise<string> {
  const json = await runCommand('ip', ['-json', '-4', 'route', 'show', 'table', 'all']);
  const taken = (JSON.parse(json) as readonly { readonly dst?: string }[]).flatMap(({ dst }) => {
    return dst === undefined || dst === 'default' ? [] : [dst];
  });
  const ranges = [...taken, ...alsoTaken].map(addressRange);
  const first = randomInt(0x1000);
  for (let step = 0; step < 0x1000; step++) {
    const number = (first + step) % 0x1000;
    const prefix = `172.${16 + (number >> 8)}.${number & 0xff}`;
    const subnet = addressRange(`${prefix}.0/24`);
    if (ranges.every(({ low, high }) => high < subnet.low || low > subnet.high)) return prefix;
  }
  throw new Error('no free /24 in 172.16.0.0/12');
}

function addressRange(cidr: string): { readonly low: number; readonly high: number } {
  const [address = '', bits = '32'] = cidr.split('/');
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  const low = Math.floor(number / size) * size;
  return { low, high: low + size - 1 };
}

async function waitForBridge(pid: number): Promise<void> {
  const own = await readlink('/proc/self/ns/net');
  for (const giveUpAt = Date.now() + 10_000; Date.now() < giveUpAt; await sleep(20)) {
    // Until it has a namespace of its own, the process would show us the host's links.
    if ((await readlink(`/proc/${pid}/ns/net`).catch(() => own)) === own) continue;
    const isThere = await runInNetworkOf(pid, ['ip', 'link', 'show', 'bridge']).catch(() => undefined);
    if (isThere !== undefined) return;
  }
  throw new Error('the switch of the bed did not start, see switch.log');
}

async function ip(words: readonly string[]): Promise<void> {
  await runCommand('ip', words);
}
