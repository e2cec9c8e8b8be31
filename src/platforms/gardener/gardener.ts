// A Gardener Shoot: gardenlet makes the new key and orders trust and signing; it is told to begin, and to complete once the drain is over.
import type { ApiServer } from '../../api-servers/port.ts';
import { KeyturnError } from '../../errors.ts';
import type { ManagedCapabilities } from '../../rotation/capabilities.ts';
import type { ApiServerObservation, ControlPlaneObservation } from '../../rotation/observation.ts';
import { observeApiServers } from '../observe-api-servers.ts';
import type { Advance, ManagedPlatform, ManagedRotation } from '../port.ts';
import { dueToBegin, dueToComplete, dueToPrepare, type Due, type WorkersRollout } from './key-rotation.ts';
import { observeShoot } from './observe-shoot.ts';
import type { ShootClient } from './shoot-client.ts';
import { ShootIssuers } from './shoot-issuers.ts';
import type { Shoot } from './shoot.ts';

export interface GardenerPlatformOptions {
  readonly shoot: Pick<ShootClient, 'read' | 'ask' | 'wouldRefuse' | 'change' | 'wouldRefuseChange'>;
  /** Of the Shoot, through its address. */
  readonly apiServers: readonly ApiServer[];
  /** `by-platform` where the Shoot has a managed issuer. */
  readonly publishing: ManagedCapabilities['publishing'];
  readonly workersRollout: WorkersRollout;
  /** For each part of Gardener's, in ms. */
  readonly timeoutMs: number;
  /** Between two looks, in ms: the new key signs before it is public, for at least as long. */
  readonly pollMs: number;
}

export class GardenerPlatform implements ManagedPlatform {
  readonly capabilities: ManagedCapabilities;
  readonly patience: ManagedPlatform['patience'];
  readonly issuers: ShootIssuers;
  readonly #options: GardenerPlatformOptions;

  constructor(options: GardenerPlatformOptions) {
    this.#options = options;
    const [apiServer] = options.apiServers;
    if (apiServer === undefined) throw new RangeError('a Shoot has an address');
    this.issuers = new ShootIssuers({ shoot: options.shoot, apiServer });
    this.patience = { timeoutMs: options.timeoutMs, pollMs: options.pollMs };
    this.capabilities = {
      ordering: 'managed',
      newKey: 'made-by-platform',
      publishing: options.publishing,
      formerKey: 'kept-until-told',
      rollBack: false,
      pause: true,
      apiServers: 'behind-one-address',
    };
  }

  async observe(underWay: ManagedRotation | null): Promise<ControlPlaneObservation> {
    const [apiServers, { tokenLifetimes, problems }] = await Promise.all([
      this.observeApiServers(),
      observeShoot(this.#options, underWay),
    ]);
    return { apiServers, layouts: [], tokenLifetimes, problems };
  }

  observeApiServers(): Promise<readonly ApiServerObservation[]> {
    return observeApiServers(this.#options.apiServers);
  }

  begin({ startedAt }: ManagedRotation): Promise<Advance> {
    return this.#do((shoot) => dueToBegin(shoot, startedAt, this.#options.workersRollout));
  }

  advance(): Promise<Advance> {
    return this.#do((shoot) => dueToPrepare(shoot, this.#options.workersRollout));
  }

  forget(): Promise<Advance> {
    return this.#do(dueToComplete);
  }

  async takeBack(): Promise<Advance> {
    throw new KeyturnError('PLATFORM_FAILED', 'Gardener does not let the former key sign again', {
      subject: 'Shoot',
      remedy: 'Go on to the end',
    });
  }

  async retire(): Promise<string> {
    return 'Gardener has removed the former key and its tokens';
  }

  async #do(judge: (shoot: Shoot) => Due): Promise<Advance> {
    const shoot = await this.#options.shoot.read();
    const due = judge(shoot);
    if ('proof' in due) return { proof: due.proof, changed: false };
    if ('waitingFor' in due) return due;
    await this.#options.shoot.ask(shoot, due.ask);
    return { waitingFor: `gardenlet, which was asked for ${due.ask}` };
  }
}
