// Feeds a parser and judges what comes of it: refused as it should be, or accepted with its laws kept, in bounded time.
import { Script } from 'node:vm';
import fc from 'fast-check';
import { KeyturnError } from '../../src/errors.ts';
import { mutatedInput } from './mutation.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Documents to begin with. Each is tried as it is, too. */
  readonly seeds: readonly string[];
  /** Documents that are tried as they are only: huge ones, bombs. */
  readonly extremes?: readonly string[];
  /** Words that mean something to this parser. */
  readonly tokens?: readonly string[];
  /**
   * Parses the input, and checks what it gives.
   * @returns false where the parser refuses it by another way than a KeyturnError
   * @throws KeyturnError where it is refused; anything else is a finding
   */
  accepts(input: string): boolean;
}

export interface FuzzOutcome {
  readonly accepted: number;
  readonly refused: number;
  readonly slowestMs: number;
}

/** For one input, checks included, on a busy machine. What hangs is ended then. */
const MAX_MS = 10_000;
const MAX_MESSAGE_LENGTH = 20_000;

/**
 * @param seed of the random numbers: the same inputs again
 * @param maxMs for one input
 * @throws Error with the smallest input that was found to break it
 */
export function runTarget(target: FuzzTarget, runs: number, seed: number, maxMs = MAX_MS): FuzzOutcome {
  const counts = { accepted: 0, refused: 0, slowestMs: 0 };
  const tryOne = (input: string): void => {
    const begun = performance.now();
    const isAccepted = withinTime(maxMs, () => judge(target, input));
    if ('polluted' in {}) throw new Error('Object.prototype was polluted');
    counts.slowestMs = Math.max(counts.slowestMs, performance.now() - begun);
    counts[isAccepted ? 'accepted' : 'refused'] += 1;
  };
  for (const input of [...target.seeds, ...(target.extremes ?? [])]) tryOne(input);
  const inputs = mutatedInput(target.seeds, target.tokens ?? []);
  fc.assert(fc.property(inputs, tryOne), { numRuns: runs, seed, endOnFailure: false });
  return counts;
}

function judge(target: FuzzTarget, input: string): boolean {
  try {
    return target.accepts(input);
  } catch (error) {
    // An assertion of the target, or a crash of the parser.
    if (!(error instanceof KeyturnError)) throw error;
    const { code, subject, remedy, message } = error;
    if (subject === '' || remedy === '') throw new Error(`${code} without a subject or a remedy`, { cause: error });
    if (message.length > MAX_MESSAGE_LENGTH) {
      throw new Error(`${code} with a message of ${message.length} characters`, { cause: error });
    }
    return false;
  }
}

const call = new Script('globalThis.keyturnFuzzCall()');

/** V8 ends a call within a script that takes too long, also in a loop or a regular expression that never ends. */
function withinTime<T>(timeout: number, run: () => T): T {
  let result: T | undefined;
  Object.assign(globalThis, {
    keyturnFuzzCall: () => {
      result = run();
    },
  });
  call.runInThisContext({ timeout });
  return result as T;
}
