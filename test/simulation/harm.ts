// The invariants of the design, looked at after every event; and who has to answer for what is found.
import { cannotStart } from './node.ts';
import { FOREIGN, OTHER, SIGNERS, wordsFor, type Keys } from './keys.ts';
import type { World } from './world.ts';

/** An invariant was broken by what Keyturn did or left behind. */
export class Harm extends Error {}

export interface Wrong {
  /** The same for as long as it is so. */
  readonly sentence: string;
  /** A key that the public JWKS lacks; none where it is about something else. */
  readonly missing: Keys;
}

const NOTHING: readonly Wrong[] = [];

/** Everything that is wrong now. */
export function whatIsWrong(world: World): readonly Wrong[] {
  const { nodes, jwks } = world;
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
  { nodes, jwks }: World,
  {
    inUse,
    fixed,
    signers,
    apiSigners,
    known,
  }: Readonly<Record<'inUse' | 'fixed' | 'signers' | 'apiSigners' | 'known', Keys>>,
): readonly Wrong[] {
  const wrong: Wrong[] = [];
  const add = (sentence: string, missing: Keys = 0) => wrong.push({ sentence, missing: missing & ~jwks });
  for (const { name, trusted, disk } of nodes) {
    for (const key of SIGNERS) {
      if ((key & (inUse | fixed) & ~trusted) !== 0)
        add(`invariant 1: ${name} rejects a valid token of ${wordsFor(key)}`);
      if ((key & signers & ~trusted) !== 0)
        add(`invariant 2: ${wordsFor(key)} signs somewhere, and ${name} does not have it`);
    }
    if ((disk.pub & OTHER) === 0) add(`invariant 5: a key of somebody else is gone from a key file of ${name}`);
    if (cannotStart(disk))
      add(`invariant 8: ${name} would not come up again: a manifest names a file that is not there`);
  }
  for (const key of SIGNERS) {
    if ((key & inUse & ~known) !== 0)
      add(`invariant 1: a relying party rejects a valid token of ${wordsFor(key)}`, key);
    if ((key & apiSigners & ~jwks) !== 0)
      add(`invariant 2: ${wordsFor(key)} signs, and the public JWKS does not have it`, key);
  }
  if ((jwks & FOREIGN) === 0) add('invariant 5: a foreign key is gone from the public JWKS');
  return wrong;
}

/** Keys of bound tokens that somebody may hold: at every moment every API server that is up signs one for somebody. */
function keysInUse({ nowMs, lastSignedMs, tokenLifeMs }: World): Keys {
  let keys = 0;
  for (const key of SIGNERS) if (nowMs < (lastSignedMs[key] ?? -Infinity) + tokenLifeMs) keys |= key;
  return keys;
}

/** What others have broken is told, and not held against Keyturn, for as long as it lasts. */
export class Blame {
  private theirs: readonly Wrong[] = NOTHING;

  /** @throws Harm */
  look(world: World, cause: 'ours' | 'theirs'): void {
    const wrong = whatIsWrong(world);
    if (wrong.length === 0 && this.theirs.length === 0) return;
    if (cause === 'ours') {
      const ours = wrong.find(({ sentence }) => !this.theirs.some((each) => each.sentence === sentence));
      if (ours !== undefined) throw new Harm(ours.sentence);
    }
    // A key that others have taken out of the JWKS is missing until it is back, whoever signs with it meanwhile.
    const lasting = this.theirs.filter(({ missing }) => (missing & ~world.jwks) !== 0);
    this.theirs = [...wrong, ...lasting.filter(({ sentence }) => !wrong.some((each) => each.sentence === sentence))];
  }
}
