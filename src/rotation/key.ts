// What the rest of Keyturn may know about a key: everything but its private half.

/** Kubernetes key id: base64url (no padding) of SHA-256 over the DER SubjectPublicKeyInfo. Not the RFC 7638 thumbprint. */
export type Kid = string;

/** Algorithms with which kube-apiserver signs ServiceAccount tokens. */
export type KeyAlgorithm = 'RS256' | 'ES256' | 'ES384' | 'ES512';

/** A key that can be named: it may stand in histories, logs and reports. */
export interface KeyRef {
  readonly kid: Kid;
  readonly alg: KeyAlgorithm;
}

/** The public half of a key pair. */
export interface PublicKey extends KeyRef {
  /** SubjectPublicKeyInfo as PEM, label `PUBLIC KEY`, with a final newline. */
  readonly publicPem: string;
}
