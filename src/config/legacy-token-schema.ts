// The shape of `legacyTokens`, in keyturn.yaml and in the input of a rotation.
import { z } from 'zod';

/** They stand in the history with each step. */
const MAX_OVERRIDES = 100;

const policy = z
  .enum(['hold', 'refresh', 'keep'])
  .describe(
    'hold: the former key stays while one of its tokens was used since the switch; refresh: they get successors; keep: they may die',
  );
const inPlace = z
  .boolean()
  .exactOptional()
  .describe(
    'Of refresh: minted anew in the same Secret; who mounts it gets it about a minute late, who has it in its environment never',
  );
const reason = z.string().min(1).max(500).exactOptional().describe('Why; stands in the audit record');

const override = z
  .strictObject({
    namespace: z.string().min(1).describe('Of the Secrets'),
    secret: z.string().min(1).exactOptional().describe('Name of one Secret; default: all of the namespace'),
    policy,
    inPlace,
    reason,
  })
  .refine((each) => each.policy !== 'keep' || each.reason !== undefined, {
    path: ['reason'],
    message: 'is needed where tokens may die (policy: keep)',
  });

export const legacyTokens = z.union([
  policy,
  z
    .strictObject({
      default: policy.default('hold'),
      inPlace,
      reason,
      overrides: z.array(override).max(MAX_OVERRIDES).default([]).describe('The most specific one counts'),
    })
    .refine(({ overrides }) => new Set(overrides.map(titleOf)).size === overrides.length, {
      path: ['overrides'],
      message: 'two are for the same Secrets',
    }),
]);

function titleOf({ namespace, secret }: { readonly namespace: string; readonly secret?: string }): string {
  return `${namespace}/${secret ?? ''}`;
}
