// The runner's promises, with shell scripts for programs. The real programs run in control-plane.test.ts.
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StaticPodRunner } from '../../../src/demo/control-plane/static-pod-runner.ts';

let directory: string;
let manifests: string;
let runner: StaticPodRunner;
let events: { kind: string; pod: string; at: number }[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-pods-'));
  manifests = join(directory, 'manifests');
  await mkdir(manifests);
  events = [];
  runner = new StaticPodRunner({
    manifestsDirectory: manifests,
    logsDirectory: join(directory, 'logs'),
    programs: {
      sleeper: await program('sleeper', 'echo "$@"; while true; do sleep 0.05; done'),
      stubborn: await program('stubborn', 'trap "" TERM; while true; do sleep 0.05; done'),
      crasher: await program('crasher', 'exit 3'),
    },
    relistMs: 60_000,
    backOff: { firstMs: 100, longestMs: 400, forgottenAfterMs: 10_000 },
    onEvent: (event) => events.push(event),
  });
  await runner.start();
});
afterEach(async () => {
  await runner.stop();
  await rm(directory, { recursive: true, force: true });
});

async function program(name: string, body: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, `#!/bin/sh\n${body}\n`);
  await chmod(file, 0o755);
  return file;
}

const pod = (name: string, command: string, graceSeconds = 1): string =>
  `kind: Pod\nmetadata:\n  name: ${name}\nspec:\n  terminationGracePeriodSeconds: ${graceSeconds}\n  containers:\n  - command: ${command}\n`;
/** As an atomic editor does. */
const put = async (file: string, text: string): Promise<void> => {
  await writeFile(join(directory, 'new'), text);
  await rename(join(directory, 'new'), join(manifests, file));
};
const pidOf = (name: string): number | undefined => runner.process(name)?.pid;
const untilRunning = (name: string): Promise<number> =>
  vi.waitFor(() => {
    const pid = pidOf(name);
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }, 5000);
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

describe('StaticPodRunner', () => {
  it('starts a pod when its manifest appears and stops it when the manifest goes', async () => {
    await put('a.yaml', pod('a', '[sleeper, one]'));
    const pid = await untilRunning('a');
    await rm(join(manifests, 'a.yaml'));
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 5000);
    expect(pidOf('a')).toBeUndefined();
  });

  it('restarts only the pod whose manifest says something else', async () => {
    await put('a.yaml', pod('a', '[sleeper, one]'));
    await put('b.yaml', pod('b', '[sleeper, one]'));
    const [a, b] = [await untilRunning('a'), await untilRunning('b')];
    await put('a.yaml', pod('a', '[sleeper, two]'));
    await vi.waitFor(
      async () => expect(await readFile(join(directory, 'logs', 'a.log'), 'utf8')).toBe('one\ntwo\n'),
      5000,
    );
    expect(pidOf('a')).not.toBe(a);
    expect(pidOf('b')).toBe(b);
  });

  it('goes on with the running pod when only a comment changes', async () => {
    await put('a.yaml', pod('a', '[sleeper, one]'));
    const pid = await untilRunning('a');
    await put('a.yaml', `# a comment\n${pod('a', '[sleeper, one]')}`);
    await settle();
    expect(pidOf('a')).toBe(pid);
  });

  it('ignores names that start with a dot', async () => {
    await put('.b.yaml.swp', pod('b', '[sleeper]'));
    await settle();
    expect(pidOf('b')).toBeUndefined();
  });

  it('goes on with the former pod when its manifest cannot be read, and takes the next one that can', async () => {
    await put('a.yaml', pod('a', '[sleeper, one]'));
    const pid = await untilRunning('a');
    await put('a.yaml', 'kind: Pod\nmetadata:\n  name: a\n  name: a\n');
    await settle();
    expect(pidOf('a')).toBe(pid);
    await put('a.yaml', pod('a', '[sleeper, two]'));
    await vi.waitFor(() => expect(pidOf('a') ?? pid).not.toBe(pid), 5000);
  });

  it('starts a second pod for a second file with another pod name', async () => {
    await put('a.yaml', pod('a', '[sleeper]'));
    await put('a.yaml.bak', pod('a-backup', '[sleeper]'));
    expect(await untilRunning('a')).not.toBe(await untilRunning('a-backup'));
  });

  it('ignores a second file with the same pod name', async () => {
    await put('a.yaml', pod('a', '[sleeper, one]'));
    const pid = await untilRunning('a');
    await put('b.yaml', pod('a', '[sleeper, two]'));
    await settle();
    expect(pidOf('a')).toBe(pid);
  });

  it('kills a process that outlives its grace period', async () => {
    await put('a.yaml', pod('a', '[stubborn]'));
    const pid = await untilRunning('a');
    await settle();
    await put('a.yaml', pod('a', '[stubborn, again]'));
    await vi.waitFor(() => expect(pidOf('a') ?? pid).not.toBe(pid), 5000);
    const [stopping, exited] = ['stopping', 'exited'].map((kind) => events.find((event) => event.kind === kind)!.at);
    expect(exited! - stopping!).toBeGreaterThanOrEqual(990);
    expect(exited! - stopping!).toBeLessThan(2000);
  });

  it('starts a process again that was killed', async () => {
    await put('a.yaml', pod('a', '[sleeper]'));
    const pid = await untilRunning('a');
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(pidOf('a') ?? pid).not.toBe(pid), 5000);
  });

  it('waits longer after each crash, and not at all for a new manifest', async () => {
    await put('a.yaml', pod('a', '[crasher]'));
    const starts = (): number[] => events.filter((event) => event.kind === 'started').map((event) => event.at);
    await vi.waitFor(() => expect(starts().length).toBeGreaterThanOrEqual(5), 5000);
    const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0] = starts();
    expect(second - first).toBeGreaterThanOrEqual(99);
    expect(third - second).toBeGreaterThanOrEqual(199);
    expect(fourth - third).toBeGreaterThanOrEqual(399);
    expect(fifth - fourth).toBeLessThan(790);

    const editedAt = Date.now();
    await put('a.yaml', pod('a', '[sleeper]'));
    await untilRunning('a');
    expect(Date.now() - editedAt).toBeLessThan(390);
  });

  it('says in its log what it did and what it ignored', async () => {
    await put('a.yaml', pod('a', '[unknown]'));
    await put('b.yaml', 'half: [');
    await vi.waitFor(async () => {
      const log = await readFile(join(directory, 'logs', 'runner.log'), 'utf8');
      expect(log).toContain('a: no program for unknown');
      expect(log).toContain('b.yaml: ignored, ');
    }, 5000);
  });

  it('ends every process at stop, also those that are frozen or ignore SIGTERM', async () => {
    await put('a.yaml', pod('a', '[stubborn]', 60));
    await put('b.yaml', pod('b', '[sleeper]', 60));
    const pids = [await untilRunning('a'), await untilRunning('b')];
    process.kill(pids[1]!, 'SIGSTOP');
    await runner.stop();
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
