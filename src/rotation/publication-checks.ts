// What keeps a rotation from starting at the places where the JWKS is published.
import type { RelyingPartyName } from './accepted-algorithms.ts';
import { formatDuration } from './duration.ts';
import type { KeyRef, Kid } from './key.ts';
import type { ControlPlaneObservation, Problem } from './observation.ts';
import { isUnfinished, type RotationRecord } from './record.ts';

/** How a public JWKS is served. */
export interface Serving {
  readonly url: string;
  /** Null where the server does not say. */
  readonly contentType: string | null;
  /** How long its answers may be cached, ms; null where the server does not say. */
  readonly maxAgeMs: number | null;
}

/** A further place where the issuer's documents are published. */
export interface MirrorFacts {
  readonly url: string;
  /** Null where they could not be read. */
  readonly kids: readonly Kid[] | null;
  /** Issuer in its discovery document; null where there is none. */
  readonly issuer: string | null;
}

/** How many keys of a JWKS a relying party reads. */
export interface KeyLimit {
  readonly relyingParty: RelyingPartyName;
  readonly maxKeys: number;
}

/** A mirror must be one already: Keyturn does not decide which of two documents is right. */
export function findMirrorProblems(
  { mirrors = [], issuer }: { readonly mirrors?: readonly MirrorFacts[]; readonly issuer: string },
  former: KeyRef | null,
): readonly Problem[] {
  return mirrors.flatMap((mirror) => {
    const problems: Problem[] = [];
    if (former !== null && mirror.kids !== null && !mirror.kids.includes(former.kid)) {
      problems.push({
        code: 'MIRRORS_DISAGREE',
        subject: mirror.url,
        message: `The mirror ${mirror.url} lacks ${former.kid}, the key that signs now: who is sent there refuses tokens already. Copy the issuer's documents there first.`,
      });
    }
    if (mirror.issuer !== null && mirror.issuer !== issuer) {
      problems.push({
        code: 'MIRRORS_DISAGREE',
        subject: mirror.url,
        message: `The discovery document beside the mirror ${mirror.url} names the issuer ${mirror.issuer}, the configuration says ${issuer}. A mirror has the issuer's own document.`,
      });
    }
    return problems;
  });
}

/** The new key is added behind all others: behind the last one that is read it would be as good as missing. */
export function findFullKeySets(facts: {
  readonly publicKids: readonly Kid[] | null;
  readonly publicUrl: string;
  readonly staged: KeyRef | null;
  readonly keyLimits?: readonly KeyLimit[];
}): readonly Problem[] {
  const { publicKids, publicUrl, staged, keyLimits = [] } = facts;
  if (publicKids === null || (staged !== null && publicKids.includes(staged.kid))) return [];
  return keyLimits
    .filter(({ maxKeys }) => publicKids.length >= maxKeys)
    .map(({ relyingParty, maxKeys }) => ({
      code: 'PREFLIGHT_REFUSED',
      subject: publicUrl,
      message: `The public JWKS ${publicUrl} has ${publicKids.length} keys already, and the relying party ${relyingParty} reads the first ${maxKeys}: it would not see the new one. Take out keys that are no longer used, or take it out of relyingParties.`,
    }));
}

/** Where the cluster is said to serve its own issuer, the public JWKS is what its API servers trust, no more and no less. */
export function findOtherServer(facts: {
  readonly publishing?: 'by-trusting';
  readonly publicKids: readonly Kid[] | null;
  readonly publicUrl: string;
  readonly record: RotationRecord | null;
  readonly controlPlane: Pick<ControlPlaneObservation, 'apiServers'>;
}): readonly Problem[] {
  const { publishing, publicKids, publicUrl, record, controlPlane } = facts;
  if (publishing !== 'by-trusting' || publicKids === null || isUnfinished(record)) return [];
  const trusted = new Set(controlPlane.apiServers.flatMap((server) => server.trusted.map(({ kid }) => kid)));
  if (trusted.size === publicKids.length && publicKids.every((kid) => trusted.has(kid))) return [];
  return [
    {
      code: 'PREFLIGHT_REFUSED',
      subject: publicUrl,
      message: `The publisher is api-server, but ${publicUrl} shows other keys (${publicKids.join(', ')}) than the API servers serve (${[...trusted].join(', ')}). Correct publisher.jwksUrl, or name the publisher that writes that document.`,
    },
  ];
}

/** What the cache wait is shorter than: how long the API servers let their JWKS be cached, which no configuration of theirs changes. */
export function servedCacheMs(facts: {
  readonly publishing?: 'by-trusting';
  readonly servings?: readonly Serving[];
  readonly relyingPartyCache?: CacheWait;
}): number | null {
  const { publishing, servings: [serving] = [], relyingPartyCache } = facts;
  if (publishing !== 'by-trusting' || serving?.maxAgeMs == null || relyingPartyCache === undefined) return null;
  return relyingPartyCache.ms < serving.maxAgeMs ? serving.maxAgeMs : null;
}

export interface CacheWait {
  readonly ms: number;
  /** The recorded override for less than the JWKS may be cached. */
  readonly allowShorter?: string;
}

export function findShortCacheWait(
  facts: Parameters<typeof servedCacheMs>[0] & {
    readonly publicUrl: string;
    readonly record: RotationRecord | null;
  },
): readonly Problem[] {
  const servedMs = servedCacheMs(facts);
  const { publicUrl, record, relyingPartyCache } = facts;
  if (servedMs === null || relyingPartyCache === undefined || isUnfinished(record)) return [];
  if ((relyingPartyCache.allowShorter ?? '').trim() !== '') return [];
  return [
    {
      code: 'PREFLIGHT_REFUSED',
      subject: publicUrl,
      message: `${publicUrl} may be cached for ${formatDuration(servedMs)} (its Cache-Control), but relyingPartyCache is ${formatDuration(relyingPartyCache.ms)}: tokens of the new key would be refused by whoever cached it. Lengthen policies.relyingPartyCache, or give publisher.allowShorterCache a reason to accept that.`,
    },
  ];
}

const JSON_TYPE = /^application\/(?:jwk-set\+)?json\s*(?:;|$)/i;

/** Places whose JWKS is not served as JSON (RFC 7517 8.5), which some relying parties refuse to read. */
export function servedAsOtherThanJson(servings: readonly Serving[]): readonly Serving[] {
  return servings.filter(({ contentType }) => contentType === null || !JSON_TYPE.test(contentType));
}
