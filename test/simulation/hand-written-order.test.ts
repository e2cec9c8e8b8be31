// The hand-written procedure is refuted, with a story that anyone can read; each of its three mistakes by itself.
import { describe, expect, it } from 'vitest';
import { explore } from './explore.ts';
import { handWritten, type Mended } from './hand-written-order.ts';
import fc from 'fast-check';
import { FULL } from './trials.ts';

/** Nothing goes wrong, and tokens live for a year, as kubeadm sets clusters up. */
const quiet = fc.integer({ min: 2, max: 5 }).map((nodes) => ({
  ...FULL,
  nodes,
  drain: { policy: 'expiry' } as const,
  probePod: false,
  nodeAgents: false,
  restarts: false,
}));

function refute(mended: Mended) {
  const { harm, story } = explore({
    runs: 20,
    seed: 1,
    scenarios: quiet,
    variation: { plan: (plan) => handWritten(plan, mended) },
  });
  console.log(`${harm}\n${story.join('\n')}\n`);
  return { harm, last: story.at(-1)?.replace(/^\S+ \S+ /, '') };
}

describe('the hand-written order', () => {
  it('signs on the first node with a key that the others do not trust', () => {
    expect(refute({})).toEqual({
      harm: 'invariant 2: the new key signs somewhere, and node-2 does not have it',
      last: 'Let the API server of node-1 sign with the new key.',
    });
  });

  it('signs before relying parties have read the JWKS again, where all trust it first', () => {
    expect(refute({ trustsFirst: true })).toEqual({
      harm: 'invariant 1: a relying party rejects a valid token of the new key',
      last: 'Let the API server of node-1 sign with the new key.',
    });
  });

  it('forgets the former key after 24 h, while tokens of it live for a year', () => {
    expect(refute({ trustsFirst: true, waitsForCaches: true })).toEqual({
      harm: 'invariant 1: a relying party rejects a valid token of the former key',
      last: 'Take the former key out of the public JWKS.',
    });
  });
});
