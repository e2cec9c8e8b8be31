// A rotation that gkectl orders, on a stand-in command that is made from the documentation.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GkectlPlatform } from '../../../src/platforms/gkectl/gkectl.ts';
import type { PublicKey } from '../../../src/rotation/key.ts';
import { FakeApiServer } from '../../fakes/api-server.ts';
import { installGkectl, statusText, type GkectlStandIn } from '../../fixtures/gkectl-stand-in.ts';

const ROTATION = {
  rotationId: 'r1',
  startedAt: '2026-01-01T00:00:00Z',
  former: { kid: 'former', alg: 'RS256' } as PublicKey,
  next: null,
};
const CONFIG = 'apiVersion: onprem.cluster.gke.io/v1\nkind: UserCluster\ngkeOnPremVersion: 1.32.100-gke.1\n';

let directory: string;
let gkectl: GkectlStandIn;
let config: string;
let servers: readonly FakeApiServer[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-gkectl-'));
  gkectl = await installGkectl(directory);
  config = join(directory, 'user.yaml');
  await writeFile(config, CONFIG);
  servers = ['node-1', 'node-2'].map((node) => new FakeApiServer(node));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const platform = ({ command = gkectl.command, pollMs = 60_000 } = {}) =>
  new GkectlPlatform({
    gkectl: { command, userClusterConfig: config, adminKubeconfig: '/etc/admin.kubeconfig' },
    apiServers: servers,
    deadlineMs: 3_600_000,
    pollMs,
  });
const control = { signal: new AbortController().signal, report: () => undefined };
const begin = (on = platform()) => on.begin(ROTATION, null, control);
const advance = (on = platform()) => on.advance(ROTATION, control);

describe('what can be had', () => {
  it('is declared: no pause, no way back, no drain, and the platform publishes', () => {
    expect(platform().capabilities).toEqual({
      ordering: 'managed',
      newKey: 'made-by-platform',
      publishing: 'by-platform',
      formerKey: 'forgotten-by-itself',
      rollBack: false,
      pause: false,
      apiServers: 'each',
    });
    expect(platform().patience).toEqual({ timeoutMs: 3_600_000, pollMs: 60_000 });
  });
});

describe('begin', () => {
  it('runs the documented command, once: the second call finds it under way', async () => {
    expect(await begin()).toEqual({
      changed: true,
      proof: 'gkectl has started the rotation, saying:\nReading config with version "v1"\n',
    });
    expect(await begin()).toEqual({
      changed: false,
      proof:
        'gkectl says: KSASigningKeyVersion 2: status False, reason KSASigningKeyRotationProcessedReason, message {"tokenVersion":2,"privateKeyVersion":2,"publicKeyVersions":[1,2]}',
    });
    const files = ['--config', config, '--kubeconfig', '/etc/admin.kubeconfig'];
    expect(await gkectl.calls()).toEqual([
      ['update', 'credentials', 'ksa-signing-key', 'status', ...files],
      ['update', 'credentials', 'ksa-signing-key', 'rotate', ...files, '--skip-prompt'],
      ['update', 'credentials', 'ksa-signing-key', 'status', ...files],
    ]);
  });

  it('starts no second one where the first has completed before anybody looked', async () => {
    await gkectl.change({ status: statusText(2, 'completed') });
    servers[1]!.signs = 'next';
    expect(await begin()).toEqual({ changed: false, proof: 'tokens are signed with next already' });
    expect(await gkectl.rotations()).toBe(0);
  });

  it('does not wait for a call that goes on as long as the rotation does', async () => {
    const rotateEndsWith = join(directory, 'done');
    await gkectl.change({ rotateEndsWith });
    const impatient = platform({ pollMs: 1 });
    let first = await begin(impatient);
    // The call may not have come to its start in that millisecond.
    expect(first).toEqual({ waitingFor: 'gkectl, which was told to rotate and has not started yet' });
    while ('waitingFor' in first) first = await begin(impatient);
    expect(first).toEqual({ changed: true, proof: expect.stringContaining('KSASigningKeyRotationProcessedReason') });
    expect(await gkectl.rotations()).toBe(1);
    await writeFile(rotateEndsWith, '');
  });

  it('tells in gkectl’s own words why it refuses, and asks again only when it is retried', async () => {
    await gkectl.change({ refusal: { text: 'Exit with error:\nCA rotation is in progress\n', exitCode: 1 } });
    const refusing = platform();
    const refusal = {
      code: 'PLATFORM_FAILED',
      retryable: false,
      subject: config,
      message: `${gkectl.command} (ksa-signing-key rotate) ended with 1, saying:\nExit with error:\nCA rotation is in progress\nDo what gkectl says, then try again`,
    };
    await expect(begin(refusing)).rejects.toMatchObject(refusal);
    await gkectl.change({ refusal: null });
    expect(await begin(refusing)).toMatchObject({ changed: true });
    expect(await gkectl.rotations()).toBe(2);
  });

  it('says so where there is no gkectl', async () => {
    await expect(begin(platform({ command: join(directory, 'nowhere') }))).rejects.toMatchObject({
      code: 'PLATFORM_FAILED',
      retryable: false,
      message: expect.stringContaining('cannot be run and said nothing. Give its path in platform.command'),
    });
  });
});

describe('advance', () => {
  it('needs gkectl’s word and a token of the new key from each API server', async () => {
    await begin();
    expect(await advance()).toEqual({ waitingFor: expect.stringContaining('KSASigningKeyVersion 2: status False') });

    await gkectl.change({ status: statusText(2, 'completed') });
    const stale = 'status True, reason KSASigningKeyRotationCompleted';
    expect(await advance()).toEqual({
      waitingFor: expect.stringMatching(
        new RegExp(`${stale}.*, but tokens are signed with: node-1 former, node-2 former$`),
      ),
    });

    servers[0]!.signs = 'next';
    expect(await advance()).toEqual({ waitingFor: expect.stringContaining('node-1 next, node-2 former') });
    servers[1]!.state = 'away';
    expect(await advance()).toEqual({ waitingFor: expect.stringContaining('node-1 next, node-2 nothing') });

    servers[1]!.state = 'ready';
    servers[1]!.signs = 'next';
    expect(await advance()).toEqual({
      changed: true,
      proof: expect.stringMatching(
        /^gkectl says: KSASigningKeyVersion 2: status True.*; every API server signs with next$/,
      ),
    });
  });

  it('takes an unknown reason for a wait, with gkectl’s own words', async () => {
    await gkectl.change({
      status: statusText(2, 'running').replace('KSASigningKeyRotationProcessedReason', 'NodePoolStuck'),
    });
    expect(await advance()).toEqual({ waitingFor: expect.stringContaining('status False, reason NodePoolStuck') });
  });

  it('takes a failed question for passing trouble', async () => {
    await gkectl.change({ refusal: { text: 'connection refused', exitCode: 1, everything: true } });
    await expect(advance()).rejects.toMatchObject({
      code: 'PLATFORM_FAILED',
      retryable: true,
      message: expect.stringContaining('saying:\nconnection refused'),
    });
  });
});

describe('preflight', () => {
  const problems = async (underWay: typeof ROTATION | null = null) =>
    (await platform().observe(underWay)).problems.map(({ message }) => message);

  it.each<[string, string, string | null]>([
    ['a completed rotation: nothing', statusText(4, 'completed'), null],
    ['an answer that tells of no rotation: nothing', 'No rotation was found\n', null],
    [
      'a rotation under way',
      statusText(4, 'running'),
      'A rotation is under way; gkectl says: KSASigningKeyVersion 4: status False',
    ],
    [
      'an unknown state',
      statusText(4, 'running').replace('ProcessedReason', 'Stuck'),
      'in a state that Keyturn does not know; gkectl says: KSASigningKeyVersion 4',
    ],
  ])('with %s', async (_, status, message) => {
    await gkectl.change({ status });
    expect(await problems()).toEqual(message === null ? [] : [expect.stringContaining(message)]);
  });

  it('does not take our own rotation, which is taken up, for another', async () => {
    await gkectl.change({ status: statusText(4, 'running') });
    expect(await problems(ROTATION)).toEqual([]);
  });

  it('refuses an advanced cluster without asking gkectl', async () => {
    await writeFile(config, CONFIG.replace('1.32.100', '1.33.0'));
    expect(await problems()).toEqual([
      expect.stringContaining('an advanced cluster, whose signing key gkectl does not rotate'),
    ]);
    expect(await gkectl.calls()).toEqual([]);
  });

  it('names a configuration file that is not there', async () => {
    await rm(config);
    expect(await problems()).toEqual([
      expect.stringContaining('configuration file of the user cluster cannot be read'),
    ]);
  });

  it('sees the API servers', async () => {
    expect((await platform().observe(null)).apiServers).toMatchObject([
      { node: 'node-1', signingKid: 'former', ready: true },
      { node: 'node-2', signingKid: 'former', ready: true },
    ]);
  });
});
