// gkectl's status text: the documented examples, what may stand around them, and what is not known.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeRotationState, parseRotationState } from '../../../src/platforms/gkectl/rotation-state.ts';
import { formatGkectlStatus, type GkectlStatus } from '../../../src/rotation/gkectl-status.ts';

/** The two examples of the documentation, letter by letter. */
const COMPLETED = `State of KSASigningKeyRotation with KSASigningKeyVersion 2 is -
status: True,
reason: KSASigningKeyRotationCompleted,
message:{"tokenVersion":2,"privateKeyVersion":2,"publicKeyVersions":[2]}`;
const RUNNING = `State of KSASigningKeyRotation with KSASigningKeyVersion 2 is -
status: False,
reason: KSASigningKeyRotationProcessedReason,
message:{"tokenVersion":2,"privateKeyVersion":2,"publicKeyVersions":[1,2]}`;

const judge = (text: string) => {
  const state = parseRotationState(text);
  return state === null ? null : judgeRotationState(state);
};

describe('the documented examples', () => {
  it('a rotation that has completed', () => {
    expect(parseRotationState(COMPLETED)).toEqual({
      version: 2,
      status: 'True',
      reason: 'KSASigningKeyRotationCompleted',
      versions: { tokenVersion: 2, privateKeyVersion: 2, publicKeyVersions: [2] },
      words:
        'KSASigningKeyVersion 2: status True, reason KSASigningKeyRotationCompleted, message {"tokenVersion":2,"privateKeyVersion":2,"publicKeyVersions":[2]}',
    });
    expect(judge(COMPLETED)).toBe('completed');
  });

  it('a rotation under way', () => {
    expect(parseRotationState(RUNNING)?.versions?.publicKeyVersions).toEqual([1, 2]);
    expect(judge(RUNNING)).toBe('running');
  });

  it('are what keyturn status --format gkectl prints', () => {
    const versions = { tokenVersion: 2, privateKeyVersion: 2 };
    expect(
      formatGkectlStatus({
        status: 'True',
        reason: 'KSASigningKeyRotationCompleted',
        publicKeyVersions: [2],
        ...versions,
      }),
    ).toBe(COMPLETED);
    expect(
      formatGkectlStatus({
        status: 'False',
        reason: 'KSASigningKeyRotationProcessedReason',
        publicKeyVersions: [1, 2],
        ...versions,
      }),
    ).toBe(RUNNING);
  });
});

describe('what is judged', () => {
  it.each<[string, string, ReturnType<typeof judge>]>([
    ['nothing at all', '', null],
    ['an answer of another shape', 'no rotation was found for this cluster', null],
    ['a block that was cut off', COMPLETED.split('\n').slice(0, 2).join('\n'), null],
    ['a reason that the documentation does not know', RUNNING.replace('ProcessedReason', 'Failed'), 'unknown'],
    ['completed, but the former key is still trusted', COMPLETED.replace('[2]', '[1,2]'), 'unknown'],
    [
      'completed, but tokens are of the former key',
      COMPLETED.replace('"tokenVersion":2', '"tokenVersion":1'),
      'unknown',
    ],
    [
      'completed, but the private key is the former',
      COMPLETED.replace('"privateKeyVersion":2', '"privateKeyVersion":1'),
      'unknown',
    ],
    ['completed, but without a message', COMPLETED.split('\n').slice(0, 3).join('\n'), 'unknown'],
    ['completed, with a message that is no JSON', COMPLETED.replace(/message:.*/, 'message:{all is well'), 'unknown'],
    ['completed with status False', COMPLETED.replace('True', 'False'), 'unknown'],
    ['running with status True', RUNNING.replace('False', 'True'), 'unknown'],
    ['lines that end as on Windows', COMPLETED.replaceAll('\n', '\r\n'), 'completed'],
    ['a coloured status', COMPLETED.replace('status: True,', '\u001b[32mstatus: True,\u001b[0m'), 'completed'],
    ['text right behind the message', `${COMPLETED}4 minute read`, 'completed'],
    ['the older rotation after the newer', `${RUNNING.replaceAll('2', '3')}\n${COMPLETED}`, 'running'],
    ['the newer rotation after the older', `${COMPLETED}\n${RUNNING.replaceAll('2', '3')}`, 'running'],
    ['the same rotation twice: the later word counts', `${RUNNING}\n${COMPLETED}`, 'completed'],
  ])('%s', (_, text, verdict) => expect(judge(text)).toBe(verdict));
});

describe('laws', () => {
  const versionNumber = fc.integer({ min: 1, max: 99_999 });
  const anyStatus: fc.Arbitrary<GkectlStatus> = fc
    .record({
      completed: fc.boolean(),
      publicKeyVersions: fc.uniqueArray(versionNumber, { minLength: 1, maxLength: 3 }),
      tokenVersion: versionNumber,
      privateKeyVersion: versionNumber,
    })
    .map(({ completed, ...versions }) => ({
      status: completed ? 'True' : 'False',
      reason: completed ? 'KSASigningKeyRotationCompleted' : 'KSASigningKeyRotationProcessedReason',
      ...versions,
    }));
  /** Lines of logs, prompts and progress bars. */
  const noise = fc
    .array(
      fc.oneof(
        fc.string(),
        fc.constantFrom('{', '}', 'Reading config with version "v1"', '- [SUCCESS] Admin cluster', '\t'),
      ),
    )
    .map((lines) => lines.map((line) => line.replaceAll(/(State of|status|reason|message)/g, '')).join('\n'));

  it('what is printed is read back, whatever lines stand before and after it', () => {
    fc.assert(
      fc.property(anyStatus, noise, noise, (status, before, after) => {
        const state = parseRotationState(`${before}\n${formatGkectlStatus(status)}\n${after}`);
        const { tokenVersion, privateKeyVersion, publicKeyVersions } = status;
        expect(state).toMatchObject({
          version: Math.max(...publicKeyVersions),
          status: status.status,
          reason: status.reason,
          versions: { tokenVersion, privateKeyVersion, publicKeyVersions },
        });
      }),
    );
  });

  it('no text makes it throw, and completed is said only where all three versions are the target', () => {
    fc.assert(
      fc.property(anyStatus, fc.string(), fc.nat(400), fc.nat(20), (status, inserted, at, removed) => {
        const text = formatGkectlStatus(status);
        const state = parseRotationState(text.slice(0, at) + inserted + text.slice(at + removed));
        if (state === null || judgeRotationState(state) !== 'completed') return;
        expect([state.versions?.tokenVersion, state.versions?.privateKeyVersion]).toEqual([
          state.version,
          state.version,
        ]);
        expect(new Set(state.versions?.publicKeyVersions)).toEqual(new Set([state.version]));
      }),
    );
  });
});
