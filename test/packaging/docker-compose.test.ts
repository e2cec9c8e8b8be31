// The container files, as far as they can be proven without a container engine.
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeImageFolder, readDockerfile, readImageCommand } from './image-files.ts';

const run = promisify(execFile);
const projectRoot = join(import.meta.dirname, '..', '..');
const composeFile = join(projectRoot, 'docker-compose.yml');

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
}

interface Service {
  readonly image?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly configs?: readonly { readonly source: string }[];
  readonly volumes?: readonly (string | { readonly target: string; readonly read_only?: boolean })[];
}

const readCompose = async (): Promise<Compose> => parse(await readFile(composeFile, 'utf8')) as Compose;

/** Breaches of the Compose Specification's JSON Schema and of dclint's habits, as "rule: message". */
async function lint(file: string): Promise<readonly string[]> {
  const dclint = join(projectRoot, 'node_modules', '.bin', 'dclint');
  const config = join(import.meta.dirname, 'dclint.json');
  const args = [dclint, file, '--formatter', 'json', '--config', config];
  const { stdout } = await run(process.execPath, args).catch((error: unknown) => error as { readonly stdout: string });
  const reports = JSON.parse(stdout) as readonly {
    readonly messages: readonly { readonly rule: string; readonly message: string }[];
  }[];
  return reports.flatMap(({ messages }) => messages.map(({ rule, message }) => `${rule}: ${message}`));
}

describe('docker-compose.yml', () => {
  it('keeps the schema of the Compose Specification', async () => {
    expect(await lint(composeFile)).toEqual([]);
  });

  it('is checked by a schema that refuses what the specification does not know', async () => {
    expect(await lint(join(import.meta.dirname, 'misspelt-compose.yml'))).toContainEqual(
      expect.stringMatching(/^invalid-schema: .*additional properties/),
    );
  });

  it('pins every image to a full version', async () => {
    const { services } = await readCompose();
    const images = Object.values(services).flatMap(({ image }) => image ?? []);
    expect(images.length).toBeGreaterThan(0);
    for (const image of images) expect(image).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$/);
  });

  it('runs Temporal, its schema tool and its namespace tool in one version', async () => {
    const { services } = await readCompose();
    const versions = ['temporal', 'temporal-schema', 'temporal-namespace'].map(
      (name) => services[name]!.image!.split(':')[1],
    );
    expect(new Set(versions).size).toBe(1);
  });

  it('waits for health only where health is checked, and names only services, volumes and configs that exist', async () => {
    const { services, volumes, configs } = await readCompose();
    for (const service of Object.values(services)) {
      for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(services).toHaveProperty(name);
        if (condition === 'service_healthy') expect(services[name]!.healthcheck).toBeDefined();
      }
      for (const { source } of service.configs ?? []) expect(configs).toHaveProperty(source);
      for (const volume of service.volumes ?? []) {
        if (typeof volume === 'string' && !/^[./]/.test(volume)) expect(volumes).toHaveProperty(volume.split(':')[0]!);
      }
    }
  });

  it('publishes ports on the loopback address only', async () => {
    const { services } = await readCompose();
    for (const port of Object.values(services).flatMap(({ ports }) => ports ?? [])) {
      expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it.each(['temporal-schema-script', 'temporal-namespace-script'])('has a %s that a shell can read', async (name) => {
    const { configs } = await readCompose();
    // Compose turns $$ into $.
    const script = configs[name]!.content.replaceAll('$$', '$');
    await expect(run('sh', ['-n', '-c', script])).resolves.toMatchObject({ stderr: '' });
  });

  it('mounts keyturn.yaml read-only where the image looks for it', async () => {
    const { services } = await readCompose();
    const [, path] = /KEYTURN_CONFIG=(\S+)/.exec(await readDockerfile()) ?? [];
    expect(services['worker']!.volumes).toContainEqual(expect.objectContaining({ target: path, read_only: true }));
  });
});

describe('the Dockerfile', () => {
  let scratch: string;

  beforeAll(async () => {
    const folder = await makeImageFolder();
    scratch = folder;
    return () => rm(folder, { recursive: true, force: true });
  });

  it('starts a command that the build makes', async () => {
    const [program, ...args] = await readImageCommand();
    expect(program).toBe('node');
    const { stdout } = await run(process.execPath, [...args, '--help'], { cwd: scratch });
    expect(stdout).toContain('worker');
  });

  it('brings workflows that its worker can bundle', async () => {
    const workflowsPath = join(scratch, 'dist', 'workflows', 'index.js');
    const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
    expect(code).toContain('rotateSigningKey');
  });

  it('runs as another user than root, on the Node version that package.json pins', async () => {
    const dockerfile = await readDockerfile();
    const manifest = JSON.parse(await readFile(join(projectRoot, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, { readonly version: string }>>;
    };
    expect(dockerfile).toMatch(/^USER node$/m);
    const bases = [...dockerfile.matchAll(/^FROM node:(\S+)-bookworm-slim/gm)].map(([, version]) => version);
    expect(new Set(bases)).toEqual(new Set([manifest.packages['node_modules/node']!.version]));
  });

  it('copies only what .dockerignore lets into the build', async () => {
    const allowed = (await readFile(join(projectRoot, '.dockerignore'), 'utf8')).match(/(?<=^!).+/gm);
    const copies = [...(await readDockerfile()).matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from]) =>
      from!.split(' '),
    );
    expect(copies.filter((path) => !allowed?.includes(path))).toEqual([]);
  });
});
