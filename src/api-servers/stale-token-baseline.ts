// What stands in a cluster of where uses of stale tokens are counted from.
import { z } from 'zod';
import type { StaleTokenBaseline } from '../rotation/slow-clients.ts';

export const staleTokenBaselineSchema: z.ZodType<StaleTokenBaseline> = z.looseObject({
  at: z.iso.datetime({ offset: true }),
  counts: z.array(
    z.union([
      z.looseObject({ node: z.string(), count: z.number(), startedAtMs: z.number() }),
      z.looseObject({ node: z.string(), unknown: z.string() }),
    ]),
  ),
});
