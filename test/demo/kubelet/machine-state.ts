// What a kubelet bed could change on this machine, and what it could leave behind.
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KubeletBed } from '../../../src/demo/kubelet/kubelet-bed.ts';

const run = promisify(execFile);
const namespaceKinds = ['net', 'mnt', 'pid', 'uts'] as const;

const sysctls = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
  'kernel/hostname',
  'net/ipv4/ip_forward',
];

/** Settings of the whole machine: kernel parameters and firewall rules. */
export async function readMachineSettings(): Promise<readonly string[]> {
  const parameters = sysctls.map(async (name) => `${name}=${await readFile(`/proc/sys/${name}`, 'utf8')}`);
  const { stdout } = await run('iptables-save');
  const rules = stdout.split('\n').filter((line) => line !== '' && !/^[#:]/.test(line));
  return [...(await Promise.all(parameters)), ...rules];
}

/** Namespaces of a bed's nodes, as the kernel numbers them. */
export async function namespacesOf(bed: KubeletBed): Promise<readonly string[]> {
  const files = namespaceKinds.map((kind) => `/proc/self/ns/${kind}`);
  const perNode = bed.nodes.map(async ({ name }) =>
    (await bed.exec(name, ['readlink', ...files])).stdout.trim().split('\n'),
  );
  return (await Promise.all(perNode)).flat();
}

/** Everything on the machine that bears the bed's id or folder or lives in one of the namespaces. */
export async function findRemains(
  id: string,
  directory: string,
  namespaces: readonly string[],
): Promise<readonly string[]> {
  const matching = (text: string): string[] =>
    text.split('\n').filter((line) => line.includes(`keyturn-${id}`) || line.includes(directory));
  const cgroups = await run('find', ['/sys/fs/cgroup', '-maxdepth', '2']);
  const links = await run('ip', ['-oneline', 'link']);
  const beds = await readdir('/run/keyturn-beds').catch(() => []);
  return [
    ...matching(await readFile('/proc/self/mounts', 'utf8')),
    ...matching(cgroups.stdout),
    ...matching(links.stdout),
    ...beds.filter((name) => name.includes(id)),
    ...(await processesIn(namespaces)),
  ];
}

async function processesIn(namespaces: readonly string[]): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const own = await Promise.all(
      namespaceKinds.map((kind) => readlink(join('/proc', pid, 'ns', kind)).catch(() => '')),
    );
    return own.some((namespace) => namespaces.includes(namespace)) ? [`process ${pid}`] : [];
  });
  return (await Promise.all(found)).flat();
}
