// A thread of `npm run fuzz`: feeds one parser with its part of the inputs.
import { inspect } from 'node:util';
import { answerTasks } from '../fixtures/worker-pool.ts';
import { runTarget, type FuzzOutcome } from './run-target.ts';
import { targets } from './targets.ts';

export interface FuzzTask {
  readonly target: string;
  readonly runs: number;
  readonly seed: number;
}

/** Of an input that is itself what was found. */
const LONG_LINE = /^(.{2000}).+/gm;

/** `found`: what broke the parser, in words. */
export type FuzzAnswer = FuzzOutcome | { readonly found: string };

answerTasks((task): FuzzAnswer => {
  const { target: name, runs, seed } = task as FuzzTask;
  const target = targets.find((each) => each.name === name);
  if (target === undefined) throw new Error(`no target ${name}`);
  try {
    return runTarget(target, runs, seed);
  } catch (error) {
    return { found: inspect(error, { depth: 1 }).replaceAll(LONG_LINE, '$1 ...') };
  }
});
