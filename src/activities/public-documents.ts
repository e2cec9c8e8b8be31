// The issuer's documents as relying parties see them: read over the public URL, never through the publisher.
import { KeyturnError } from '../errors.ts';
import { parseDiscovery, type Discovery } from '../jwks/discovery.ts';
import { kidsOf } from '../jwks/jwks.ts';
import type { StepControl } from '../platforms/port.ts';
import { readPublic } from '../publishers/read-back.ts';
import { SECOND_MS } from '../rotation/duration.ts';
import type { Kid } from '../rotation/key.ts';
import type { Serving } from '../rotation/publication-checks.ts';
import type { PublicIssuer } from './cluster-adapters.ts';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a written document may take to show at the public URL before the step is tried anew. */
const READ_BACK_MS = 30_000;
const READ_BACK_POLL_MS = 500;

export interface PublicJwks {
  readonly kids: readonly Kid[];
  readonly serving: Serving;
}

/** @throws JWKS_NOT_PUBLIC, PUBLISHER_UNREACHABLE, JWKS_MALFORMED */
export async function readPublicJwks({ jwksUrl, fetch }: PublicIssuer): Promise<PublicJwks> {
  const { body, contentType = null, cacheControl } = await readPublic(jwksUrl, { fetch });
  return { kids: kidsOf(body, jwksUrl), serving: { url: jwksUrl, contentType, maxAgeMs: maxAgeMs(cacheControl) } };
}

/** @throws as readPublicJwks */
export async function readPublicKids(issuer: PublicIssuer): Promise<readonly Kid[]> {
  return (await readPublicJwks(issuer)).kids;
}

/** The longest that any cache may keep an answer (RFC 9111 5.2.2), ms; null where the server does not say. */
function maxAgeMs(cacheControl = ''): number | null {
  const seconds = [...cacheControl.matchAll(/\b(?:s-maxage|max-age)="?(\d+)/gi)].map(([, digits]) => Number(digits));
  return seconds.length === 0 ? null : Math.max(...seconds) * SECOND_MS;
}

/** The public discovery document; null where there is none. */
export async function readPublicDiscovery({ discoveryUrl, fetch }: PublicIssuer): Promise<Discovery | null> {
  try {
    const { body } = await readPublic(discoveryUrl, { fetch });
    return parseDiscovery(body, discoveryUrl);
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'JWKS_NOT_PUBLIC' && error.details['status'] === 404)
      return null;
    throw error;
  }
}

/**
 * Waits until the public URL gives exactly this document.
 * @throws EFFECT_MISSING (retryable) where it still gives another one, as behind a cache
 */
export async function confirmPublic(
  url: string,
  expected: string,
  issuer: PublicIssuer,
  control: StepControl,
): Promise<void> {
  const deadline = Date.now() + READ_BACK_MS;
  for (;;) {
    const { body } = await readPublic(url, { fetch: issuer.fetch });
    if (body === expected) return;
    if (Date.now() >= deadline) {
      throw new KeyturnError('EFFECT_MISSING', `${url} still shows another document than the one that was written`, {
        subject: url,
        remedy: 'Look for a cache or a second origin in front of it; the step goes on by itself once it shows',
        retryable: true,
      });
    }
    control.report(`waiting until ${url} shows the document that was written`);
    await sleep(READ_BACK_POLL_MS, undefined, { signal: control.signal });
  }
}
