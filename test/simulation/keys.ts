// Keys of the simulated world: a set of keys is a number with one bit for each, so that many thousands of sets are cheap.
import type { KeyRef, PublicKey } from '../../src/rotation/key.ts';

export type Keys = number;

/** Signs when a rotation begins. */
export const FORMER: Keys = 1;
/** Made by the rotation. */
export const NEXT: Keys = 2;
/** Somebody else's, in the public JWKS. */
export const FOREIGN: Keys = 4;
/** Somebody else's, in a key file that API servers trust. */
export const OTHER: Keys = 8;
/** Made where the key store has lost NEXT. */
export const SECOND: Keys = 16;
const LATE_FOREIGN: Keys = 32;

/** Those that sign. */
export const SIGNERS: readonly Keys[] = [FORMER, NEXT, SECOND];

const WORDS: ReadonlyMap<Keys, string> = new Map([
  [FORMER, 'the former key'],
  [NEXT, 'the new key'],
  [FOREIGN, 'a foreign key'],
  [OTHER, 'a key of somebody else'],
  [SECOND, 'a second new key'],
  [LATE_FOREIGN, 'a foreign key that came later'],
]);
const KIDS: ReadonlyMap<Keys, string> = new Map([
  [FORMER, 'former-kid'],
  [NEXT, 'next-kid'],
  [FOREIGN, 'foreign-kid'],
  [OTHER, 'other-kid'],
  [SECOND, 'second-kid'],
  [LATE_FOREIGN, 'late-foreign-kid'],
]);

export { LATE_FOREIGN };

export const publicKeyOf = (key: Keys): PublicKey => ({
  kid: kidOf(key),
  alg: 'RS256',
  publicPem: `${kidOf(key)} pem\n`,
});

export function kidOf(key: Keys): string {
  return KIDS.get(key) ?? 'unknown-kid';
}

export function keyOf(kid: string): Keys {
  return [...KIDS].find(([, each]) => each === kid)?.[0] ?? 0;
}

export function wordsFor(keys: Keys): string {
  const names = [...WORDS].filter(([key]) => (keys & key) !== 0).map(([, name]) => name);
  return names.join(' and ') || 'no key';
}

const refs = new Map<Keys, readonly KeyRef[]>();

/** As an API server lists them. */
export function refsOf(keys: Keys): readonly KeyRef[] {
  const known = refs.get(keys);
  if (known !== undefined) return known;
  const made = [...KIDS].filter(([key]) => (keys & key) !== 0).map(([, kid]) => ({ kid, alg: 'RS256' as const }));
  refs.set(keys, made);
  return made;
}

const kids = new Map<Keys, readonly string[]>();

export function kidsOf(keys: Keys): readonly string[] {
  const known = kids.get(keys);
  if (known !== undefined) return known;
  const made = refsOf(keys).map(({ kid }) => kid);
  kids.set(keys, made);
  return made;
}
