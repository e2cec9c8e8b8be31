// What doctor says about schedules: each one's health, and which clusters have none.
import type { Client } from '@temporalio/client';
import type { Config } from '../config/schema.ts';
import { desiredSchedules } from '../schedules/definition.ts';
import { complaints } from '../schedules/health.ts';
import { readSchedules } from '../schedules/schedule-state.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

/** @param lastRotationsMs by cluster: when a rotation last came to its end, ms since the epoch */
export async function examineSchedules(
  client: Client,
  config: Config,
  lastRotationsMs: ReadonlyMap<string, number | null>,
  nowMs: number,
): Promise<readonly Finding[]> {
  const desired = desiredSchedules(config);
  const ids = desired.map(({ id }) => id);
  const states = await readSchedules(client, config.taskQueue, ids);
  const findings = [...new Set([...ids, ...states.map(({ id }) => id)])].flatMap((id) => {
    const wanted = desired.find((schedule) => schedule.id === id);
    const state = states.find((schedule) => schedule.id === id);
    const cluster = wanted?.cluster ?? state?.definition?.input.cluster;
    const lastRotationMs = (cluster === undefined ? null : lastRotationsMs.get(cluster)) ?? null;
    const found = complaints({ desired: wanted, state, lastRotationMs, nowMs });
    if (found.length > 0) {
      return found.map(({ level, sentence }) => (level === 'fail' ? fail : warn)(`schedule ${id}`, sentence));
    }
    return [ok(`schedule ${id}`, `${wanted?.definition.calendar}; next run ${isoOf(state?.nextRunsMs[0])}`)];
  });
  const scheduled = new Set(desired.map(({ cluster }) => cluster));
  const unscheduled = config.clusters.filter(({ name }) => !scheduled.has(name));
  return [
    ...findings,
    ...unscheduled.map(({ name }) =>
      warn(`cluster ${name}`, 'has no schedule: its key is rotated only when a person starts it'),
    ),
  ];
}

function isoOf(ms: number | undefined): string {
  return ms === undefined ? 'none' : new Date(ms).toISOString();
}
