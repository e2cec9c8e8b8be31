// A connection that breaks once must not cost a scheduled rotation: what cannot be reached is looked at again before it is refused.
import { setTimeout as sleep } from 'node:timers/promises';
import type { StepControl } from '../platforms/port.ts';
import { findBlockers, type PreflightFacts } from '../rotation/preflight.ts';

const LOOKS = 3;
const PAUSE_MS = 5000;

/**
 * The facts as soon as everything was reached, else those of the third look.
 * @param pauseMs between looks. Default 5000
 */
export async function observePatiently(
  observe: () => Promise<PreflightFacts>,
  { signal, report }: Pick<StepControl, 'signal' | 'report'>,
  pauseMs: number = PAUSE_MS,
): Promise<PreflightFacts> {
  for (let looks = 1; ; looks += 1) {
    const facts = await observe();
    const unreached = findBlockers(facts).find(({ code }) => code.endsWith('_UNREACHABLE'));
    if (unreached === undefined || looks === LOOKS) return facts;
    report(`looking again: ${unreached.message}`);
    await sleep(pauseMs, undefined, { signal });
  }
}
