// Starting and following a rotation with gkectl, on a stand-in command that is made from the documentation.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SigningKeyRotation } from '../../../src/platforms/gkectl/signing-key-rotation.ts';
import { FakeApiServer } from '../../fakes/api-server.ts';
import { installGkectl, statusText, type GkectlStandIn } from '../../fixtures/gkectl-stand-in.ts';

const DEADLINE_MS = 3_600_000;
const POLL_MS = 60_000;

let directory: string;
let gkectl: GkectlStandIn;
let servers: readonly FakeApiServer[];
let nowMs: number;
/** What happens between two looks, in turn; nothing more once they are through. */
let meanwhile: (() => Promise<void> | void)[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-gkectl-'));
  gkectl = await installGkectl(directory);
  servers = ['node-1', 'node-2'].map((node) => new FakeApiServer(node));
  nowMs = 0;
  meanwhile = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const rotation = (change: Partial<{ command: string }> = {}) =>
  new SigningKeyRotation({
    gkectl: {
      command: gkectl.command,
      userClusterConfig: '/etc/user.yaml',
      adminKubeconfig: '/etc/admin.kubeconfig',
      ...change,
    },
    apiServers: servers,
    clock: {
      now: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
        await meanwhile.shift()?.();
      },
    },
    answerTimeoutMs: 60_000,
    pollMs: POLL_MS,
    deadlineMs: DEADLINE_MS,
  });
const reports: string[] = [];
const control = () => ({ signal: new AbortController().signal, report: (words: string) => void reports.push(words) });
const sign = (kid: string) => servers.forEach((server) => (server.signs = kid));

describe('begin', () => {
  it('runs the documented command, once: the second call finds it under way', async () => {
    expect(await rotation().begin('former', control())).toMatchObject({ changed: true });
    expect(await rotation().begin('former', control())).toEqual({
      changed: false,
      proof:
        'gkectl says: KSASigningKeyVersion 2: status False, reason KSASigningKeyRotationProcessedReason, message {"tokenVersion":2,"privateKeyVersion":2,"publicKeyVersions":[1,2]}',
    });
    expect(await gkectl.calls()).toEqual([
      [
        'update',
        'credentials',
        'ksa-signing-key',
        'status',
        '--config',
        '/etc/user.yaml',
        '--kubeconfig',
        '/etc/admin.kubeconfig',
      ],
      [
        'update',
        'credentials',
        'ksa-signing-key',
        'rotate',
        '--config',
        '/etc/user.yaml',
        '--kubeconfig',
        '/etc/admin.kubeconfig',
        '--skip-prompt',
      ],
      [
        'update',
        'credentials',
        'ksa-signing-key',
        'status',
        '--config',
        '/etc/user.yaml',
        '--kubeconfig',
        '/etc/admin.kubeconfig',
      ],
    ]);
  });

  it('starts no second one where the first has completed before anybody looked', async () => {
    await gkectl.change({ status: statusText(2, 'completed') });
    sign('next');
    expect(await rotation().begin('former', control())).toEqual({
      changed: false,
      proof: 'tokens are signed with next already',
    });
    expect(await gkectl.rotations()).toBe(0);
  });

  it('tells in gkectl’s own words why it refuses', async () => {
    await gkectl.change({ refusal: { text: 'Exit with error:\nCA rotation is in progress\n', exitCode: 1 } });
    await expect(rotation().begin('former', control())).rejects.toMatchObject({
      code: 'GKECTL_FAILED',
      retryable: false,
      subject: '/etc/user.yaml',
      message: `${gkectl.command} (ksa-signing-key rotate) ended with 1, saying:\nExit with error:\nCA rotation is in progress\nDo what gkectl says, then try again`,
    });
  });

  it('says so where there is no gkectl', async () => {
    await expect(rotation({ command: join(directory, 'nowhere') }).begin('former', control())).rejects.toMatchObject({
      code: 'GKECTL_FAILED',
      retryable: false,
      message: expect.stringContaining('cannot be run and said nothing. Give its path in platform.command'),
    });
  });
});

describe('what keeps a rotation from starting', () => {
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
  ])('%s', async (_, status, message) => {
    await gkectl.change({ status });
    const problems = await rotation().findProblems(new AbortController().signal);
    expect(problems).toEqual(
      message === null
        ? []
        : [expect.objectContaining({ code: 'GKECTL_BUSY', message: expect.stringContaining(message) })],
    );
  });
});

describe('follow', () => {
  it('needs gkectl’s word and a token of the new key from each API server', async () => {
    await rotation().begin('former', control());
    meanwhile = [
      () => gkectl.change({ status: statusText(1, 'completed') }), // the former rotation, still
      () => gkectl.change({ status: statusText(2, 'completed') }), // all done, say its words
      () => void (servers[0]!.signs = 'next'),
      () => void (servers[1]!.state = 'away'),
      () => {
        servers[1]!.state = 'ready';
        servers[1]!.signs = 'next';
      },
    ];
    reports.length = 0;
    expect(await rotation().follow('former', control())).toEqual({
      kid: 'next',
      proof: expect.stringMatching(
        /^gkectl says: KSASigningKeyVersion 2: status True.*; every API server signs with next$/,
      ),
    });
    expect(nowMs).toBe(5 * POLL_MS);
    expect(reports).toEqual([
      expect.stringContaining('waiting for gkectl, 0 s of 3600 s: gkectl says: KSASigningKeyVersion 2: status False'),
      expect.stringContaining('KSASigningKeyVersion 1: status True'),
      expect.stringContaining('but tokens are signed with: node-1 former, node-2 former'),
      expect.stringContaining('but tokens are signed with: node-1 next, node-2 former'),
      expect.stringContaining('but tokens are signed with: node-1 next, node-2 nothing'),
    ]);
  });

  it('keeps asking through unknown reasons and failed calls', async () => {
    await gkectl.change({ status: statusText(2, 'running').replace('ProcessedReason', 'Paused') });
    sign('next');
    meanwhile = [
      () => gkectl.change({ refusal: { text: 'connection refused', exitCode: 1, everything: true } }),
      () => gkectl.change({ refusal: null, status: statusText(2, 'completed') }),
    ];
    expect(await rotation().follow('former', control())).toMatchObject({ kid: 'next' });
    expect(nowMs).toBe(2 * POLL_MS);
  });

  it('says at the deadline what gkectl said last', async () => {
    await gkectl.change({
      status: statusText(2, 'running').replace('KSASigningKeyRotationProcessedReason', 'NodePoolStuck'),
    });
    nowMs = DEADLINE_MS - 1;
    meanwhile = [() => void (nowMs = 2 * DEADLINE_MS)];
    await expect(rotation().follow('former', control())).rejects.toMatchObject({
      code: 'EFFECT_MISSING',
      message: expect.stringMatching(
        /^The rotation has not completed within 60 min: gkectl says: KSASigningKeyVersion 2: status False, reason NodePoolStuck, .*neither paused nor rolled back/,
      ),
    });
  });

  it('stops asking when the step is stopped', async () => {
    const stop = new AbortController();
    meanwhile = [() => stop.abort(new Error('the worker ends'))];
    await gkectl.change({ status: statusText(2, 'running') });
    await expect(rotation().follow('former', { signal: stop.signal, report: () => undefined })).rejects.toThrow(
      'the worker ends',
    );
  });
});
