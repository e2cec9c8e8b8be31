// The name that Kubernetes gives to a key.
import { createHash } from 'node:crypto';
import type { Kid } from '../rotation/key.ts';

/**
 * The `kid` of kube-apiserver's tokens and JWKS: base64url without padding of SHA-256 over the key's
 * DER SubjectPublicKeyInfo. Not the RFC 7638 thumbprint.
 *
 * Source: `keyIDFromPublicKey` in kubernetes `pkg/serviceaccount/openidmetadata.go`.
 */
export function kidOf(spkiDer: Uint8Array): Kid {
  return createHash('sha256').update(spkiDer).digest('base64url');
}
