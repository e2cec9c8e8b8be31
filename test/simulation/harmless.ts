// Changes of the plan that harm nobody, each with the reason. What is not named here must be found; what is named must not.
import type { Scenario } from './scenario.ts';

const TWO_LOCKS = 'the wait is kept twice, by its step and by this guard of a later one: each alone is enough';
const READY_ANYWAY = 'another guard of the step asks every API server, and waits for one that is not ready';
const PROVES_ITSELF = 'the action proves it again itself, and fails where it is not so';
const PRECEDED = 'the step just before has asked the same of everyone; who undoes it in between does the harm himself';
const ASKED_BEFORE = 'the other node, which comes first, has held the rotation already';
const ANY_ORDER = 'nothing depends on which of the two comes first';
const ONLY_A_PROOF = 'it proves and changes nothing: without it less is known, and nothing is worse';

/** By the mutation's name: the first that fits. */
export const HARMLESS: readonly (readonly [RegExp, string])[] = [
  [/^back-up\/node-1 before stage-key$/, ANY_ORDER],
  [/^back-up\/node-2 before back-up\/node-1$/, ANY_ORDER],
  [/^start-probe-pod before back-up\/node-2$/, ANY_ORDER],
  [/^publish-key before start-probe-pod$/, ANY_ORDER],
  [/^trust\/node-2 before trust\/node-1$/, ANY_ORDER],
  [/^(sign|untrust)\/node-2 before \S+controller-manager\/node-1$/, ANY_ORDER],
  [
    /^verify before switch-controller-manager\/node-2$/,
    'API servers are asked, controller managers are proven before Pruning',
  ],
  [/^verify-with-pod before verify$/, ANY_ORDER],
  [/^refresh before verify-with-pod$/, ANY_ORDER],
  [/^restart\S+ before prove-pod-refresh$/, ANY_ORDER],
  [/^release-nodes\/\S+ before /, 'agents that are removed earlier are made anew when a node is reached'],
  [/^drain before release-nodes\/drain$/, 'nothing has reached a node since the wait before, so that no agent is left'],
  [
    /^without release-nodes\/(drain|end)$/,
    'no node was reached since the former release, or the end removes all that is left',
  ],
  [/^without back-up\//, 'a back-up is for people: Keyturn takes steps back without it'],
  [/^undo of start-probe-pod missing$/, 'the end removes every pod that is left'],
  [/^without (wait-for-relying-parties|drain|undo\/wait-for-relying-parties)$/, TWO_LOCKS],
  [/^settle-legacy-tokens before drain$/, TWO_LOCKS],
  [/without (cachesExpired|drained|nextDrained)$/, TWO_LOCKS],
  [
    /^(sign|untrust|undo of trust|undo of sign)\S*\/node-\d without othersReady$|^undo of (trust|sign)\/node-\d without othersReady$/,
    READY_ANYWAY,
  ],
  [
    /^undo of (stage|publish)-key without nobodyTrustsNext$/,
    'everyone was made to distrust it just before, and each has shown it',
  ],
  [
    /^(trust\/node-\d|verify|verify-with-pod) without noUnknownApiServer$/,
    'it takes no key from anybody, and nobody signs by it: Signing and Pruning ask again',
  ],
  [/^(sign\/node-2|switch-controller-manager\/node-\d) without noUnknownApiServer$/, PRECEDED],
  [
    /^(settle-controller-manager\/node-\d|retire) without noUnknownApiServer$/,
    'Untrusting has asked just before, and what is left takes no key from any API server',
  ],
  [
    /^undo of trust\/node-\d without noUnknownApiServer$/,
    'flags are simulated, with which a node joins as a signer of the former key; for in-place it is proven in rotation/guards',
  ],
  [/^publish-key without nextStaged$/, PROVES_ITSELF],
  [
    /^trust\/node-\d without nextIsPublic$/,
    'asked again before anyone signs: trusting a key that is not public harms nobody',
  ],
  [
    /^undo of trust\/node-\d without nobodySignsWithNext$/,
    'the wait before it asks the same, and the action refuses on the node that signs',
  ],
  [/^undo of trust\/node-1 without noLegacyTokensOfNext$/, ASKED_BEFORE],
  [/^sign\/node-2 without nextIsPublic$/, PRECEDED],
  [
    /^undo of \S+ without everyoneTrustsFormer$/,
    'nobody but Untrusting takes that key away, and from there is no way back',
  ],
  [/^undo of sign\/node-1 without formerIsPublic$/, ASKED_BEFORE],
  [/^switch-controller-manager\/node-2 without everyoneTrustsNext$/, PRECEDED],
  [/^verify(-with-pod)? without (everyoneSignsWithNext|nextIsPublic)$/, PROVES_ITSELF],
  [
    /^(refresh|restart\S+|prove-pod-refresh|settle-legacy-tokens) without (everyoneSignsWithNext|nextIsPublic)$/,
    'it takes nothing of the former key away: Pruning asks again',
  ],
  [
    /^(without refresh|undo of refresh missing)$/,
    'whoever still needs a token holds the rotation: before Pruning, and on the way back before distrust',
  ],
  [
    /^undo of refresh without nobodySignsWithNext$/,
    'the controller manager is asked with which key it signs before anything is minted',
  ],
  [/^without (prove-pod-refresh|restart\S+)$/, ONLY_A_PROOF],
  [
    /^prune-key without nextIsPublic$/,
    'a new key that is missing is refused already; that the former one goes adds nothing',
  ],
  [
    /^prune-key without noLegacyTokensOfFormer$/,
    'relying parties never accept tokens in Secrets, and Untrusting asks again',
  ],
  [/^untrust\/node-\d without formerIsNotPublic$/, 'a former key that is public too long harms no token'],
  [/^untrust\/node-2 without noLegacyTokensOfFormer$/, ASKED_BEFORE],
  [/^untrust\/node-2 without everyoneSignsWithNext$/, PRECEDED],
  [
    /^retire without (nobodyTrustsFormer|everyoneSignsWithNext)$/,
    'Untrusting has proven it of each, and nothing that is removed is read by anyone',
  ],
  [/^undo\/wait-for-relying-parties without formerIsPublic$/, 'asked again before the first signer is switched back'],
  [/^undo\/drain without nobodySignsWithNext$/, 'asked again before the first API server distrusts it'],
];

const ASKED_AGAIN = 'Signing asks it again, and has the caches waited out anew where it is not so';
const TRUSTED_IS_PUBLIC = 'what every API server trusts is public, and another guard of the step asks them';
const PRUNING_PROVES = 'nothing is pruned before Untrusting, which asks the same again';

/** Besides, where the API servers serve the JWKS. */
export const HARMLESS_WHERE_SERVED: typeof HARMLESS = [
  [/^trust\/node-1 before start-probe-pod$/, ANY_ORDER],
  [/^trust\/node-\d without nextStaged$/, PROVES_ITSELF],
  [/^publish-key without (everyoneTrustsNext|noUnknownApiServer)$/, ASKED_AGAIN],
  [/^sign\/node-1 before wait-for-relying-parties$/, TWO_LOCKS],
  [/^(wait-for-relying-parties|sign\/node-1) without nextIsPublic$/, TRUSTED_IS_PUBLIC],
  [/^undo of sign\/node-2 without formerIsPublic$/, TRUSTED_IS_PUBLIC],
  [/^(without prune-key|untrust\/node-1 before prune-key)$/, PRUNING_PROVES],
  [/^prune-key without (everyoneSignsWithNext|noUnknownApiServer)$/, PRUNING_PROVES],
  [/^undo of prune-key (missing|without formerIsPublic)$/, 'the JWKS has not forgotten the former key'],
];

export function reasonWhyHarmless(name: string, platform: Scenario['platform']): string | null {
  const table = platform === 'served' ? [...HARMLESS, ...HARMLESS_WHERE_SERVED] : HARMLESS;
  return table.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}
