// `npm run simulate`: many rotations in which anything happens, from a seed. Tells what was seen, and the shortest story where anybody is harmed.
import { parseArgs } from 'node:util';
import { exploreOnAllCores } from './explore-on-all-cores.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '100000' }, seed: { type: 'string' } },
});
const runs = Number(values.runs);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed)) {
  console.error('usage: npm run simulate -- [--runs N] [--seed N], both whole numbers');
  process.exit(2);
}

const startedAt = performance.now();
const summary = await exploreOnAllCores(runs, seed);
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  [
    `${summary.runs} rotations with seed ${seed} in ${seconds.toFixed(1)} s (${Math.round(summary.runs / seconds)} a second)`,
    `${summary.events} events, the invariants looked at after each`,
    ...Object.entries(summary.endings).map(([ending, count]) => `${String(count).padStart(8)} ${ending}`),
    `${summary.harm === null ? 0 : 1} violation(s)`,
  ].join('\n'),
);
if (summary.harm !== null) {
  console.log(`\n${summary.harm}\n\nThe shortest story that was found:\n${summary.story.join('\n')}`);
  console.log(`\n${JSON.stringify(summary.scenario)}`);
  process.exitCode = 1;
}
