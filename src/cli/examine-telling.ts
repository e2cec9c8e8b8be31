// What doctor finds of how a rotation is told about and found: notifications and search attributes.
import type { Client } from '@temporalio/client';
import type { LoadedConfig } from '../config/load.ts';
import { composeNotifier } from '../worker/compose-notifier.ts';
import { areKnown, remedyIn } from '../worker/register-search-attributes.ts';
import { ok, warn, type Finding } from './finding.ts';

/** Posts nothing: a test message would be one that somebody has to ask about. */
export async function examineNotifications(config: LoadedConfig): Promise<readonly Finding[]> {
  const what = 'notifications';
  const notifier = await composeNotifier(config);
  return [ok(what, notifier === null ? "the worker's log only" : `the worker's log, and the ${notifier.description}`)];
}

export async function examineSearchAttributes(client: Client): Promise<readonly Finding[]> {
  const what = 'search attributes';
  if (await areKnown(client)) return [ok(what, 'Temporal knows them')];
  return [warn(what, `Temporal does not know them yet: start keyturn worker, or ${remedyIn(client)}`)];
}
