// Brings a key pair to the operator, and follows it until every node and every API server has it: on the way forward and on the way back.
import type { ApiServer } from '../../api-servers/port.ts';
import type { KeyRef, Kid } from '../../rotation/key.ts';
import type { Advance, ManagedRotation } from '../port.ts';
import { kidsIn } from './cert-entries.ts';
import { CERTS, OPERAND_SECRET } from './names.ts';
import type { OperatorObjects, SecretObject } from './objects.ts';
import { keyIn } from './pair.ts';
import { nextIsAnother, nextIsGone, objectIsMissing } from './refusals.ts';
import { describeUnsettled, readRevisions, type Revisions } from './revisions.ts';

export interface SwitchOptions {
  readonly objects: OperatorObjects;
  readonly apiServers: readonly ApiServer[];
  /** How long API servers may go on with the former key after the operator has come to its end, until they are started anew. ms */
  readonly restartAfterMs: number;
  readonly now: () => number;
}

export class KeySwitch {
  readonly #options: SwitchOptions;
  /** Since when all but the API servers' own tokens is there, by key. A worker that takes over begins to count again. */
  readonly #promotedSince = new Map<Kid, number>();

  constructor(options: SwitchOptions) {
    this.#options = options;
  }

  /**
   * Everything that must be so before the key counts as switched to, in the order in which the operator does it.
   * @throws PLATFORM_FAILED, PLATFORM_CHANGED
   */
  async look(rotation: ManagedRotation, key: KeyRef): Promise<Advance> {
    const { objects } = this.#options;
    const kubeApiServer = await objects.kubeApiServer();
    if (kubeApiServer === null) throw objectIsMissing('KubeAPIServer cluster');
    const revisions = readRevisions(kubeApiServer);
    const next = await objects.nextSecret();
    demandNext(next, key.kid);
    if (!kidsIn((await objects.certs())?.data, CERTS).includes(key.kid)) {
      return { waitingFor: `the operator has not added ${key.kid} to ConfigMap ${CERTS}` };
    }
    const untrusted = await this.#nodesWithout(key.kid, revisions);
    if (untrusted !== null) return { waitingFor: untrusted };
    if (keyIn(await objects.operandSecret(), OPERAND_SECRET)?.kid !== key.kid) {
      return { waitingFor: `the operator has not copied the key to Secret ${OPERAND_SECRET}` };
    }
    const unsettled = describeUnsettled(await objects.clusterOperator());
    if (unsettled !== null) return { waitingFor: unsettled };
    return this.#tokens(rotation, key, revisions.latest, kubeApiServer);
  }

  /** A revision counts by what is in it, not by its number: the operator may not have begun to make the newest. */
  async #nodesWithout(kid: Kid, revisions: Revisions): Promise<string | null> {
    if (revisions.missing !== null) return revisions.missing;
    const certs = await this.#options.objects.certsOfRevision(revisions.latest);
    const subject = `${CERTS}-${revisions.latest}`;
    return kidsIn(certs?.data, subject).includes(kid) ? null : `ConfigMap ${subject} does not have ${kid} yet`;
  }

  /** API servers do not reload: where one goes on with the former key, all are started anew, once per revision. */
  async #tokens(
    { rotationId }: ManagedRotation,
    key: KeyRef,
    revision: number,
    seen: Parameters<OperatorObjects['forceRedeployment']>[0],
  ): Promise<Advance> {
    const { apiServers, objects, restartAfterMs, now } = this.#options;
    const tokens = await Promise.all(
      apiServers.map(async (server) => ({ node: server.node, kid: (await server.mintToken()).kid })),
    );
    const others = tokens.filter(({ kid }) => kid !== key.kid).map(({ node }) => node);
    if (others.length === 0) {
      this.#promotedSince.delete(key.kid);
      const nodes = tokens.map(({ node }) => node).join(', ');
      return {
        changed: false,
        proof: `revision ${revision} with ${key.kid} is on every node, and a token of each of ${nodes} is signed with it`,
      };
    }
    const since = this.#promotedSince.get(key.kid) ?? now();
    this.#promotedSince.set(key.kid, since);
    const goOn = `the operator is there, but ${others.join(', ')} still sign with the former key`;
    const reason = `keyturn ${rotationId}: ${key.kid} is not used after revision ${revision}`;
    if (seen.spec?.forceRedeploymentReason === reason) {
      return { waitingFor: `${goOn}: waiting for the revision that starts them anew` };
    }
    if (now() - since < restartAfterMs) return { waitingFor: goOn };
    await objects.forceRedeployment(seen, reason);
    this.#promotedSince.delete(key.kid);
    return { waitingFor: `${goOn}: forceRedeploymentReason was set to start them anew` };
  }
}

/** @throws PLATFORM_CHANGED */
function demandNext(next: SecretObject | null, kid: Kid): void {
  if (next === null) throw nextIsGone();
  const found = keyIn(next, 'next')?.kid;
  if (found !== kid) throw nextIsAnother(found ?? 'none', kid);
}
