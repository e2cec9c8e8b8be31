// The role of each key of a cluster, derived from how far a rotation has come.
import type { KeyRef } from './key.ts';
import type { Plan } from './plan.ts';

/** `active` signs; `next` is trusted and published but does not sign yet; `retiring` no longer signs, its tokens may live; `retired`. */
export type KeyRole = 'active' | 'next' | 'retiring' | 'retired';

export interface KeyringEntry extends KeyRef {
  readonly role: KeyRole;
  readonly version: number;
}

/** How far a rotation has come, in ids of steps. */
export interface Progress {
  /** Done, and not taken back. */
  readonly done: ReadonlySet<string>;
  readonly undone: ReadonlySet<string>;
}

/** The roles of the two keys of a rotation; a new key that was given up is as retired as a former one that was outlived. */
export function keyringOf(
  plan: Plan,
  { done, undone }: Progress,
  keys: { readonly former: KeyRef; readonly next: KeyRef; readonly nextVersion: number },
): readonly KeyringEntry[] {
  const idsOf = (type: string) => plan.steps.filter(({ action }) => action.type === type).map(({ id }) => id);
  const all = (type: string) => idsOf(type).length > 0 && idsOf(type).every((id) => done.has(id));
  const switched = all('sign') || all('followRotation');
  const givenUp = idsOf('stageKey').some((id) => undone.has(id));
  // Where nobody is told to forget it, the platform has.
  const isForgotten =
    all('untrust') || all('forgetFormer') || [...idsOf('untrust'), ...idsOf('forgetFormer')].length === 0;
  const former: KeyRole = !switched ? 'active' : isForgotten ? 'retired' : 'retiring';
  return [
    { ...keys.former, role: former, version: keys.nextVersion - 1 },
    { ...keys.next, role: switched ? 'active' : givenUp ? 'retired' : 'next', version: keys.nextVersion },
  ];
}
