// getComponent: the order in which places are tried, and what is refused.
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Component, ComponentSource } from '../../../src/demo/components/component.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';

let directory: string;
let cacheDirectory: string;
let pathDirectory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-components-'));
  cacheDirectory = join(directory, 'cache');
  pathDirectory = join(directory, 'bin');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A program that prints a version. */
async function program(file: string, version: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho "frob version v${version}"\n`);
  await chmod(file, 0o755);
  return file;
}

function source(description: string, version: string | Error): ComponentSource & { calls: number } {
  return {
    description,
    calls: 0,
    async fetch(file) {
      this.calls++;
      if (version instanceof Error) throw version;
      await program(file, version);
    },
  };
}

function frob(...sources: readonly ComponentSource[]): Component {
  return {
    name: 'frob-server',
    version: '1.2.3',
    versionArguments: ['--version'],
    suits: (version) => version.startsWith('1.2.'),
    sources,
    remedy: 'Install frob 1.2.3',
  };
}

const environment = (extra: Record<string, string> = {}): Record<string, string> => ({ PATH: pathDirectory, ...extra });

describe('getComponent', () => {
  it('takes the program that the setting names, whatever its version, before the PATH', async () => {
    await program(join(pathDirectory, 'frob-server'), '1.2.3');
    const own = await program(join(directory, 'own'), '9.0.0');
    const options = { cacheDirectory, environment: environment({ KEYTURN_FROB_SERVER: own }) };
    expect(await getComponent(frob(), options)).toBe(own);
  });

  it('refuses a setting that names nothing, without looking elsewhere', async () => {
    await program(join(pathDirectory, 'frob-server'), '1.2.3');
    const options = { cacheDirectory, environment: environment({ KEYTURN_FROB_SERVER: '/nowhere/frob' }) };
    await expect(getComponent(frob(), options)).rejects.toMatchObject({
      code: 'COMPONENT_UNAVAILABLE',
      message:
        'KEYTURN_FROB_SERVER=/nowhere/frob does not exist. Set KEYTURN_FROB_SERVER to a working frob-server, or unset it',
    });
  });

  it('takes a program on the PATH whose version suits, before the cache and the sources', async () => {
    const onPath = await program(join(pathDirectory, 'frob-server'), '1.2.9');
    await program(join(cacheDirectory, 'frob-server-1.2.3', 'frob-server'), '1.2.3');
    const download = source('download', '1.2.3');
    expect(await getComponent(frob(download), { cacheDirectory, environment: environment() })).toBe(onPath);
    expect(download.calls).toBe(0);
  });

  it('passes over a program on the PATH of another version', async () => {
    await program(join(pathDirectory, 'frob-server'), '1.1.0');
    const cached = await program(join(cacheDirectory, 'frob-server-1.2.3', 'frob-server'), '1.2.3');
    expect(await getComponent(frob(), { cacheDirectory, environment: environment() })).toBe(cached);
  });

  it('fetches once, from the first source that works, and then uses the cache', async () => {
    const broken = source('download', new Error('no answer within 5 s'));
    const working = source('registry', '1.2.3');
    const options = { cacheDirectory, environment: environment() };
    const file = await getComponent(frob(broken, working), options);
    expect(file).toBe(join(cacheDirectory, 'frob-server-1.2.3', 'frob-server'));
    expect(await getComponent(frob(broken, working), options)).toBe(file);
    expect([broken.calls, working.calls]).toEqual([1, 1]);
    expect(await readdir(cacheDirectory)).toEqual(['frob-server-1.2.3']);
  });

  it('fetches once for callers that come at the same time', async () => {
    const slow = source('registry', '1.2.3');
    const options = { cacheDirectory, environment: environment() };
    const files = await Promise.all([1, 2, 3].map(() => getComponent(frob(slow), options)));
    expect(new Set(files).size).toBe(1);
    expect(slow.calls).toBe(1);
  });

  it('replaces a cached program that does not run any more', async () => {
    const cached = join(cacheDirectory, 'frob-server-1.2.3', 'frob-server');
    await mkdir(dirname(cached), { recursive: true });
    await writeFile(cached, 'truncated', { mode: 0o755 });
    const registry = source('registry', '1.2.3');
    expect(await getComponent(frob(registry), { cacheDirectory, environment: environment() })).toBe(cached);
    expect(registry.calls).toBe(1);
  });

  it('says everything that was tried and why it failed, and what to do', async () => {
    const onPath = await program(join(pathDirectory, 'frob-server'), '1.1.0');
    const sources = [
      source('official download https://frob.invalid/1.2.3', new Error('getaddrinfo ENOTFOUND frob.invalid')),
      source('registry', '1.2.2'),
    ];
    const failure = getComponent(frob(...sources), { cacheDirectory, environment: environment() });
    await expect(failure).rejects.toMatchObject({
      code: 'COMPONENT_UNAVAILABLE',
      subject: 'frob-server',
      message: [
        'No frob-server 1.2.3 to be had:',
        `  - PATH: ${onPath} has version 1.1.0, wanted is 1.2.3`,
        `  - cache: ${cacheDirectory}/frob-server-1.2.3/frob-server does not exist`,
        '  - official download https://frob.invalid/1.2.3: getaddrinfo ENOTFOUND frob.invalid',
        '  - registry: what came has version 1.2.2, wanted is 1.2.3',
        'Install frob 1.2.3, or set KEYTURN_FROB_SERVER to the path of the program',
      ].join('\n'),
    });
    expect(await readdir(cacheDirectory)).toEqual([]);
  });
});
