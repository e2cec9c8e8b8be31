// Goes through many scenarios from a seed, and makes the first harm that is found as short a story as it can.
import fc from 'fast-check';
import { anyScenario, type Scenario } from './scenario.ts';
import { simulate, type Variation } from './simulate.ts';

export interface Exploration {
  readonly runs: number;
  readonly seed: number;
  readonly scenarios?: fc.Arbitrary<Scenario>;
  readonly variation?: Variation;
  /** Whether the story is made short. Default true. */
  readonly shrinks?: boolean;
}

export interface Summary {
  /** Until the first harm. */
  readonly runs: number;
  readonly events: number;
  readonly endings: Readonly<Record<string, number>>;
  /** Null where nobody was harmed. */
  readonly harm: string | null;
  readonly story: readonly string[];
  readonly scenario: Scenario | null;
}

export function explore({ runs, seed, scenarios = anyScenario, variation = {}, shrinks = true }: Exploration): Summary {
  const counted = { runs: 0, events: 0, endings: {} as Record<string, number>, isOver: false };
  const property = fc.property(scenarios, (scenario) => {
    const { harm, ending, events } = simulate(scenario, variation);
    if (!counted.isOver) {
      counted.runs += 1;
      counted.events += events;
      if (ending !== null) counted.endings[ending] = (counted.endings[ending] ?? 0) + 1;
    }
    counted.isOver ||= harm !== null;
    return harm === null;
  });
  const { counterexample } = fc.check(property, { numRuns: runs, seed, endOnFailure: !shrinks });
  const scenario = counterexample?.[0] ?? null;
  const told = scenario === null ? null : simulate(scenario, variation, true);
  const { runs: count, events, endings } = counted;
  return { runs: count, events, endings, harm: told?.harm ?? null, story: told?.story ?? [], scenario };
}
