// The watchdog of an agent pod: its own script, as a process of this machine, on real files.
import { chmod, chown, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256Of } from '../../../src/nodes/file-content.ts';
import type { PodNodeFiles } from '../../../src/nodes/pod/pod-node-files.ts';
import type { PutBack } from '../../../src/nodes/port.ts';
import { AgentScene } from './agent-scene.ts';

const isRoot = process.getuid?.() === 0;
const owner = isRoot ? { uid: 101, gid: 102 } : { uid: process.getuid!(), gid: process.getgid!() };

let scene: AgentScene;
let files: PodNodeFiles;
let manifest: string;
let key: string;
beforeEach(async () => {
  scene = await AgentScene.start({ nodes: ['node-1'] });
  files = scene.filesOf('node-1');
  manifest = join(scene.directory, 'manifests/kube-apiserver.yaml');
  key = join(scene.directory, 'pki/sa.key');
  await mkdir(join(scene.directory, 'pki'));
  await writeFile(manifest, 'new manifest');
  await writeFile(key, 'new key', { mode: 0o644 });
});
afterEach(() => scene.close());

const text = (path: string): Promise<string> => readFile(path, 'utf8');
const putBack = (path: string, content: string, written: string, mode = 0o600): PutBack => ({
  path,
  content,
  mode,
  ...owner,
  onlyIfSha256: sha256Of(written),
});
const bothFiles = () => [
  putBack(key, 'former key', 'new key'),
  putBack(manifest, 'former manifest', 'new manifest', 0o640),
];
/** All that lies about in the node's folder besides manifests and keys. */
const leftovers = async () => (await readdir(scene.directory)).filter((name) => !['manifests', 'pki'].includes(name));

test('what is not disarmed in time is put back, with mode and owner, while nobody can reach the node', async () => {
  await files.watchdog.arm(bothFiles(), 2000);
  expect(await text(manifest)).toBe('new manifest');
  scene.cluster.servers[0]!.way.cut();
  await expect.poll(() => text(manifest), { timeout: 15_000 }).toBe('former manifest');
  expect(await text(key)).toBe('former key');
  const { mode, uid, gid } = await stat(key);
  expect({ mode: mode & 0o777, uid, gid }).toEqual({ mode: 0o600, ...owner });
  expect((await stat(manifest)).mode & 0o777).toBe(0o640);
  scene.cluster.servers[0]!.way.restore();
  await expect.poll(() => files.watchdog.disarm(), { timeout: 15_000 }).toBe(false);
  expect(await leftovers()).toEqual([]);
  expect(await readdir(join(scene.directory, 'manifests'))).toEqual(['kube-apiserver.yaml']);
});

test('what is disarmed in time stays as it is, and nothing is left on the node', async () => {
  await files.watchdog.arm(bothFiles(), 3000);
  const folder = scene.watchdogFolder;
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(await files.watchdog.disarm()).toBe(true);
  expect(await leftovers()).toEqual([]);
  // Past the deadline: the watchdog has looked for something else that is armed later.
  await files.watchdog.arm([putBack(key, 'other', 'not there')], 3000);
  await expect.poll(() => leftovers(), { timeout: 15_000 }).toEqual(['keyturn-watchdog']);
  await expect.poll(() => readdir(folder), { timeout: 15_000 }).toEqual([]);
  expect([await text(manifest), await text(key)]).toEqual(['new manifest', 'new key']);
  expect(await files.watchdog.disarm()).toBe(false);
});

test('a file that another has changed meanwhile is left alone; the others are put back', async () => {
  await files.watchdog.arm(bothFiles(), 1000);
  await writeFile(key, "somebody else's");
  await expect.poll(() => text(manifest), { timeout: 15_000 }).toBe('former manifest');
  expect(await text(key)).toBe("somebody else's");
});

test('an agent whose container ends goes on where it was', async () => {
  await files.watchdog.arm(bothFiles(), 3000);
  scene.cluster.restartContainers();
  await expect.poll(() => text(manifest), { timeout: 15_000 }).toBe('former manifest');
  expect(await text(key)).toBe('former key');
});

