// OpenShift: the kube-apiserver operator brings keys to API servers; Keyturn hands them over, follows, and has the former one forgotten.
import type { ApiServer } from '../../api-servers/port.ts';
import type { KubeClient } from '../../api-servers/kube-client.ts';
import type { SigningKey } from '../../keys/signing-key.ts';
import type { ManagedCapabilities } from '../../rotation/capabilities.ts';
import type { KeyRef } from '../../rotation/key.ts';
import type { ApiServerObservation, ControlPlaneObservation } from '../../rotation/observation.ts';
import { observeApiServers } from '../observe-api-servers.ts';
import type { Advance, ManagedPlatform, ManagedRotation } from '../port.ts';
import { forgetKey } from './forget-key.ts';
import { KEPT_SECRET, NEXT_SECRET } from './names.ts';
import { OperatorObjects } from './objects.ts';
import { observeOperator } from './observe.ts';
import { isWhole, keyIn, pairOf, toSecretData } from './pair.ts';
import { formerIsNotKept, keyUnsupported, nextIsAnother, nextIsGone } from './refusals.ts';
import { KeySwitch } from './switch-key.ts';

export interface OpenShiftOptions {
  readonly client: KubeClient;
  /** Every API server at its own address. */
  readonly apiServers: readonly ApiServer[];
  readonly timeoutMs: number;
  readonly pollMs: number;
  /** Default 60 s, in ms: the operand Secret is on every node's disk by then. */
  readonly restartAfterMs?: number;
  /** ms since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

export class OpenShiftPlatform implements ManagedPlatform {
  readonly capabilities: ManagedCapabilities = {
    ordering: 'managed',
    newKey: 'supplied',
    publishing: 'ours',
    formerKey: 'kept-until-told',
    rollBack: true,
    pause: true,
    legacyTokens: 'of-another-key',
    apiServers: 'each',
  };
  readonly patience: ManagedPlatform['patience'];
  readonly #client: KubeClient;
  readonly #objects: OperatorObjects;
  readonly #apiServers: readonly ApiServer[];
  readonly #switch: KeySwitch;

  constructor(options: OpenShiftOptions) {
    const { client, apiServers, timeoutMs, pollMs, restartAfterMs = 60_000, now = Date.now } = options;
    this.patience = { timeoutMs, pollMs };
    this.#client = client;
    this.#objects = new OperatorObjects(client);
    this.#apiServers = apiServers;
    this.#switch = new KeySwitch({ objects: this.#objects, apiServers, restartAfterMs, now });
  }

  observe(underWay: ManagedRotation | null): Promise<ControlPlaneObservation> {
    return observeOperator({ client: this.#client, objects: this.#objects, apiServers: this.#apiServers }, underWay);
  }

  observeApiServers(): Promise<readonly ApiServerObservation[]> {
    return observeApiServers(this.#apiServers);
  }

  /** The former pair is kept before the new one takes its place. */
  async begin({ former }: ManagedRotation, key: SigningKey | null): Promise<Advance> {
    if (key === null) throw new Error('a key is supplied');
    if (key.alg !== 'RS256') throw keyUnsupported(key.alg);
    const seen = await this.#objects.nextSecret();
    if (seen === null) throw nextIsGone();
    const found = keyIn(seen, NEXT_SECRET)?.kid ?? 'none';
    const proof = `Secret ${NEXT_SECRET} holds ${key.kid}`;
    if (found === key.kid) return { proof, changed: false };
    if (found !== former.kid) throw nextIsAnother(found, former.kid);
    await this.#objects.keepPair(pairOf(seen));
    await this.#objects.replaceNextKey(seen, toSecretData(key));
    return { proof, changed: true };
  }

  async advance(rotation: ManagedRotation): Promise<Advance> {
    if (rotation.next === null) throw new Error('a supplied key is known');
    return this.#switch.look(rotation, rotation.next);
  }

  /** With the new key, at the end of a way back, goes what was kept for it. */
  async forget({ next }: ManagedRotation, key: KeyRef): Promise<Advance> {
    const advance = await forgetKey(this.#objects, key);
    if ('proof' in advance && key.kid === next?.kid) await this.#objects.removeKeptPair();
    return advance;
  }

  /** Whatever the operator was handed meanwhile: a person has decided that the former key is to sign. */
  async takeBack(rotation: ManagedRotation): Promise<Advance> {
    const { former } = rotation;
    const seen = await this.#objects.nextSecret();
    if (seen === null)
      return { waitingFor: `the operator has not made Secret ${NEXT_SECRET} again, which was deleted` };
    if (keyIn(seen, NEXT_SECRET)?.kid === former.kid) return this.#switch.look(rotation, former);
    const kept = await this.#objects.keptSecret();
    if (kept === null || keyIn(kept, KEPT_SECRET)?.kid !== former.kid || !isWhole(kept, KEPT_SECRET))
      throw formerIsNotKept();
    await this.#objects.replaceNextKey(seen, pairOf(kept));
    return { waitingFor: 'the former pair was handed over to the operator again' };
  }

  async retire(): Promise<string> {
    await this.#objects.removeKeptPair();
    return 'the former pair is no longer kept in the cluster';
  }
}
