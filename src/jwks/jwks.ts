// Reads a JWKS document (RFC 7517 section 5) that anyone may have written. Pure: usable in workflow code.
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import { elementsAt, membersAt, skipSpace } from './json-spans.ts';
import type { Span } from './json-spans.ts';

/** 1 MiB, counted in characters. The largest key sets in use are some hundred KiB; relying parties cap at about this. */
export const MAX_JWKS_LENGTH = 1_048_576;

/** A key of a published document: ours or foreign, with members that Keyturn may not know. */
export type PublishedJwk = Readonly<Record<string, unknown>>;

export interface Jwks {
  /** Everything that the document says, unknown members included. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly keys: readonly PublishedJwk[];
}

/** A JWKS together with where its keys stand in the text. */
export interface LocatedJwks extends Jwks {
  readonly keysArray: Span;
  /** One for each of `keys`. */
  readonly elements: readonly Span[];
}

/**
 * Keys of kinds that Keyturn does not know, and members that it does not know, are kept (RFC 7517 sections 4 and 5 ask to ignore them).
 *
 * @param subject where the document comes from, for errors
 * @throws JWKS_MALFORMED where it is not JSON, has no `keys` array of objects, names `keys` twice, or exceeds 1 MiB
 */
export function parseJwks(body: string, subject = 'the JWKS'): Jwks {
  const { document, keys } = locateKeys(body, subject);
  return { document, keys };
}

/** The key ids of a document in its order, each once. Keys without a string `kid` are left out. @throws JWKS_MALFORMED */
export function kidsOf(body: string, subject?: string): readonly Kid[] {
  return [
    ...new Set(
      parseJwks(body, subject)
        .keys.map(kidOfJwk)
        .filter((kid) => kid !== undefined),
    ),
  ];
}

/** The `kid` of a published key, or undefined where it has none or one that is not a string. */
export function kidOfJwk(jwk: PublishedJwk): Kid | undefined {
  const kid = ownMember(jwk, 'kid');
  return typeof kid === 'string' ? kid : undefined;
}

/** A member that stands in the document itself; names such as `constructor` or `__proto__` reach no further. */
export function ownMember(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** As `parseJwks`, with the places of the keys. @throws JWKS_MALFORMED */
export function locateKeys(body: string, subject = 'the JWKS'): LocatedJwks {
  if (body.length > MAX_JWKS_LENGTH) throw malformed(`is larger than ${MAX_JWKS_LENGTH} characters`, subject);
  if (body.startsWith('\uFEFF')) {
    throw malformed('begins with a byte order mark, which many relying parties refuse', subject);
  }
  const document = parseObject(body, subject);
  const keys = ownMember(document, 'keys');
  if (!Array.isArray(keys)) throw malformed('has no array named "keys"', subject);
  if (!keys.every(isObject)) throw malformed('has something in "keys" that is not an object', subject);
  const [member, ...doubles] = membersAt(body, skipSpace(body, 0)).filter(({ name }) => name === 'keys');
  if (member === undefined || doubles.length > 0) throw malformed('names "keys" more than once', subject);
  return { document, keys, keysArray: member.value, elements: elementsAt(body, member.value.start) };
}

function parseObject(body: string, subject: string): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    throw malformed(body.trim() === '' ? 'is empty' : 'is not JSON', subject);
  }
  if (!isObject(document)) throw malformed('is not a JSON object', subject);
  return document;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(what: string, subject: string): KeyturnError {
  return new KeyturnError('JWKS_MALFORMED', `${subject} ${what}`, {
    subject,
    remedy: 'Put a JWKS there such as `keyturn jwks --public-keys sa.pub` writes it, or remove the document',
  });
}
