// npm run faults: rotations of a real control plane while everything fails, and the report of what was seen.
import { appendFile, readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { FaultScene } from './fault-scene.ts';
import { FAULTS, faultNamed } from './faults.ts';
import { allCells, packCells, randomPairs, TELLING_BACK } from './matrix.ts';
import { writeReport } from './report.ts';
import { runTrial, type TrialResult } from './run-trial.ts';
import type { Injection, TrialPlan } from './trial.ts';

const USAGE = `npm run faults -- [options]
  --fault <name>     only this fault; may be repeated
  --phase <name>     only this phase; may be repeated
  --alone            one fault a rotation, where many share one otherwise
  --pairs <n>        so many rotations with random pairs of faults in place of the matrix
  --also-pairs <n>   the same, and then the matrix
  --seed <n>         of the pairs; default 1
  --minutes <n>      begin no rotation after that
  --report <file>    default: docs/reliability.md
  --log <file>       one line of JSON for each rotation; what stands in it is part of the report and is not run again
Ctrl-C ends it after the rotation that is under way.`;

const { values: options } = parseArgs({
  options: {
    fault: { type: 'string', multiple: true },
    phase: { type: 'string', multiple: true },
    alone: { type: 'boolean' },
    pairs: { type: 'string' },
    'also-pairs': { type: 'string' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: 'Infinity' },
    report: { type: 'string', default: 'docs/reliability.md' },
    log: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});
const say = (text: string) => process.stdout.write(`${text}\n`);
if (options.help) {
  say(USAGE);
  process.exit();
}

const startedAt = new Date();
const results: TrialResult[] = await readLog(options.log);
let world = await FaultScene.open();
let isGood = true;
let isStopping = false;
process.once('SIGINT', () => (isStopping = true));
try {
  const impossible: string[] = [];
  for (const { name, isPossible } of FAULTS) {
    if (isPossible !== undefined && !(await isPossible(world))) impossible.push(name);
  }
  const facts = {
    command: ['npm run faults', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
    cells: allCells().length,
    impossible,
  };
  const endAt = startedAt.getTime() + Number(options.minutes) * 60_000;
  const plans = plansOf(impossible);
  for (const [index, plan] of plans.entries()) {
    if (isStopping || Date.now() > endAt) break;
    say(`\n${index + 1} of ${plans.length}: ${describe(plan)}`);
    const result = await runTrial(world, plan, ({ moment, faults, held, seconds }) => {
      say(
        `  ${moment}: ${faults.join(' with ')}: ${seconds} s${held.length === 0 ? '' : `, held: ${held.join(', ')}`}`,
      );
    });
    results.push(result);
    isGood &&= result.findings.length === 0;
    const { probes, outcome, seconds, holds, findings } = result;
    say(
      `  ${outcome} in ${seconds} s; ${probes.checks} checks, ${probes.rejected} rejected; held: ${holds.join(', ') || '-'}`,
    );
    for (const finding of findings) say(`  FINDING: ${finding}`);
    if (options.log !== undefined) await appendFile(options.log, `${JSON.stringify(result)}\n`);
    await writeReport(options.report, facts, results);
    if (result.outcome === 'not-ended') {
      await world.close();
      world = await FaultScene.open();
    }
  }
} finally {
  await world.close();
}
process.exit(isGood ? 0 : 1);

function plansOf(impossible: readonly string[]): readonly TrialPlan[] {
  const isNew = ({ moment, faults }: Injection) => {
    const names = faults.map(({ name }) => name);
    return names.every((name) => !impossible.includes(name)) && !hasRun(moment, names);
  };
  const pairs = (count: string | undefined): readonly TrialPlan[] => {
    if (count === undefined) return [];
    const all = [TELLING_BACK, ...randomPairs(Number(count), Number(options.seed))];
    const left = all.map((plan) => ({ ...plan, injections: plan.injections.filter(isNew) }));
    return left.filter(({ injections }) => injections.length > 0);
  };
  if (options.pairs !== undefined) return pairs(options.pairs);
  const faults = (options.fault?.map(faultNamed) ?? FAULTS).filter(({ name }) => !impossible.includes(name));
  const cells = allCells(faults).filter(({ moment, fault }) => {
    return (options.phase?.includes(moment) ?? true) && !hasRun(moment, [fault.name]);
  });
  const matrix = options.alone ? cells.flatMap((cell) => packCells([cell])) : packCells(cells);
  return [...pairs(options['also-pairs']), ...matrix];
}

function hasRun(moment: string, names: readonly string[]): boolean {
  const injections = results.flatMap((result) => result.injections);
  return injections.some((each) => each.moment === moment && each.faults.join() === names.join());
}

async function readLog(file: string | undefined): Promise<TrialResult[]> {
  const text = file === undefined ? '' : await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TrialResult);
}

function describe({ injections, ending }: TrialPlan): string {
  const faults = injections.map(
    ({ moment, faults: each }) => `${moment}: ${each.map(({ name }) => name).join(' with ')}`,
  );
  return `${faults.join('; ')}${ending === 'back' ? '; then back' : ''}`;
}
