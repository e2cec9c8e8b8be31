// The fake that simulations build on does what every NodeFiles does.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nodeFilesContract } from '../contract/node-files.ts';
import { FakeNodeFiles } from '../fakes/node-files.ts';

const run = promisify(execFile);

nodeFilesContract('the fake', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-node-files-'));
  return {
    files: new FakeNodeFiles('node-1', Date.now),
    directory,
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    shell: async (script) => (await run('sh', ['-c', script])).stdout,
    close: () => rm(directory, { recursive: true }),
  };
});
