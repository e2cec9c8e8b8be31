// Tells whether this machine can run a kubelet bed, and what a person has to do where it cannot.
import { platform } from 'node:os';
import { findOnPath } from '../components/find-on-path.ts';

/** Programs of the system that a bed needs, and the Debian or Ubuntu package that brings each. */
const packages = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  busybox: 'busybox-static',
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
  const missing = new Set<string>();
  for (const [program, name] of Object.entries(packages)) {
    if ((await findOnPath(program, path)) === undefined) missing.add(name);
  }
  const plugin = await findOnPath('bridge', cniPluginDirectories.join(':'));
  if (plugin === undefined) missing.add('containernetworking-plugins');
  if (missing.size === 0) return undefined;
  const list = [...missing].toSorted().join(' ');
  return `A kubelet bed needs packages that are missing here: install ${list} (on Debian or Ubuntu: scripts/install-bed-packages).`;
}
