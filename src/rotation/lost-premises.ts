// What had been proven and was seen to be untrue later: the waits that were counted from that proof begin anew.
import type { Plan, Step, WaitType } from './plan.ts';
import type { UndoStep } from './roll-back.ts';
import type { Milestones } from './record.ts';

/**
 * Waits that a run counts anew after it was held by these guards and somebody has put right what they name.
 * 1. A key that was away from the JWKS is missing in the caches of whoever has read it meanwhile. Where the API servers serve the JWKS, that is
 *    so for each key that one of them does not trust, and for the new one where one joined.
 * 2. An API server that went on to sign with the former key has made tokens of it, to be waited for like those of before. So, perhaps, has one
 *    that joined: nobody knows which key it signed with until it was named or taken out.
 * 3. On the way back the same with the new key.
 */
export function waitsToBeginAnew(
  failed: readonly string[],
  way: 'forward' | 'back',
  publishing?: Plan['publishing'],
): readonly WaitType[] {
  const waits: WaitType[] = isKeyMissing(failed, publishing) ? ['relyingParties'] : [];
  if (way === 'forward' && hasOtherSigner(failed)) waits.push('drain');
  if (way === 'back' && hasSignerOfNext(failed)) waits.push('drainNext');
  return waits;
}

/** The waits as steps, with what a plan has before a wait. @param before the step that was held */
export function stepsBeforeRetry(
  plan: Plan,
  before: Pick<Step | UndoStep, 'id' | 'phase' | 'summary'>,
  waits: readonly WaitType[],
): readonly Step[] {
  const { id, phase, summary } = before;
  const release = plan.steps.find(({ action }) => action.type === 'releaseNodes');
  return [
    ...(release === undefined ? [] : [{ ...release, id: `${id}/release-nodes`, phase }]),
    ...waits.map((wait): Step => ({
      id: `${id}/wait-anew`,
      phase,
      summary: `Wait anew before: ${summary}`,
      action: { type: 'wait', wait },
      guards: [],
      undo: null,
    })),
  ];
}

/** What the cluster's record keeps of it, so that a run which takes the rotation up counts anew, too. Nothing where there was no proof yet. */
export function lostMilestones(
  failed: readonly string[],
  milestones: Milestones,
  at: string,
  publishing?: Plan['publishing'],
): Partial<Milestones> {
  const isLost = (milestone: keyof Milestones, seen: boolean) => seen && milestones[milestone] !== undefined;
  return {
    ...(isLost('publishedAt', isKeyMissing(failed, publishing)) ? { keyMissingAt: at } : {}),
    ...(isLost('verifiedAt', hasOtherSigner(failed)) ? { otherSignerAt: at } : {}),
  };
}

/** From when a run counts that takes the rotation up: from its own start where the proof was lost. RFC 3339; null where there was none. */
export function countedFrom(
  milestones: Milestones,
  startedAt: string,
): { readonly publishedAt: string | null; readonly verifiedAt: string | null } {
  const { publishedAt, keyMissingAt, verifiedAt, otherSignerAt } = milestones;
  const from = (proven: string | undefined, lost: string | undefined) =>
    proven !== undefined && lost !== undefined ? startedAt : (proven ?? null);
  return { publishedAt: from(publishedAt, keyMissingAt), verifiedAt: from(verifiedAt, otherSignerAt) };
}

function hasOtherSigner(failed: readonly string[]): boolean {
  return failed.includes('everyoneSignsWithNext') || failed.includes('noUnknownApiServer');
}

function hasSignerOfNext(failed: readonly string[]): boolean {
  return failed.includes('nobodySignsWithNext') || failed.includes('noUnknownApiServer');
}

const NOT_PUBLIC = ['nextIsPublic', 'formerIsPublic'];
const NOT_SERVED = [...NOT_PUBLIC, 'everyoneTrustsNext', 'everyoneTrustsFormer', 'noUnknownApiServer'];

function isKeyMissing(failed: readonly string[], publishing: Plan['publishing']): boolean {
  const guards = publishing === 'by-trusting' ? NOT_SERVED : NOT_PUBLIC;
  return guards.some((guard) => failed.includes(guard));
}
