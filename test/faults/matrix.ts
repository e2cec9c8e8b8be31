// Which rotations try which faults: all cells of the matrix in few rotations, or random pairs by a seed.
import { FAULTS, faultNamed } from './faults.ts';
import { MOMENT_NAMES, type MomentName } from './moments.ts';
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
    one('Trusting', 'manifest changed by another'),
    one('Signing', 'worker killed in the activity'),
    one('Verifying', 'etcd lost'),
    one('Draining', 'API server killed'),
    one('Pruning', 'Blob store answers 403'),
    one('Untrusting', 'network to a node cut'),
  ],
};

/** A pair, in the most delicate phase, from which an operator goes back. */
export const TELLING_BACK: TrialPlan = {
  ending: 'back',
  injections: [{ moment: 'Signing', faults: ['worker killed in the activity', 'Blob store away'].map(faultNamed) }],
};

function one(moment: MomentName, fault: string): Injection {
  return { moment, faults: [faultNamed(fault)] };
}

export function allCells(faults: readonly Fault[] = FAULTS): readonly Cell[] {
  return faults.flatMap((fault) =>
    MOMENT_NAMES.filter((moment) => fault.expected[moment] !== undefined).map((moment) => ({ fault, moment })),
  );
}

/** Packs cells into rotations: in each phase of one rotation comes one fault, each fault once, mended before the next comes. */
export function packCells(cells: readonly Cell[]): readonly TrialPlan[] {
  const plans: TrialPlan[] = [];
  let left = cells;
  const telling = TELLING.injections.flatMap(({ moment, faults }) => {
    return cells.filter((cell) => cell.moment === moment && faults.includes(cell.fault));
  });
  if (telling.length === TELLING.injections.length) {
    plans.push(TELLING);
    left = cells.filter((cell) => !telling.includes(cell));
  }
  while (left.length > 0) {
    const chosen: Cell[] = [];
    for (const [index, moment] of MOMENT_NAMES.entries()) {
      const free = left.filter((cell) => cell.moment === moment && chosen.every(({ fault }) => fault !== cell.fault));
      // The faults of the moments that stand beside are spread, so that one rotation is not all of one kind.
      const cell = free[(index * 3) % Math.max(free.length, 1)];
      if (cell === undefined) continue;
      chosen.push(cell);
      if (cell.fault.lasts) break;
    }
    left = left.filter((cell) => !chosen.includes(cell));
    plans.push({
      ending: 'forward',
      injections: chosen.map(({ fault, moment }) => ({ moment, faults: [fault] })),
    });
  }
  return plans;
}

/** Before these no rotation has anything to roll back, after them it no longer can. */
const CAN_ROLL_BACK: readonly MomentName[] = ['Publishing', 'Trusting', 'Signing', 'Verifying', 'Draining'];

/** Two faults at one moment of one rotation; every third is rolled back. The same seed gives the same pairs. */
export function randomPairs(count: number, seed: number): readonly TrialPlan[] {
  const random = randomOf(seed);
  const pick = <T>(from: readonly T[]): T => {
    const picked = from[Math.floor(random() * from.length)];
    if (picked === undefined) throw new RangeError('nothing to pick from');
    return picked;
  };
  return Array.from({ length: count }, (_, index) => {
    const ending = index % 3 === 2 ? 'back' : 'forward';
    const moment = pick(ending === 'back' ? CAN_ROLL_BACK : MOMENT_NAMES);
    const possible = FAULTS.filter((fault) => fault.expected[moment] !== undefined && !fault.lasts);
    const first = pick(possible);
    // Two that replace the worker are one fault; a pause waits for what another keeps from coming.
    const others = possible.filter((fault) => fault.name.startsWith('worker') !== first.name.startsWith('worker'));
    return { ending, injections: [{ moment, faults: [first, pick(others.length > 0 ? others : possible)] }] };
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
