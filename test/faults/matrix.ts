// Which rotations try which faults: all cells of the matrix in few rotations, or random pairs by a seed.
import { FAULTS, faultNamed } from './faults.ts';
import { type Moment, MOMENT_NAMES, type MomentName, MOMENTS } from './moments.ts';
import type { Fault, Injection, TrialPlan } from './trial.ts';

export interface Cell {
  readonly fault: Fault;
  readonly moment: MomentName;
}

/** The most telling cells, in one rotation: they come first, and are what continuous integration runs. */
export const TELLING: TrialPlan = {
  ending: 'forward',
  injections: [
    one('Staging', 'Temporal killed'),
    one('Publishing', 'Blob store stale'),
    one('Trusting', 'key file truncated'),
    one('Signing', 'manifest changed by another'),
    one('Verifying', 'etcd without quorum'),
    one('Refreshing', 'API server hangs'),
    one('Draining', 'worker killed in the activity'),
    one('Pruning', 'Blob store answers 403'),
    one('Untrusting', 'network to a node cut'),
  ],
};

/** A pair, in the most delicate phase, from which an operator goes back. */
export const TELLING_BACK: TrialPlan = {
  ending: 'back',
  injections: [one('Signing', 'worker killed in the activity', 'Blob store away')],
};

function one(moment: MomentName, ...faults: readonly string[]): Injection {
  return { moment, at: MOMENTS[moment][0], faults: faults.map(faultNamed) };
}

export function allCells(faults: readonly Fault[] = FAULTS): readonly Cell[] {
  return faults.flatMap((fault) =>
    MOMENT_NAMES.filter((moment) => fault.expected[moment] !== undefined).map((moment) => ({ fault, moment })),
  );
}

const ALL_MOMENTS = MOMENT_NAMES.flatMap((moment) => MOMENTS[moment].map((at: Moment) => ({ moment, at })));

/** Packs cells into rotations: at each moment of one rotation comes one fault, each fault once, mended before the next comes. */
export function packCells(cells: readonly Cell[]): readonly TrialPlan[] {
  const plans: TrialPlan[] = [];
  let left = cells;
  const telling = TELLING.injections.flatMap(({ moment, faults }) => {
    return cells.filter((cell) => cell.moment === moment && faults.includes(cell.fault));
  });
  if (telling.length === TELLING.injections.length) {
    plans.push(TELLING);
    left = left.filter((cell) => !telling.includes(cell));
  }
  while (left.length > 0) {
    const injections: Injection[] = [];
    for (const [index, { moment, at }] of ALL_MOMENTS.entries()) {
      const used = injections.flatMap(({ faults }) => faults);
      const free = left.filter(({ fault, ...cell }) => {
        return cell.moment === moment && !used.includes(fault) && !(at.isTight && fault.comesBefore);
      });
      // The faults of the moments that stand beside are spread, so that one rotation is not all of one kind.
      // Nothing comes after a fault that lasts: it waits until nothing else is left here.
      const passing = free.filter(({ fault }) => !fault.lasts);
      const cell = passing[(index * 3) % Math.max(passing.length, 1)] ?? free[0];
      if (cell === undefined) continue;
      injections.push({ moment, at, faults: [cell.fault] });
      if (cell.fault.lasts) break;
    }
    const isTaken = ({ fault, moment }: Cell) =>
      injections.some((each) => each.moment === moment && each.faults.includes(fault));
    left = left.filter((cell) => !isTaken(cell));
    plans.push({ ending: 'forward', injections });
  }
  return plans;
}

/** Before these no rotation has anything to roll back, after them it no longer can. */
const CAN_ROLL_BACK: readonly MomentName[] = ['Publishing', 'Trusting', 'Signing', 'Verifying', 'Draining'];

/** Rotations with two faults at once in about every second phase; every third is rolled back after the last. The same seed gives the same pairs. */
export function randomPairs(rotations: number, seed: number): readonly TrialPlan[] {
  const random = randomOf(seed);
  const pick = <T>(from: readonly T[]): T => {
    const picked = from[Math.floor(random() * from.length)];
    if (picked === undefined) throw new RangeError('nothing to pick from');
    return picked;
  };
  const pairAt = (moment: MomentName): Injection => {
    const possible = FAULTS.filter((fault) => fault.expected[moment] !== undefined && !fault.lasts);
    const first = pick(possible);
    // Two that replace the worker are one fault; a pause waits for what another keeps from coming.
    const others = possible.filter((fault) => fault.name.startsWith('worker') !== first.name.startsWith('worker'));
    return { moment, at: MOMENTS[moment][0], faults: [first, pick(others.length > 0 ? others : possible)] };
  };
  return Array.from({ length: rotations }, (_, index) => {
    const ending = index % 3 === 2 ? 'back' : 'forward';
    const moments = ending === 'back' ? CAN_ROLL_BACK : MOMENT_NAMES;
    const drawn = moments.filter(() => random() < 0.5);
    return { ending, injections: (drawn.length > 0 ? drawn : [pick(moments)]).map(pairAt) };
  });
}

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
