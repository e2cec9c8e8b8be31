// A rotation in the words of `gkectl update credentials ksa-signing-key status` (documentation of Google Distributed Cloud).
import type { KeyringEntry } from './keyring.ts';

/** Versions of the signing key, in the order of gkectl's message. */
export interface GkectlVersions {
  /** Version of the key that signs tokens. */
  readonly tokenVersion: number;
  /** Version of the newest private key on the nodes. */
  readonly privateKeyVersion: number;
  /** Versions that are trusted. */
  readonly publicKeyVersions: readonly number[];
}

export interface GkectlStatus extends GkectlVersions {
  readonly status: 'True' | 'False';
  readonly reason: 'KSASigningKeyRotationCompleted' | 'KSASigningKeyRotationProcessedReason';
}

/** gkectl's shape of a keyring; null where no key signs. */
export function toGkectlStatus(keys: readonly KeyringEntry[], completed: boolean): GkectlStatus | null {
  const signing = keys.find(({ role }) => role === 'active');
  if (signing === undefined) return null;
  const live = keys.filter(({ role }) => role !== 'retired');
  return {
    status: completed ? 'True' : 'False',
    reason: completed ? 'KSASigningKeyRotationCompleted' : 'KSASigningKeyRotationProcessedReason',
    tokenVersion: signing.version,
    privateKeyVersion: signing.version,
    publicKeyVersions: live.map(({ version }) => version).toSorted((a, b) => a - b),
  };
}

/** The four lines that gkectl prints, without a final line feed. */
export function formatGkectlStatus(status: GkectlStatus): string {
  const { tokenVersion, privateKeyVersion, publicKeyVersions } = status;
  return [
    `State of KSASigningKeyRotation with KSASigningKeyVersion ${Math.max(...publicKeyVersions)} is -`,
    `status: ${status.status},`,
    `reason: ${status.reason},`,
    `message:${JSON.stringify({ tokenVersion, privateKeyVersion, publicKeyVersions })}`,
  ].join('\n');
}
