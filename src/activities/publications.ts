// All places where the issuer's documents are published: what is changed in one is changed in all, and what holds must hold in all.
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import type { ClusterAdapters, Publication } from './cluster-adapters.ts';
import { readPublicKids } from './public-documents.ts';

export type PublishingAdapters = Pick<ClusterAdapters, 'publisher' | 'publicIssuer' | 'mirrors'>;

/** The issuer's own place first. */
export function publicationsOf({ publisher, publicIssuer, mirrors = [] }: PublishingAdapters): readonly Publication[] {
  return [{ publisher, publicIssuer }, ...mirrors];
}

/** Where the public JWKS are, for proofs. */
export function publicUrlsOf(adapters: PublishingAdapters): string {
  return publicationsOf(adapters)
    .map(({ publicIssuer }) => publicIssuer.jwksUrl)
    .join(', ');
}

/**
 * Changes every place, also where one before it failed: the fewer are behind, the fewer relying parties are at risk.
 *
 * @param change true where there was something to change
 * @returns true where that was so anywhere
 * @throws MIRRORS_DISAGREE with who has the change and who has not; with a single place, what `change` throws
 */
export async function changeEverywhere(
  adapters: PublishingAdapters,
  change: (publication: Publication) => Promise<boolean>,
): Promise<boolean> {
  const publications = publicationsOf(adapters);
  const done: string[] = [];
  const failures: { readonly url: string; readonly error: KeyturnError }[] = [];
  let changed = false;
  for (const publication of publications) {
    const url = publication.publicIssuer.jwksUrl;
    try {
      changed = (await change(publication)) || changed;
      done.push(url);
    } catch (error) {
      if (!(error instanceof KeyturnError) || publications.length === 1) throw error;
      failures.push({ url, error });
    }
  }
  if (failures.length === 0) return changed;
  const behind = failures.map(({ error }) => error.message).join('; ');
  const state = done.length === 0 ? 'No mirror has the change' : `Only ${done.join(', ')} has the change`;
  throw new KeyturnError('MIRRORS_DISAGREE', `${state}, ${failures.map(({ url }) => url).join(', ')} not: ${behind}`, {
    subject: failures.map(({ url }) => url).join(', '),
    remedy: 'Nothing goes on until all agree. Mend what is named and retry: what is done already is not done again',
    retryable: failures.every(({ error }) => error.retryable),
    details: { done, behind: failures.map(({ url, error: { code } }) => ({ url, code })) },
  });
}

export interface PublicKids {
  /** Public in all places. */
  readonly everywhere: readonly Kid[];
  /** Public in at least one. */
  readonly somewhere: readonly Kid[];
}

/** @throws as readPublicKids, where any place cannot be read */
export async function readAllPublicKids(adapters: PublishingAdapters): Promise<PublicKids> {
  const kids = await Promise.all(publicationsOf(adapters).map(({ publicIssuer }) => readPublicKids(publicIssuer)));
  const somewhere = [...new Set(kids.flat())];
  return { everywhere: somewhere.filter((kid) => kids.every((ofOne) => ofOne.includes(kid))), somewhere };
}
