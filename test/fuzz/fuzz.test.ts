// Every parser with some thousand inputs, the same ones each time; `npm run fuzz` tries many more, others each time.
import { expect, test, vi } from 'vitest';
import { runTarget, type FuzzTarget } from './run-target.ts';
import { targets } from './targets.ts';

const RUNS = 200;

/** Of a busy machine. */
vi.setConfig({ testTimeout: 180_000 });

test.each(targets.map((target) => [target.name, target] as const))(
  '%s: each input is refused, or accepted with its laws kept',
  (_, target) => {
    const { accepted, refused } = runTarget(target, RUNS, 7);
    // Neither is everything refused, nor everything taken.
    expect(accepted).toBeGreaterThan(RUNS / 20);
    expect(refused).toBeGreaterThan(RUNS / 20);
  },
);

test.each([
  ['crashes', '{', (input: string) => JSON.parse(input) !== undefined, /JSON/],
  ['never ends', ',', neverEnds, /timed out/],
  ['takes what it should not', ';', takesAll, /taken/],
  ['pollutes prototypes', '{}', pollutes, /polluted/],
])('a parser that %s is found out', (_, seed, accepts, finding) => {
  const careless: FuzzTarget = { name: 'careless', seeds: [seed], accepts };
  expect(() => runTarget(careless, RUNS, 7, 500)).toThrow(finding);
});

test('what only a mutation brings to light is found, too', () => {
  const careless: FuzzTarget = {
    name: 'careless',
    seeds: ['{"a":"b"}'],
    accepts: (input) => JSON.parse(input) !== null,
  };
  expect(() => runTarget(careless, RUNS, 7)).toThrow(/Property failed after/);
});

function neverEnds(input: string): boolean {
  let at = 0;
  while (input.length > 0) at = (at + 1) % 7;
  return at === 0;
}

function takesAll(input: string): boolean {
  if (input.includes(';')) throw new Error('taken');
  return true;
}

function pollutes(): boolean {
  Object.assign(Object.prototype, { polluted: true });
  queueMicrotask(() => Reflect.deleteProperty(Object.prototype, 'polluted'));
  return true;
}
