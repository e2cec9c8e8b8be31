// The worker brings Temporal's schedules in line with keyturn.yaml when it starts.
import type { Client } from '@temporalio/client';
import type { Logger } from '@temporalio/common';
import type { Config } from '../config/schema.ts';
import { applySchedules, refuseForeign } from '../schedules/apply.ts';
import { desiredSchedules } from '../schedules/definition.ts';

/** Never throws: rotations that are under way need the worker, whatever is wrong with a schedule. `keyturn doctor` tells it too. */
export async function applySchedulesAtStart(config: Config, client: Client, logger: Logger): Promise<void> {
  if (config.schedules === undefined || !config.applySchedulesAtStart) return;
  try {
    const { taskQueue } = config;
    const actions = await applySchedules({ client, taskQueue, desired: desiredSchedules(config) });
    for (const { type, id } of actions) if (type !== 'refuse') logger.info(`Schedule ${id}: ${type}`);
    refuseForeign(actions);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    logger.error(`Schedules were not brought in line with keyturn.yaml: ${message}`);
  }
}
