// How kubelet beds end: one beside another, half-way up, and with their owner killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { catalog } from '../../../src/demo/components/catalog.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import type { BedPrograms } from '../../../src/demo/kubelet/bed-options.ts';
import { startKubeletBed } from '../../../src/demo/kubelet/kubelet-bed.ts';
import { probeHttps } from '../../../src/demo/https-probe.ts';
import { describeOnKubelet, openBed } from '../../fixtures/kubelet-bed.ts';
import { findBedId, findRemains, readMachineSettings } from './machine-state.ts';

const bedModule = new URL('../../../src/demo/kubelet/kubelet-bed.ts', import.meta.url).href;

describeOnKubelet('the end of a kubelet bed', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyturn-bed-ends-'));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('does not touch another bed', async () => {
    const [one, other] = await Promise.all([openBed({ nodes: 1 }), openBed({ nodes: 1 })]);
    try {
      expect(one.bed.id).not.toBe(other.bed.id);
      expect(one.bed.subnet).not.toBe(other.bed.subnet);
      await one.close();
      expect(await findRemains(one.bed.id, one.directory)).toEqual([]);
      expect(await probeHttps({ url: `${other.bed.loadBalancerUrl}/readyz`, caPem: undefined })).toBe(200);
      expect((await other.bed.exec('node-1', ['ctr', '--namespace', 'k8s.io', 'tasks', 'list'])).stdout).toContain(
        'RUNNING',
      );
    } finally {
      await other.close();
    }
  });

  it('comes by itself where a node cannot start, and leaves only logs', async () => {
    const folder = join(directory, 'broken');
    const settings = await readMachineSettings();
    const starting: { id?: Promise<string> } = {};
    const broken = startKubeletBed({
      directory: folder,
      programs: { ...(await programs()), kubelet: '/bin/false' },
      onProgress: (message) => {
        if (message.includes('kubeadm')) starting.id = findBedId(folder);
      },
    });
    await expect(broken).rejects.toThrow(/^node-\d did not become ready, see .*\/logs$/);
    expect(await findRemains((await starting.id)!, folder)).toEqual([]);
    await expect(access(join(folder, 'node-1', 'disk'))).rejects.toThrow('ENOENT');
    await access(join(folder, 'node-1', 'logs', 'kubelet.log'));
    expect(await readMachineSettings()).toEqual(settings);
  });

  it('takes every process along when its owner is killed; the next bed removes the rest', async () => {
    const folder = join(directory, 'killed');
    const script = `
      const { startKubeletBed } = await import(${JSON.stringify(bedModule)});
      await startKubeletBed({ directory: ${JSON.stringify(folder)}, nodes: 1 });
      console.log('up');
      setInterval(() => {}, 60_000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(owner.stdout, 'data');
    const id = await findBedId(folder);
    const processes = async () => (await findRemains(id, folder)).filter((what) => what.startsWith('process'));
    expect((await processes()).length).toBeGreaterThan(3);
    owner.kill('SIGKILL');
    await vi.waitFor(async () => expect(await processes()).toEqual([]), { timeout: 20_000, interval: 200 });
    expect(await findRemains(id, folder)).toContain(`${id}.json`);

    const next = await openBed({ nodes: 1 });
    try {
      expect(await findRemains(id, folder)).toEqual([]);
      await expect(access(folder)).rejects.toThrow('ENOENT');
    } finally {
      await next.close();
    }
  });
});

async function programs(): Promise<BedPrograms> {
  const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kubeadm'] as const;
  const found = await Promise.all(names.map(async (name) => [name, await getComponent(catalog[name])] as const));
  return Object.fromEntries(found) as unknown as BedPrograms;
}
