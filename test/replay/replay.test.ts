// Runs of released code go on with new code: their stored histories are replayed, and a replay notices what would break them.
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../workflows/rotation-harness.ts';
import { readHistory } from './stored-history.ts';

const HISTORIES = ['completed', 'rolled-back', 'waiting-in-drain', 'held', 'paused', 'lost-probes'] as const;
const projectRoot = path.join(import.meta.dirname, '..', '..');
const scratches: string[] = [];

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'OFF' } } });
});
afterAll(async () => {
  for (const scratch of scratches) await rm(scratch, { recursive: true, force: true });
});

/** The workflow's bundle with one edit. */
async function bundleEdited(file: string, from: string, to: string): Promise<WorkflowBundleWithSourceMap> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'keyturn-replay-'));
  scratches.push(scratch);
  for (const folder of ['workflows', 'rotation']) {
    await cp(path.join(projectRoot, 'src', folder), path.join(scratch, 'src', folder), { recursive: true });
  }
  await symlink(path.join(projectRoot, 'node_modules'), path.join(scratch, 'node_modules'), 'dir');
  const edited = path.join(scratch, 'src', file);
  const source = await readFile(edited, 'utf8');
  expect(source.split(from)).toHaveLength(2);
  await writeFile(edited, source.replace(from, to));
  return bundleWorkflows(path.join(scratch, 'src', 'workflows', 'index.ts'));
}

const replay = (workflowBundle: WorkflowBundleWithSourceMap, name: string): Promise<void> =>
  Worker.runReplayHistory({ workflowBundle }, readHistory(name), `stored-${name}`);

describe('the present workflow', () => {
  let bundle: WorkflowBundleWithSourceMap;
  beforeAll(async () => {
    bundle = await bundleWorkflows();
  });

  it.each(HISTORIES)('goes on with a run that is %s', (name) => replay(bundle, name));
});

it('another plan in new code leaves runs alone that are under way: theirs stands in the history', async () => {
  const bundle = await bundleEdited('rotation/shared-steps.ts', "id: 'verify',", "id: 'verify-differently',");
  for (const name of HISTORIES) await replay(bundle, name);
});

describe('a break is noticed where', () => {
  it.each([
    [
      'steps are done in another order',
      'workflows/rotation-run.ts',
      'of this.standing.plan.steps) {',
      'of this.standing.plan.steps.toReversed()) {',
      'completed',
    ],
    [
      'a step is done twice',
      'workflows/rotation-run.ts',
      'this.journal.did(step, startedAt, result);',
      'this.journal.did(step, startedAt, await activities.refresh(input));',
      'held',
    ],
    [
      'the waits are no timers any more',
      'workflows/rotation-run.ts',
      'if (remainingMs <= 0) return null;',
      'if (remainingMs > -1e15) return null;',
      'waiting-in-drain',
    ],
    [
      'the way back has no drain',
      'rotation/roll-back.ts',
      'if (signed && step === firstTrust)',
      'if (!signed && step === firstTrust)',
      'rolled-back',
    ],
    [
      'a pause is overlooked',
      'workflows/decision-points.ts',
      'if (this.standing.paused) await',
      'if (this.standing.paused && !this.standing.canRollBack) await',
      'paused',
    ],
  ])('%s', async (_, file, from, to, name) => {
    const bundle = await bundleEdited(file, from, to);
    await expect(replay(bundle, name)).rejects.toThrow(/\[TMPRL1100\] Nondeterminism|Fatal error in workflow machines/);
  });
});
