// What a kubelet bed could change on this machine, and what it could leave behind.
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KubeletBed } from '../../../src/demo/kubelet/kubelet-bed.ts';

const run = promisify(execFile);
const registry = '/run/keyturn-beds';
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

/** The id of the bed in this folder, from what beds leave for one another. */
export async function findBedId(directory: string): Promise<string> {
  for (const name of await readdir(registry)) {
    const text = await readFile(join(registry, name), 'utf8').catch(() => '');
    if (text.includes(`"${directory}"`)) return name.replace('.json', '');
  }
  throw new Error(`no bed in ${directory}`);
}

/** Whatever on the machine bears the bed's id or folder, and processes that live in its namespaces or log into its folder. */
export async function findRemains(
  id: string,
  directory: string,
  namespaces: readonly string[] = [],
): Promise<readonly string[]> {
  const matching = (text: string): string[] =>
    text.split('\n').filter((line) => line.includes(`keyturn-${id}`) || line.includes(directory));
  const cgroups = await run('find', ['/sys/fs/cgroup', '-maxdepth', '2']);
  const links = await run('ip', ['-oneline', 'link']);
  const beds = await readdir(registry);
  return [
    ...matching(await readFile('/proc/self/mounts', 'utf8')),
    ...matching(cgroups.stdout),
    ...matching(links.stdout),
    ...beds.filter((name) => name.includes(id)),
    ...(await processesOf(directory, namespaces)),
  ];
}

async function processesOf(directory: string, namespaces: readonly string[]): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const links = [...namespaceKinds.map((kind) => `ns/${kind}`), 'fd/1'];
    const targets = await Promise.all(links.map((link) => readlink(join('/proc', pid, link)).catch(() => '')));
    const isOfBed = targets.some((target) => namespaces.includes(target) || target.startsWith(`${directory}/`));
    return isOfBed ? [`process ${pid}`] : [];
  });
  return (await Promise.all(found)).flat();
}
