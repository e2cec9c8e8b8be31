// The invariants of the design, looked at after every event; and who has to answer for what is found.
import { cannotStart } from './node.ts';
import { FOREIGN, OTHER, SIGNERS, wordsFor, type Keys } from './keys.ts';
import type { World } from './world.ts';

/** An invariant was broken by what Keyturn did or left behind. */
export class Harm extends Error {}

export interface Wrong {
  /** The same for as long as it is so. */
  readonly sentence: string;
  /** A node, or the public JWKS with everyone who reads it. */
  readonly place: string;
  /** That should be there and is not; none where it is about something else. */
  readonly missing: Keys;
  /** Somebody signs with that key, or is on the way to it: tokens of it are there soon. */
  readonly isSigned: boolean;
}

const PUBLIC = 'the public JWKS';

const NOTHING: readonly Wrong[] = [];

/** Everything that is wrong now. */
export function whatIsWrong(world: World): readonly Wrong[] {
  const { everyNode: nodes, jwks } = world;
  const inUse = keysInUse(world);
  const fixed = world.keysOfFixedTokens();
  let apiSigners = 0;
  let signers = 0;
  for (const { signer, managerIsTheirs, managerSigner } of nodes) {
    apiSigners |= signer;
    if (!managerIsTheirs) signers |= managerSigner;
  }
  signers |= apiSigners;
  const known = world.jwksKnownEverywhere();
  let isFine = (inUse & ~known) === 0 && (apiSigners & ~jwks) === 0 && (jwks & FOREIGN) !== 0;
  for (const { trusted, disk } of nodes) {
    if (((inUse | fixed | signers) & ~trusted) !== 0) isFine = false;
    if ((disk.pub & OTHER) === 0 || cannotStart(disk)) isFine = false;
  }
  return isFine ? NOTHING : tell(world, { inUse, fixed, signers, apiSigners, known });
}

function tell(
  { everyNode: nodes, jwks }: World,
  {
    inUse,
    fixed,
    signers,
    apiSigners,
    known,
  }: Readonly<Record<'inUse' | 'fixed' | 'signers' | 'apiSigners' | 'known', Keys>>,
): readonly Wrong[] {
  const wrong: Wrong[] = [];
  const add = (place: string, missing: Keys, sentence: string, isSigned = false) =>
    wrong.push({ sentence, place, missing, isSigned });
  for (const { name, trusted, disk } of nodes) {
    for (const key of SIGNERS) {
      if ((key & (inUse | fixed) & ~trusted) !== 0)
        add(name, key, `invariant 1: ${name} rejects a valid token of ${wordsFor(key)}`);
      if ((key & signers & ~trusted) !== 0)
        add(name, key, `invariant 2: ${wordsFor(key)} signs somewhere, and ${name} does not have it`, true);
    }
    if ((disk.pub & OTHER) === 0)
      add(name, OTHER, `invariant 5: a key of somebody else is gone from a key file of ${name}`);
    if (cannotStart(disk))
      add(name, 0, `invariant 8: ${name} would not come up again: a manifest names a file that is not there`);
  }
  for (const key of SIGNERS) {
    if ((key & inUse & ~known) !== 0)
      add(PUBLIC, key, `invariant 1: a relying party rejects a valid token of ${wordsFor(key)}`);
    if ((key & apiSigners & ~jwks) !== 0)
      add(PUBLIC, key, `invariant 2: ${wordsFor(key)} signs, and the public JWKS does not have it`, true);
  }
  if ((jwks & FOREIGN) === 0) add(PUBLIC, FOREIGN, 'invariant 5: a foreign key is gone from the public JWKS');
  return wrong;
}

/** Keys of bound tokens that somebody may hold: at every moment every API server that is up signs one for somebody. */
function keysInUse({ nowMs, lastSignedMs, tokenLifeMs }: World): Keys {
  let keys = 0;
  for (const key of SIGNERS) if (nowMs < (lastSignedMs[key] ?? -Infinity) + tokenLifeMs) keys |= key;
  return keys;
}

/** What others have broken is told, and not held against Keyturn, for as long as it lasts and with what comes of it. */
export class Blame {
  private theirs: readonly Wrong[] = NOTHING;

  /** @throws Harm */
  look(world: World, cause: 'ours' | 'theirs'): void {
    const wrong = whatIsWrong(world);
    if (wrong.length === 0 && this.theirs.length === 0) return;
    if (cause === 'ours') {
      const { served } = world.options;
      const ours = wrong.find((each) => !this.theirs.some((known) => comesOf(each, known, served)));
      if (ours !== undefined) throw new Harm(ours.sentence);
    }
    // A key that others take out of the JWKS while somebody signs with it, or is on the way to it, is missing until everyone can have it again.
    const lasting = this.theirs.filter(
      ({ place, missing }) => place === PUBLIC && (missing & ~world.jwksKnownEverywhere()) !== 0,
    );
    this.theirs = [...wrong, ...lasting.filter((each) => !wrong.some(({ sentence }) => sentence === each.sentence))];
  }
}

/** It is what was wrong already; or tokens of a key are rejected where that key is missing since somebody signs with it. */
function comesOf(one: Wrong, known: Wrong, served: boolean): boolean {
  if (one.sentence === known.sentence) return true;
  // What one API server lacks is not public where they serve it, from when it answers again.
  if (served && known.isSigned && one.place === PUBLIC && one.missing === known.missing) return true;
  return known.isSigned && !one.isSigned && one.place === known.place && one.missing === known.missing;
}
