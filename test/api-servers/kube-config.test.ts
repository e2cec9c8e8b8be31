// Loading a kubeconfig: every way in which it can be wrong gives one clear error, without quoting secrets.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { kubeConfigFor, loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { presentCredentials } from '../../src/api-servers/kube-credentials.ts';
import { KeyturnError } from '../../src/errors.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-kubeconfig-'));
  await writeFile(join(directory, 'ca.crt'), 'ca');
  await writeFile(join(directory, 'token'), 'secret-from-file\n');
});
afterAll(() => rm(directory, { recursive: true }));

async function write(text: string): Promise<string> {
  const path = join(directory, `${Math.random()}.yaml`);
  await writeFile(path, text);
  return path;
}

const good = `
apiVersion: v1
kind: Config
current-context: one
clusters:
- name: c
  cluster: {server: 'https://10.0.0.1:6443/', certificate-authority: ca.crt, tls-server-name: kubernetes}
contexts:
- name: one
  context: {cluster: c, user: u}
- name: two
  context: {cluster: c, user: by-file}
- name: dangling
  context: {cluster: c, user: gone}
users:
- name: u
  user: {token: secret-token}
- name: by-file
  user: {tokenFile: token}
`;

async function failure(path: string, context?: string): Promise<KeyturnError> {
  const error: unknown = await loadKubeConfig(path, context).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}

describe('loadKubeConfig', () => {
  test('takes the current context, with paths relative to the file', async () => {
    const kubeConfig = await loadKubeConfig(await write(good));
    expect(kubeConfig.getCurrentCluster()?.caFile).toBe(join(directory, 'ca.crt'));
    const { headers, tls } = await presentCredentials(kubeConfig);
    expect(headers).toEqual({ authorization: 'Bearer secret-token' });
    expect(tls.servername).toBe('kubernetes');
  });

  test('reads a tokenFile, which client-node alone ignores', async () => {
    const kubeConfig = await loadKubeConfig(await write(good), 'two');
    expect((await presentCredentials(kubeConfig)).headers).toEqual({ authorization: 'Bearer secret-from-file' });
  });

  test.each([
    ['is missing', async () => join(directory, 'none.yaml'), undefined, 'FILE_UNREADABLE', /none\.yaml: ENOENT/],
    ['is a directory', async () => directory, undefined, 'FILE_UNREADABLE', /EISDIR/],
    [
      'is not YAML',
      () => write('users:\n- token: "very-secret'),
      undefined,
      'CONFIG_INVALID',
      /is not YAML \(line 2\)/,
    ],
    ['is empty', () => write(''), undefined, 'CONFIG_INVALID', /is not a kubeconfig/],
    ['has no clusters', () => write('contexts: []\nusers: []'), undefined, 'CONFIG_INVALID', /clusters/],
    ['lacks the context', () => write(good), 'three', 'CONFIG_INVALID', /no context three; it has one, two, dangling/],
    [
      'has no current context',
      () => write(good.replace('current-context: one', '')),
      undefined,
      'CONFIG_INVALID',
      /current-context/,
    ],
    [
      'lacks the user',
      () => write(good),
      'dangling',
      'CONFIG_INVALID',
      /has no user gone, which context dangling names/,
    ],
    [
      'has a plain http server',
      () => write(good.replace('https:', 'http:')),
      undefined,
      'CONFIG_INVALID',
      /not an https URL/,
    ],
    [
      'names a missing CA',
      () => write(good.replace('ca.crt', 'no.crt')),
      undefined,
      'FILE_UNREADABLE',
      /no\.crt: ENOENT/,
    ],
    [
      'names a missing token file',
      () => write(good.replace('tokenFile: token', 'tokenFile: no')),
      'two',
      'FILE_UNREADABLE',
      /ENOENT/,
    ],
  ] as const)('refuses a file that %s', async (_, path, context, code, message) => {
    const error = await failure(await path(), context);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain('secret');
  });
});

describe('a client for one API server', () => {
  test('keeps credentials, authority and tls-server-name', async () => {
    const kubeConfig = await loadKubeConfig(await write(good));
    const derived = kubeConfigFor(kubeConfig, 'https://[::1]:6443/');
    expect(derived.getCurrentCluster()).toEqual({ ...kubeConfig.getCurrentCluster(), server: 'https://[::1]:6443' });
    expect((await presentCredentials(derived)).headers).toEqual({ authorization: 'Bearer secret-token' });
    expect(new KubeClient(kubeConfig).at('https://10.0.0.2:6443').url).toBe('https://10.0.0.2:6443');
  });

  test('refuses an address that is not https', async () => {
    const client = new KubeClient(await loadKubeConfig(await write(good)));
    expect(() => client.at('http://10.0.0.2:8080')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

test('a failing credential plugin is named, and what it printed is not repeated', async () => {
  const exec = `{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, args: ['-c', 'echo very-secret >&2; exit 1']}}`;
  const kubeConfig = await loadKubeConfig(await write(good.replace('{token: secret-token}', exec)));
  const error: unknown = await presentCredentials(kubeConfig).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('/bin/sh') as string });
  expect(JSON.stringify([(error as Error).message, (error as Error).cause])).not.toContain('secret');
});
