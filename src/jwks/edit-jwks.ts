// Adds keys to a JWKS and takes keys out, leaving every other byte of the document as it was. Pure: usable in workflow code.
import { KeyturnError } from '../errors.ts';
import type { Kid } from '../rotation/key.ts';
import type { Span } from './json-spans.ts';
import type { Jwk } from './jwk.ts';
import { kidOfJwk, locateKeys, ownMember } from './jwks.ts';
import type { PublishedJwk } from './jwks.ts';
import { layoutForFirstElement, layoutOfObject, renderObject, spaceBehindComma } from './object-layout.ts';

/**
 * Adds the keys that the document does not have, behind those that it has. Foreign keys, their order, unknown members, the way
 * numbers are written and all white space stay; a new key is laid out like its neighbour. Where nothing is missing the very same
 * string comes back. A new document is laid out as `azwi jwks` does it: two spaces, no final newline.
 *
 * @param body the present document, or undefined where there is none
 * @param subject where the document comes from, for errors; default `the JWKS`
 * @throws JWKS_MALFORMED where the document is unreadable, or has another key under the `kid` of one of ours
 */
export function mergeKeys(body: string | undefined, jwks: readonly Jwk[], subject?: string): string {
  if (body !== undefined) return jwks.reduce((merged, jwk) => addKey(merged, jwk, subject), body);
  const byKid = new Map(jwks.map((jwk) => [jwk.kid, jwk]));
  return JSON.stringify({ keys: [...byKid.values()] }, null, 2);
}

/**
 * Takes out every key with this `kid`. The very same string comes back where there is none; what `mergeKeys` added goes without
 * a trace.
 *
 * @throws JWKS_MALFORMED
 */
export function removeKey(body: string, kid: Kid, subject?: string): string {
  const { keys, elements, keysArray } = locateKeys(body, subject);
  const goes = (index: number): boolean => kidOfJwk(keys[index] ?? {}) === kid;
  const firstKept = elements.findIndex((_, index) => !goes(index));
  if (firstKept === -1 && elements.length > 0) {
    return cut(body, [{ start: keysArray.start + 1, end: keysArray.end - 1 }]);
  }
  const cuts = elements.flatMap((element, index) => {
    if (!goes(index)) return [];
    // With the comma before it, or, ahead of all that stay, with the comma behind it.
    if (index > firstKept) return [{ start: elements[index - 1]?.end ?? element.start, end: element.end }];
    return [{ start: element.start, end: elements[index + 1]?.start ?? element.end }];
  });
  return cut(body, cuts);
}

function addKey(body: string, jwk: Jwk, subject: string | undefined): string {
  const { keys, elements, keysArray } = locateKeys(body, subject);
  const present = keys.filter((key) => kidOfJwk(key) === jwk.kid);
  if (present.length > 0) {
    for (const key of present) assertSameKey(key, jwk, subject ?? 'the JWKS');
    return body;
  }
  const last = elements.at(-1);
  if (last === undefined) {
    const { object, beforeElement, afterElement } = layoutForFirstElement(body);
    return replace(body, keysArray, `[${beforeElement}${renderObject(jwk, object)}${afterElement}]`);
  }
  const neighbour = elements.toReversed().map((element) => layoutOfObject(body, element));
  const object = neighbour.find((layout) => layout !== undefined) ?? layoutForFirstElement(body).object;
  const previous = elements.at(-2);
  const lead =
    previous === undefined
      ? leadOfSecond(body, keysArray, last, object.afterComma)
      : body.slice(previous.end, last.start);
  return replace(body, { start: last.end, end: last.end }, `,${spaceBehindComma(lead)}${renderObject(jwk, object)}`);
}

/** A single key shows its indentation where it stands on a line of its own; on the bracket's line its members show the style. */
function leadOfSecond(body: string, array: Span, only: Span, afterComma: string): string {
  const lead = body.slice(array.start + 1, only.start);
  return lead === '' && !afterComma.includes('\n') ? afterComma : lead;
}

/** A `kid` is a hash of the key: another key under it is somebody's mistake, and relying parties would reject our tokens. */
function assertSameKey(published: PublishedJwk, jwk: Jwk, subject: string): void {
  const differing = Object.entries(jwk).filter(([name, value]) => {
    const there = ownMember(published, name);
    return there !== value && !(there === undefined && (name === 'use' || name === 'alg'));
  });
  if (differing.length === 0) return;
  throw new KeyturnError('JWKS_MALFORMED', `${subject} has another key under the kid ${jwk.kid}`, {
    subject,
    remedy: 'Find out who published it, and remove that key from the document',
    details: { kid: jwk.kid, differing: differing.map(([name]) => name) },
  });
}

function replace(text: string, { start, end }: Span, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

/** @param spans in the order of the text, not overlapping */
function cut(text: string, spans: readonly Span[]): string {
  const starts = [0, ...spans.map(({ end }) => end)];
  const ends = [...spans.map(({ start }) => start), text.length];
  return starts.map((start, index) => text.slice(start, ends[index])).join('');
}
