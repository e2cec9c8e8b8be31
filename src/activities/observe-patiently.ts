// A connection that breaks once must not cost a scheduled rotation: what cannot be reached is looked at again before it is refused.
import type { StepControl } from '../platforms/port.ts';
import { patienceOf, systemClock, waitFor, type Sighting } from '../wait-for.ts';
import { findBlockers, type PreflightFacts } from '../rotation/preflight.ts';

/** ms. A look that took so long by itself has been patient already. */
const TIMING = { totalMs: 10_000, pauseMs: 5000 };

/** The facts as soon as everything was reached, else those of the last look. */
export async function observePatiently(
  observe: () => Promise<PreflightFacts>,
  control: StepControl,
  { totalMs, pauseMs } = TIMING,
): Promise<PreflightFacts> {
  const look = async (): Promise<Sighting & { readonly facts: PreflightFacts }> => {
    const facts = await observe();
    const unreached = findBlockers(facts).find(({ code }) => code.endsWith('_UNREACHABLE'));
    return {
      facts,
      ...(unreached === undefined ? { proof: 'everything was reached' } : { missing: unreached.message }),
    };
  };
  const patience = patienceOf({ clock: systemClock, pollMs: pauseMs }, totalMs, control, 'looking again');
  return (await waitFor(look, patience)).facts;
}
