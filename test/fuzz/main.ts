// npm run fuzz [-- --runs 100000] [--seed 1] [--target NAME]: each parser with so many inputs, on all cores; says what it takes to have a finding again.
import { parseArgs } from 'node:util';
import { onAllCores, partsOf } from '../fixtures/worker-pool.ts';
import type { FuzzAnswer, FuzzTask } from './fuzz-thread.ts';
import type { FuzzOutcome } from './run-target.ts';
import { targets } from './targets.ts';

/** Inputs of one task: the threads are busy to the end. */
const PART = 5000;

const { values } = parseArgs({
  options: { runs: { type: 'string' }, seed: { type: 'string' }, target: { type: 'string' } },
});
const runs = Number(values.runs ?? 100_000);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0 || !Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed)) {
  console.error(
    `No such target, or no whole numbers. There are:\n${targets.map(({ name }) => `  ${name}`).join('\n')}`,
  );
  process.exit(2);
}
console.log(`${runs} inputs each, seed ${seed}`);

const tasks = chosen.flatMap(({ name }) =>
  partsOf(runs, seed, PART).map((part): FuzzTask => ({ target: name, ...part })),
);
const outcomes = new Map<string, FuzzOutcome[]>(chosen.map(({ name }) => [name, []]));
await onAllCores(new URL('./fuzz-thread.ts', import.meta.url), tasks, (result, index) => {
  const answer = result as FuzzAnswer;
  const { target, runs: count, seed: from } = tasks[index]!;
  if ('found' in answer) {
    process.exitCode = 1;
    console.error(`${target}: FOUND with --runs ${count} --seed ${from} --target "${target}"\n${answer.found}`);
    return;
  }
  const of = outcomes.get(target) ?? [];
  of.push(answer);
  if (of.length === partsOf(runs, seed, PART).length) tell(target, of);
});

function tell(target: string, of: readonly FuzzOutcome[]): void {
  const sum = (what: (outcome: FuzzOutcome) => number) => of.reduce((total, each) => total + what(each), 0);
  const slowestMs = Math.max(...of.map((each) => each.slowestMs));
  const told = `${sum(({ accepted }) => accepted)} accepted, ${sum(({ refused }) => refused)} refused`;
  console.log(`${target}: ${told}, slowest ${slowestMs.toFixed(0)} ms`);
}
