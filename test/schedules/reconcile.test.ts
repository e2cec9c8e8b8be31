// What apply does, by table.
import { describe, expect, test } from 'vitest';
import { FILE_PAUSE_NOTE, reconcile, type ExistingSchedule } from '../../src/schedules/reconcile.ts';
import type { DesiredSchedule } from '../../src/schedules/definition.ts';
import { definition, desired, existing } from './a-schedule.ts';

const byFile = { paused: true, note: 'paused: true in keyturn.yaml' };
const byOperator = { paused: true, note: 'freeze (jo@laptop)' };
const otherHour = { ...definition, times: { ...definition.times!, hour: 3 } };
const withGates = { ...definition, input: { ...definition.input, gates: ['signing'] as const } };
const retired = { ...definition, times: null, calendar: '' };

type Case = readonly [string, readonly DesiredSchedule[], readonly ExistingSchedule[], readonly object[]];

const cases: readonly Case[] = [
  ['nothing wanted, nothing there', [], [], []],
  ['wanted, not there', [desired()], [], [{ type: 'create', id: 'keyturn/prod', desired: desired() }]],
  ['wanted and there', [desired()], [existing()], []],
  [
    'another hour: updated in place',
    [desired()],
    [existing({ definition: otherHour, buffered: 1, running: 1 })],
    [{ type: 'update', id: 'keyturn/prod', changes: ['calendar'] }],
  ],
  [
    'other words for the same times: nothing',
    [desired()],
    [existing({ definition: { ...definition, calendar: 'quarterly' } })],
    [],
  ],
  [
    'gates and jitter',
    [desired({ definition: withGates })],
    [existing({ definition: { ...definition, jitterMs: 0 } })],
    [{ type: 'update', id: 'keyturn/prod', changes: ['jitterMs', 'input'] }],
  ],
  [
    'overlap and pauseOnFailure changed by hand: put back',
    [desired()],
    [existing({ definition: { ...definition, overlap: 'SKIP', pauseOnFailure: true } })],
    [{ type: 'update', id: 'keyturn/prod', changes: ['overlap', 'pauseOnFailure'] }],
  ],
  [
    'an interval added by hand: put back',
    [desired()],
    [existing({ definition: null })],
    [{ type: 'update', id: 'keyturn/prod', changes: ['edited by hand'] }],
  ],

  ['file silent, paused by an operator: stays', [desired()], [existing(byOperator)], []],
  [
    'file silent, paused by the file before: resumed',
    [desired()],
    [existing(byFile)],
    [{ type: 'unpause', id: 'keyturn/prod' }],
  ],
  [
    'file says false, paused by an operator: resumed',
    [desired({ paused: false })],
    [existing(byOperator)],
    [{ type: 'unpause', id: 'keyturn/prod' }],
  ],
  ['file says false, running', [desired({ paused: false })], [existing()], []],
  [
    'file says true, running: paused',
    [desired({ paused: true })],
    [existing()],
    [{ type: 'pause', id: 'keyturn/prod' }],
  ],
  [
    'file says true, paused by an operator: it stays his pause',
    [desired({ paused: true })],
    [existing(byOperator)],
    [],
  ],
  ['file says true, paused by the file', [desired({ paused: true })], [existing(byFile)], []],
  [
    'changed and paused: both, the change first',
    [desired({ paused: true })],
    [existing({ definition: otherHour })],
    [{ type: 'update' }, { type: 'pause' }],
  ],

  ['not wanted any more: deleted', [], [existing()], [{ type: 'delete', id: 'keyturn/prod' }]],
  [
    'not wanted, with a run under way: deleted, which does not touch the run',
    [],
    [existing({ running: 1 })],
    [{ type: 'delete', id: 'keyturn/prod' }],
  ],
  [
    'not wanted, with a buffered run: acts no more, deleted later',
    [],
    [existing({ running: 1, buffered: 1 })],
    [{ type: 'retire', id: 'keyturn/prod' }],
  ],
  ['retired, the run still buffered: waits', [], [existing({ definition: retired, running: 1, buffered: 1 })], []],
  [
    'retired, the run started: deleted',
    [],
    [existing({ definition: retired, running: 1 })],
    [{ type: 'delete', id: 'keyturn/prod' }],
  ],
  [
    'retired, wanted again: gets its times back',
    [desired()],
    [existing({ definition: retired, buffered: 1 })],
    [{ type: 'update', id: 'keyturn/prod', changes: ['calendar'] }],
  ],

  [
    'the ID is taken by a foreign schedule: refused, not touched',
    [desired({ paused: true })],
    [existing({ owner: 'not-keyturn', definition: null })],
    [{ type: 'refuse', id: 'keyturn/prod', owner: 'not-keyturn' }],
  ],
  [
    'the ID belongs to workers with another file: refused',
    [desired()],
    [existing({ owner: 'another-task-queue' })],
    [{ type: 'refuse', id: 'keyturn/prod', owner: 'another-task-queue' }],
  ],
  ['a foreign schedule that nobody wants: not touched', [], [existing({ owner: 'not-keyturn', paused: true })], []],
  ["other workers' schedule: not touched", [], [existing({ owner: 'another-task-queue' })], []],

  [
    'several: the file in its order, then what it no longer has',
    [desired({ id: 'keyturn/b' }), desired({ id: 'keyturn/a' })],
    [existing({ id: 'keyturn/old' }), existing({ id: 'keyturn/a', definition: otherHour })],
    [
      { type: 'create', id: 'keyturn/b' },
      { type: 'update', id: 'keyturn/a' },
      { type: 'delete', id: 'keyturn/old' },
    ],
  ],
];

describe('reconcile', () => {
  test.for(cases)('%s', ([, wanted, there, actions]) => {
    expect(reconcile(wanted, there)).toMatchObject(actions);
    expect(reconcile(wanted, there)).toHaveLength(actions.length);
  });

  test('the note by which a pause of the file is known is part of what is stored: it may not change', () => {
    expect(FILE_PAUSE_NOTE).toBe('paused: true in keyturn.yaml');
  });
});
