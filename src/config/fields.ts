// Kinds of fields that stand in several places of keyturn.yaml.
import { z } from 'zod';
import { DURATION_PATTERN, parseDuration } from '../rotation/duration.ts';

/** Written as `24h`, `90d`, `1h30m`, `500ms`; read as ms. */
export const duration = (description: string) =>
  z
    .string()
    .regex(DURATION_PATTERN, 'must be a duration such as 24h, 90d or 1h30m')
    .describe(description)
    .transform((text) => parseDuration(text) ?? Number.NaN);

export const name = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/, 'must be lower-case letters, digits and dashes');

export const gates = z.array(z.enum(['signing', 'pruning', 'each-node']));

export const secretSource = z.union([
  z.strictObject({ env: z.string().min(1).describe('Name of an environment variable of the worker') }),
  z.strictObject({ file: z.string().min(1).describe('Path of a file that only the worker may read') }),
]);
export type SecretSource = z.output<typeof secretSource>;
