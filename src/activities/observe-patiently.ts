// A connection that breaks once must not cost a scheduled rotation: what cannot be reached is looked at again before it is refused.
import { setTimeout as sleep } from 'node:timers/promises';
import type { StepControl } from '../platforms/port.ts';
import { findBlockers, type PreflightFacts } from '../rotation/preflight.ts';

/** ms. A look that took so long by itself has been patient already. */
interface Patience {
  readonly totalMs: number;
  readonly pauseMs: number;
}

/** The facts as soon as everything was reached, else those of the last look. @param patience default 10 s, with a look every 5 s */
export async function observePatiently(
  observe: () => Promise<PreflightFacts>,
  { signal, report }: Pick<StepControl, 'signal' | 'report'>,
  { totalMs, pauseMs }: Patience = { totalMs: 10_000, pauseMs: 5000 },
): Promise<PreflightFacts> {
  for (const giveUpAt = Date.now() + totalMs; ; await sleep(pauseMs, undefined, { signal })) {
    const facts = await observe();
    const unreached = findBlockers(facts).find(({ code }) => code.endsWith('_UNREACHABLE'));
    if (unreached === undefined || Date.now() >= giveUpAt) return facts;
    report(`looking again: ${unreached.message}`);
  }
}
