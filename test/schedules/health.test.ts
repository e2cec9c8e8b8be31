// What is said about a schedule, by table. It is due on 2026-10-14T02:00Z with up to an hour of jitter; the grace is ten minutes.
import { describe, expect, test } from 'vitest';
import { complaints, type ScheduleFacts } from '../../src/schedules/health.ts';
import type { ScheduledRun } from '../../src/schedules/schedule-state.ts';
import { definition, desired, existing } from './a-schedule.ts';

const at = (time: string) => Date.parse(time);
const run = (changes: Partial<ScheduledRun> = {}): ScheduledRun => ({
  workflowId: 'keyturn/prod-2026-10-14T02:00:00Z',
  scheduledAtMs: at('2026-10-14T02:31:00Z'),
  takenAtMs: at('2026-10-14T02:31:01Z'),
  status: 'completed',
  ...changes,
});
const acted = { runs: [run()] };

/** In November, after it acted in October. */
function facts(changes: Partial<ScheduleFacts> = {}): ScheduleFacts {
  return {
    desired: desired(),
    state: existing(acted),
    lastRotationMs: null,
    nowMs: at('2026-11-20T00:00:00Z'),
    ...changes,
  };
}

describe('nothing is said', () => {
  test.for([
    ['where it acted when it was due', facts()],
    [
      'while it may still be late: jitter and grace',
      facts({ state: existing(), nowMs: at('2026-10-14T03:09:00Z'), lastRotationMs: at('2026-07-08T03:00:00Z') }),
    ],
    [
      'where it was made after it would have been due',
      facts({ state: existing({ createdAtMs: at('2026-10-20T00:00:00Z') }) }),
    ],
    [
      'where its times were changed after that',
      facts({ state: existing({ updatedAtMs: at('2026-10-20T00:00:00Z') }) }),
    ],
    [
      'where a run was due but an earlier one is still under way',
      facts({ state: existing({ running: 1, buffered: 1 }) }),
    ],
    [
      'where it did not act but the key was rotated by hand since',
      facts({ state: existing(), lastRotationMs: at('2026-10-16T00:00:00Z') }),
    ],
    [
      'where its run failed but a rotation ended since',
      facts({ state: existing({ runs: [run({ status: 'failed' })] }), lastRotationMs: at('2026-10-16T00:00:00Z') }),
    ],
    ['while a run is under way', facts({ state: existing({ runs: [run({ status: 'running' })], running: 1 }) })],
  ] as const)('%s', ([, given]) => {
    expect(complaints(given)).toEqual([]);
  });
});

describe('a failure', () => {
  test.for([
    ['only in keyturn.yaml', facts({ state: undefined }), 'not in Temporal'],
    ['its ID is taken', facts({ state: existing({ owner: 'not-keyturn' }) }), 'ID is taken'],
    ['no next run', facts({ state: existing({ ...acted, nextRunsMs: [] }) }), 'no next run'],
    [
      'its next run lies in the past: it stands still',
      facts({ state: existing({ ...acted, nextRunsMs: [at('2026-11-19T23:00:00Z')] }) }),
      'should have acted at 2026-11-19T23:00:00.000Z, 1h ago',
    ],
    [
      'it was due and did not act, though it looks well',
      facts({ state: existing() }),
      'was due at 2026-10-14T02:00:00.000Z and did not start a rotation',
    ],
    [
      'it acted in July, and silently not in October',
      facts({ state: existing({ runs: [run({ scheduledAtMs: at('2026-07-08T02:10:00Z') })] }) }),
      'was due at 2026-10-14T02:00:00.000Z',
    ],
    [
      'it was due while it was paused',
      facts({ state: existing({ note: 'resumed' }), lastRotationMs: at('2026-07-09T00:00:00Z') }),
      'was due at 2026-10-14T02:00:00.000Z',
    ],
    [
      'its last run failed',
      facts({ state: existing({ runs: [run({ status: 'failed' })] }) }),
      'its last run keyturn/prod-2026-10-14T02:00:00Z of 2026-10-14T02:31:01.000Z failed',
    ],
  ] as const)('%s', ([, given, words]) => {
    expect(complaints(given)).toEqual([{ level: 'fail', sentence: expect.stringContaining(words) as string }]);
  });
});

describe('a warning', () => {
  test.for([
    ['only in Temporal', facts({ desired: undefined }), 'not in keyturn.yaml'],
    [
      'another jitter',
      facts({ state: existing({ ...acted, definition: { ...definition, jitterMs: 0 } }) }),
      'differs from keyturn.yaml in jitterMs',
    ],
    ['edited by hand', facts({ state: existing({ ...acted, definition: null }) }), 'edited by hand'],
    [
      'paused by an operator',
      facts({ state: existing({ ...acted, paused: true, note: 'freeze (jo)' }) }),
      'paused (freeze (jo)): no rotation starts by itself',
    ],
    [
      'paused by the file, also while it would have been due',
      facts({ state: existing({ paused: true, note: 'paused: true in keyturn.yaml', nextRunsMs: [] }) }),
      'paused by keyturn.yaml',
    ],
  ] as const)('%s', ([, given, words]) => {
    expect(complaints(given)).toEqual([{ level: 'warn', sentence: expect.stringContaining(words) as string }]);
  });
});
