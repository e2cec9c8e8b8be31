// Files of a node through its agent pod: the real exec over WebSockets, from API servers that the test plays.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeFilesContract } from '../../contract/node-files.ts';
import { AgentScene } from './agent-scene.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io']) {
  nodeFilesContract(`agent pods, ${protocol}`, async () => {
    const scene = await AgentScene.start({ protocol });
    const ways = scene.cluster.servers.map(({ way }) => way);
    const restore = () => ways.forEach((way) => way.restore());
    return {
      files: scene.filesOf('node-1'),
      directory: scene.directory,
      owner,
      ...(isRoot ? { otherOwner: { uid: 65534, gid: 65534 } } : {}),
      shell: async (script) => (await run('sh', ['-c', script])).stdout,
      vanish: () => {
        ways.forEach((way) => way.cut());
        return restore;
      },
      cutAfter: (bytes) => {
        ways.forEach((way) => way.cutAfter(bytes));
        return restore;
      },
      close: () => scene.close(),
    };
  });
}

describe('PodNodeFiles', () => {
  let scene: AgentScene;
  beforeEach(async () => {
    scene = await AgentScene.start();
  });
  afterEach(() => scene.close());

  test("the API servers of other nodes are asked first, and the node's own one when they are away", async () => {
    const files = scene.filesOf('node-2');
    const [first, own, third] = scene.cluster.servers;
    await files.list(scene.directory);
    expect([first!.execs.length, own!.execs.length, third!.execs.length]).toEqual([1, 0, 0]);
    first!.way.cut();
    await files.list(scene.directory);
    expect([own!.execs.length, third!.execs.length]).toEqual([0, 1]);
    third!.way.cut();
    await files.list(scene.directory);
    expect(own!.execs).toHaveLength(1);
    // Those that failed come last from now on, one of the node itself or not.
    first!.way.restore();
    third!.way.restore();
    await files.list(scene.directory);
    expect([first!.execs.length, own!.execs.length, third!.execs.length]).toEqual([1, 2, 1]);
  });

  test('an agent that was evicted is replaced by the next operation', async () => {
    const files = scene.filesOf('node-1');
    await files.write(`${scene.directory}/file`, 'text', { mode: 0o600, ...owner });
    scene.cluster.evictAll();
    scene.cluster.pods.clear();
    expect((await files.read(`${scene.directory}/file`))?.content).toBe('text');
    expect(scene.cluster.running()).toEqual(['node-1']);
  });

  test('a kubelet that does not let us in is told with the words of each API server, and may be tried again', async () => {
    const files = scene.filesOf('node-1');
    await files.list(scene.directory);
    scene.cluster.idleKubelets.add('node-1');
    await expect(files.list(scene.directory)).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      subject: 'node-1',
      retryable: true,
      message: expect.stringMatching(/https:\/\/127\.0\.0\.2.*error dialing backend/),
    });
  });

  test('what the agent does not see is refused instead of taken for absent', async () => {
    const files = scene.filesOf('node-1');
    for (const path of ['/etc/passwd', `${scene.directory}/../passwd`, `${scene.directory}-other/file`]) {
      await expect(files.read(path)).rejects.toMatchObject({ code: 'CONFIG_INVALID', subject: `node-1:${path}` });
    }
    expect(scene.cluster.running()).toEqual([]);
  });

  test('without the right to exec, the right is named', async () => {
    const files = scene.filesOf('node-1');
    await files.list(scene.directory);
    scene.cluster.refuseExec = true;
    await expect(files.list(scene.directory)).rejects.toMatchObject({
      code: 'API_SERVER_FORBIDDEN',
      message: expect.stringContaining('pods/exec keyturn-agents/'),
    });
  });
});
