// Reads what matters of a pod's token. The token is a secret: nothing of it but its key's name comes into an error.
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { PodToken } from './port.ts';

/** Null where the text is no token that names its key and its lifetime. */
export function parsePodToken(text: string): PodToken | null {
  const token = text.trim();
  try {
    const { kid } = decodeProtectedHeader(token);
    const { iat, exp } = decodeJwt(token);
    if (kid === undefined || iat === undefined || exp === undefined) return null;
    return { token, kid, issuedAt: iat * 1000, expiresAt: exp * 1000 };
  } catch {
    return null;
  }
}
