// npm run fuzz [-- --runs 100000] [--seed 1] [--target NAME]: each parser with so many inputs; says what it takes to have a finding again.
import { parseArgs } from 'node:util';
import { runTarget } from './run-target.ts';
import { targets } from './targets.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string' }, seed: { type: 'string' }, target: { type: 'string' } },
});
const runs = Number(values.runs ?? 100_000);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0) {
  console.error(`No such target. There are:\n${targets.map(({ name }) => `  ${name}`).join('\n')}`);
  process.exit(2);
}
console.log(`${runs} inputs each, seed ${seed}`);
for (const target of chosen) {
  const begun = performance.now();
  try {
    const { accepted, refused, slowestMs } = runTarget(target, runs, seed);
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    console.log(
      `${target.name}: ${accepted} accepted, ${refused} refused, slowest ${slowestMs.toFixed(0)} ms, ${seconds} s in all`,
    );
  } catch (error) {
    process.exitCode = 1;
    console.error(`${target.name}: FOUND with --seed ${seed} --target "${target.name}"\n`, error);
  }
}
