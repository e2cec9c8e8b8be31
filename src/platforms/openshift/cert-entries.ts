// The operator's ConfigMap of trusted public keys, by key and not by text: the operator itself compares PEM as strings. Pure.
import { parsePublicKeys } from '../../keys/pem.ts';
import type { Kid } from '../../rotation/key.ts';

type Entries = Readonly<Record<string, string>> | null | undefined;

/** Each key id once, however often and in whatever formatting the key stands there. @throws KEY_MALFORMED */
export function kidsIn(entries: Entries, subject: string): readonly Kid[] {
  return [...new Set(Object.entries(entries ?? {}).flatMap(([name, pem]) => kidsOfEntry(pem, `${subject}: ${name}`)))];
}

/** What to change so that the key is gone: its entries are null; where an entry has other keys too, those stay as they are written. */
export function withoutKey(entries: Entries, kid: Kid, subject: string): Readonly<Record<string, string | null>> {
  const changes = Object.entries(entries ?? {}).flatMap(([name, pem]): [string, string | null][] => {
    const keys = parsePublicKeys(pem, `${subject}: ${name}`);
    if (keys.every((key) => key.kid !== kid)) return [];
    const others = keys.filter((key) => key.kid !== kid).map(({ block }) => `${block}\n`);
    return [[name, others.length === 0 ? null : others.join('')]];
  });
  return Object.fromEntries(changes);
}

function kidsOfEntry(pem: string, subject: string): readonly Kid[] {
  return parsePublicKeys(pem, subject).map(({ kid }) => kid);
}
