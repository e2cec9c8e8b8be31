// What a person typed into the start form, checked before anything is done with it.
import { z } from 'zod';
import { legacyTokens } from '../config/legacy-token-schema.ts';
import { KeyturnError } from '../errors.ts';
import type { RotationInput } from './contract.ts';

const waitMs = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const schema = z.strictObject({
  cluster: z.string().exactOptional(),
  reason: z.string().exactOptional(),
  requestedBy: z.string().exactOptional(),
  drain: z
    .discriminatedUnion('policy', [
      z.strictObject({ policy: z.literal('refreshing') }),
      z.strictObject({ policy: z.literal('expiry'), boundMs: waitMs.exactOptional() }),
      z.strictObject({
        policy: z.literal('fixed'),
        durationMs: waitMs,
        allowShorter: z.string().min(1).exactOptional(),
      }),
    ])
    .exactOptional(),
  relyingPartyCacheMs: waitMs.exactOptional(),
  allowSingleApiServer: z.boolean().exactOptional(),
  legacyTokens: legacyTokens.exactOptional(),
  gates: z.array(z.enum(['signing', 'pruning', 'each-node'])).exactOptional(),
});

/** @throws CONFIG_INVALID with every problem at once */
export function parseRotationInput(input: unknown): RotationInput {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new KeyturnError(
    'CONFIG_INVALID',
    `The rotation cannot be started with this input:\n${z.prettifyError(parsed.error)}\n`,
    {
      subject: 'input',
      remedy: 'Send nothing, or an object such as {"cluster": "prod", "reason": "quarterly"}',
    },
  );
}
