// Tells whether this machine can run a kubelet bed, and what a person has to do where it cannot.
import { open } from 'node:fs/promises';
import { platform } from 'node:os';
import { findOnPath } from '../components/find-on-path.ts';

/** Programs of the system that a bed needs, and the Debian or Ubuntu package that brings each. Other packages may bring it too. */
const packages = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  iptables: 'iptables',
  ip: 'iproute2',
  sshd: 'openssh-server',
  ssh: 'openssh-client',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  tar: 'tar',
} as const;

/** Where the packages put CNI plugins: Debian and Ubuntu, then everybody else. */
export const cniPluginDirectories = ['/usr/lib/cni', '/opt/cni/bin'] as const;

/**
 * One sentence for people, or undefined where a bed can run.
 * @param path where programs are looked for. Default: the PATH of this process
 */
export async function whyNoKubeletBed(path = process.env['PATH']): Promise<string | undefined> {
  if (platform() !== 'linux') return `A kubelet bed needs Linux; this is ${platform()}.`;
  if (process.getuid?.() !== 0) return 'A kubelet bed needs root: it makes namespaces, mounts and network links.';
  const missing = await findMissingPackages(path);
  if (missing.length === 0) return undefined;
  const list = missing.join(' ');
  return `A kubelet bed needs what is missing here: install ${list} (on Debian or Ubuntu: node scripts/install-bed-packages.ts).`;
}

/** Names of Debian and Ubuntu packages, sorted. */
export async function findMissingPackages(path = process.env['PATH']): Promise<readonly string[]> {
  const missing = new Set<string>();
  for (const [program, name] of Object.entries(packages)) {
    if ((await findOnPath(program, path)) === undefined) missing.add(name);
  }
  const busybox = await findOnPath('busybox', path);
  if (busybox === undefined || (await wantsLibraries(busybox))) missing.add('busybox-static');
  const plugin = await findOnPath('bridge', cniPluginDirectories.join(':'));
  if (plugin === undefined) missing.add('containernetworking-plugins');
  return [...missing].toSorted();
}

/** A program that is linked dynamically names its loader near its beginning. In an image of its own it would not start. */
async function wantsLibraries(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(8192), 0, 8192, 0);
    return /\/ld-(linux|musl)/.test(buffer.toString('latin1', 0, bytesRead));
  } finally {
    await handle.close();
  }
}
