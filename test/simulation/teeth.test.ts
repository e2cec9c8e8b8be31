// Each single change of a plan is found by some rotation, or stands in the table of harmless ones with the reason.
import { describe, expect, it } from 'vitest';
import { HARMLESS, HARMLESS_WHERE_SERVED, reasonWhyHarmless } from './harmless.ts';
import { mutationsOf } from './mutations.ts';
import { planFor } from './simulate.ts';
import { FULL, Trials } from './trials.ts';

/** Rotations at random besides those made for the change: `KEYTURN_TEETH=2000 npx vitest run test/simulation/teeth.test.ts`. */
const RANDOM = Number(process.env['KEYTURN_TEETH'] ?? 0);

describe.each([
  { platform: 'static-pod', table: HARMLESS },
  { platform: 'served', table: HARMLESS_WHERE_SERVED },
] as const)('the simulation has teeth: $platform', ({ platform, table }) => {
  const full = { ...FULL, platform };
  const mutations = mutationsOf(planFor(full));

  it('tries more than a hundred changes, each by another name', () => {
    expect(mutations.length).toBeGreaterThan(100);
    expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length);
  });

  it('has no reason in its table that no change needs', () => {
    const unused = table.filter(([pattern]) => !mutations.some(({ name }) => pattern.test(name)));
    expect(unused.map(([pattern]) => pattern.source)).toEqual([]);
  });

  it('finds each of them, or it is known why it harms nobody', { timeout: 600_000 }, () => {
    const trials = new Trials(full, RANDOM);
    const wrong: string[] = [];
    for (const mutation of mutations) {
      const harm = trials.findHarm(mutation);
      const reason = reasonWhyHarmless(mutation.name, platform);
      if (harm === null && reason === null) wrong.push(`not found: ${mutation.name}`);
      if (harm !== null && reason !== null) wrong.push(`not harmless: ${mutation.name}: ${harm}`);
    }
    expect(wrong).toEqual([]);
  });
});
