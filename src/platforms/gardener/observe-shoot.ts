// Sees what a rotation must know of a Shoot, and what keeps Gardener from rotating its key now.
import type { ManagedCapabilities } from '../../rotation/capabilities.ts';
import type { Problem, TokenLifetimeFlags } from '../../rotation/observation.ts';
import { collectInto } from '../observe-api-servers.ts';
import type { ManagedRotation } from '../port.ts';
import { startOperation, type WorkersRollout } from './key-rotation.ts';
import { lastOperationFailed } from './refusals.ts';
import type { ShootClient } from './shoot-client.ts';
import {
  hasManagedIssuer,
  managedIssuerOf,
  pendingOperation,
  serviceAccountConfigOf,
  titleOf,
  tokenLifetimesOf,
  type Shoot,
} from './shoot.ts';

export interface ShootLook {
  readonly shoot: Pick<ShootClient, 'read' | 'wouldRefuse'>;
  readonly publishing: ManagedCapabilities['publishing'];
  readonly workersRollout: WorkersRollout;
}

export interface ShootObservation {
  readonly tokenLifetimes: TokenLifetimeFlags;
  readonly problems: readonly Problem[];
}

/**
 * Changes nothing: that Gardener's admission would let the rotation begin is tried with a dry run.
 * @param underWay a rotation that is taken up: that it is under way is no reason against it
 */
export async function observeShoot(look: ShootLook, underWay: ManagedRotation | null): Promise<ShootObservation> {
  const problems: Problem[] = [];
  const attempt = collectInto(problems);
  const shoot = await attempt(() => look.shoot.read());
  if (shoot === undefined) {
    return { tokenLifetimes: { maxTokenExpirationMs: null, extendTokenExpiration: true }, problems };
  }
  problems.push(...issuerProblems(shoot, look.publishing), ...suppliedKeyProblems(shoot));
  if (underWay === null) {
    problems.push(...((await attempt(() => startProblems(shoot, look))) ?? []));
  }
  return { tokenLifetimes: tokenLifetimesOf(shoot), problems };
}

/** Also what admission would let pass, and gardenlet would not do. */
async function startProblems(shoot: Shoot, { shoot: client, workersRollout }: ShootLook): Promise<readonly Problem[]> {
  const pending = pendingOperation(shoot);
  if (pending !== undefined) {
    return [
      problemOf(
        shoot,
        `${titleOf(shoot)} has an operation that gardenlet has still to take up: ${pending}. Wait for it.`,
      ),
    ];
  }
  if (shoot.status.lastOperation?.state === 'Failed') return [problemOf(shoot, lastOperationFailed(shoot).message)];
  const refusal = await client.wouldRefuse(startOperation(workersRollout));
  return refusal === undefined ? [] : [problemOf(shoot, refusal)];
}

/** Gardener keeps signing with such a key whatever is rotated. */
function suppliedKeyProblems(shoot: Shoot): readonly Problem[] {
  const { signingKeySecretName } = serviceAccountConfigOf(shoot);
  if (signingKeySecretName === undefined) return [];
  return [
    problemOf(
      shoot,
      `${titleOf(shoot)} takes its signing key from the Secret ${signingKeySecretName.name ?? ''} (key signing-key; signingKeySecretName). Its API servers sign with that key and trust no other, so that exchanging it would reject every token at once, and from 1.64 on Gardener drops the field: take signingKeySecretName out of the Shoot (once more such an exchange: announce it), so that Gardener makes the key; from then on Keyturn can rotate it.`,
    ),
  ];
}

function issuerProblems(shoot: Shoot, publishing: ManagedCapabilities['publishing']): readonly Problem[] {
  const isManaged = hasManagedIssuer(shoot);
  if (isManaged && publishing === 'ours') {
    const where = managedIssuerOf(shoot) ?? 'an address that gardenlet has not told yet';
    return [
      problemOf(
        shoot,
        `${titleOf(shoot)} has a managed issuer: Gardener serves its JWKS at ${where}, and there is nothing to publish. Set issuer to that address and publisher.type to platform.`,
      ),
    ];
  }
  const { issuer } = serviceAccountConfigOf(shoot);
  if (isManaged || publishing === 'ours' || issuer === undefined) return [];
  return [
    problemOf(
      shoot,
      `${titleOf(shoot)} has the issuer ${issuer}, where Gardener publishes nothing. Configure the publisher that serves it.`,
    ),
  ];
}

function problemOf(shoot: Shoot, message: string): Problem {
  return { code: 'PREFLIGHT_REFUSED', subject: titleOf(shoot), message };
}
