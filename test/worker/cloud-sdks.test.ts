// The SDKs of clouds are loaded only where they are configured: seen from the outside, in a process of its own.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

let directory: string;
let program: string;

const source = (file: string): string => pathToFileURL(join(import.meta.dirname, '..', '..', 'src', file)).href;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-sdks-'));
  program = join(directory, 'load.mjs');
  await writeFile(
    program,
    `import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    const name = /node_modules\\/(@aws-sdk|@azure|google-auth-library)\\//.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    return next(url, context);
  },
});
await import('${source('worker/run-worker.ts')}');
const { composePublisher } = await import('${source('worker/compose-publisher.ts')}');
const cluster = { issuer: 'https://issuer.example', publisher: JSON.parse(process.argv[2]) };
await composePublisher(cluster, { ca: undefined, resolve: (file) => file, client: { url: 'https://api.example' } });
process.stdout.write(JSON.stringify([...loaded]));
process.exit(0);
`,
  );
});

afterAll(() => rm(directory, { recursive: true, force: true }));

const paths = { jwksPath: 'keys.json', discoveryPath: 'd', cacheControl: 'no-cache' };

test.each([
  [
    'azure-blob',
    { container: 'https://account.blob.core.windows.net/oidc', credentials: { identity: 'default' }, ...paths },
    ['@azure'],
  ],
  ['s3', { bucket: 'oidc', region: 'eu-central-1', ...paths }, ['@aws-sdk']],
  ['gcs', { bucket: 'oidc', ...paths }, ['google-auth-library']],
  ['file', { directory: '/srv/www', ...paths }, []],
  ['api-server', {}, []],
])('a worker whose publisher is %s loads no other SDK', async (type, config, expected) => {
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify({ type, ...config })]);
  expect(JSON.parse(stdout)).toEqual(expected);
});