test('one that died in the middle of putting back is completed by the next', async () => {
  await files.watchdog.arm(bothFiles(), 60_000);
  const folder = scene.watchdogFolder;
  for (const pod of scene.cluster.pods.values()) pod.process?.kill('SIGKILL');
  const [armed = ''] = await readdir(folder);
  // As far as it had come: it fires, and the first file is back.
  await rename(join(folder, armed), join(folder, `firing-${armed}`));
  await writeFile(key, 'former key');
  scene.cluster.restartContainers();
  await expect.poll(() => text(manifest), { timeout: 15_000 }).toBe('former manifest');
  await expect.poll(() => readdir(folder), { timeout: 15_000 }).toEqual([]);
});

test('what is armed anew takes the place of what was armed before', async () => {
  await files.watchdog.arm([putBack(manifest, 'long ago', 'new manifest')], 60_000);
  await files.watchdog.arm([putBack(manifest, 'former manifest', 'new manifest')], 5000);
  expect(await readdir(scene.watchdogFolder)).toHaveLength(1);
  await expect.poll(() => text(manifest), { timeout: 15_000 }).toBe('former manifest');
});

test('of disarming and putting back at the same moment exactly one happens', async () => {
  for (let round = 0; round < 4; round += 1) {
    await writeFile(manifest, 'new manifest');
    await files.watchdog.arm([putBack(manifest, 'former manifest', 'new manifest')], 1000);
    await new Promise((resolve) => setTimeout(resolve, 600 + round * 150));
    const inTime = await files.watchdog.disarm();
    const after = await text(manifest);
    expect(after).toBe(inTime ? 'new manifest' : 'former manifest');
    // And it stays so.
    await files.watchdog.arm([putBack(key, 'other', 'not there')], 1000);
    await expect.poll(() => readdir(scene.watchdogFolder), { timeout: 15_000 }).toEqual([]);
    expect(await text(manifest)).toBe(after);
  }
});

test('after a restart of the machine its time begins anew; what is long past is forgotten', async () => {
  await files.watchdog.arm([putBack(manifest, 'former manifest', 'new manifest')], 1_000_000);
  const [armed = ''] = await readdir(scene.watchdogFolder);
  const deadline = join(scene.watchdogFolder, armed, 'deadline');
  const [boot, at] = (await text(deadline)).split(' ');
  await writeFile(deadline, `another-boot 5 2\n`);
  await expect.poll(() => text(manifest), { timeout: 15_000 }).toBe('former manifest');
  await writeFile(manifest, 'new manifest');
  await files.watchdog.arm([putBack(manifest, 'former manifest', 'new manifest')], 1_000_000);
  const [again = ''] = await readdir(scene.watchdogFolder);
  const longPast = Number(at) - 1_000_000 / 1000 - 3700;
  if (longPast > 0) {
    await writeFile(join(scene.watchdogFolder, again, 'deadline'), `${boot} ${longPast} 1\n`);
    await expect.poll(() => readdir(scene.watchdogFolder), { timeout: 15_000 }).toEqual([]);
    expect(await text(manifest)).toBe('new manifest');
  }
});

test('an agent that does not watch is found out when it is armed', async () => {
  await files.list(scene.directory);
  for (const pod of scene.cluster.pods.values()) pod.process?.kill('SIGKILL');
  await expect(files.watchdog.arm(bothFiles(), 60_000)).rejects.toMatchObject({
    code: 'NODE_UNREACHABLE',
    subject: 'node-1',
    retryable: true,
    message: expect.stringContaining('the watchdog does not look'),
  });
  expect(await leftovers()).toEqual([]);
});

test.runIf(isRoot)('keys that belong to others are put back by an agent all the same', async () => {
  await chown(key, 1234, 1234);
  await chmod(key, 0o600);
  await files.watchdog.arm([putBack(key, 'former key', 'new key')], 1000);
  await expect.poll(() => text(key), { timeout: 15_000 }).toBe('former key');
});
