// Changes the issuers of a Shoot, and remembers on the Shoot itself where a migration stands.
import type { ApiServer } from '../../api-servers/port.ts';
import type { IssuerMigration } from '../../rotation/issuer-migration.ts';
import type { Advance, IssuerChanger, IssuerObservation, VerifiedIssuer } from '../port.ts';
import {
  dueForIssuers,
  findIssuerProblems,
  settingsOf,
  type IssuerSettings,
  type IssuerState,
  type MigrationMemory,
} from './issuer-change.ts';
import type { ShootClient } from './shoot-client.ts';
import { issuersPatch, migrationOf, serviceAccountConfigOf, titleOf, type Shoot } from './shoot.ts';

export interface ShootIssuersOptions {
  readonly shoot: Pick<ShootClient, 'read' | 'change' | 'wouldRefuseChange'>;
  /** Of the Shoot: tells as whom it issues. */
  readonly apiServer: Pick<ApiServer, 'issuer'>;
}

export class ShootIssuers implements IssuerChanger {
  readonly #options: ShootIssuersOptions;

  constructor(options: ShootIssuersOptions) {
    this.#options = options;
  }

  async observe(to: string): Promise<IssuerObservation> {
    const shoot = await this.#options.shoot.read();
    const memory = migrationOf(shoot);
    if (memory !== undefined) return this.#takeUp(shoot, memory, to);
    const { issuer, acceptedIssuers } = serviceAccountConfigOf(shoot);
    const from = issuer ?? (await this.#options.apiServer.issuer());
    const migration = { from, to, fromIsDefault: issuer === undefined, acceptedBefore: acceptedIssuers };
    const problems = findIssuerProblems(shoot, migration);
    const refusal = problems.length > 0 ? undefined : await this.#wouldRefuse(migration);
    return {
      migration,
      verified: null,
      takenUp: false,
      problems: [
        ...problems,
        ...(refusal === undefined ? [] : [{ code: 'PREFLIGHT_REFUSED', subject: titleOf(shoot), message: refusal }]),
      ],
    };
  }

  accept = (migration: IssuerMigration): Promise<Advance> => this.#bring('accepting', migration);
  issue = (migration: IssuerMigration): Promise<Advance> => this.#bring('issuing', migration);
  forgetFormer = (migration: IssuerMigration): Promise<Advance> => this.#bring('alone', migration);
  forgetNew = (migration: IssuerMigration): Promise<Advance> => this.#bring('before', migration);

  async verified(): Promise<VerifiedIssuer | null> {
    return migrationOf(await this.#options.shoot.read())?.verified ?? null;
  }

  async remember(migration: IssuerMigration, verified: VerifiedIssuer | null): Promise<void> {
    const shoot = await this.#options.shoot.read();
    if (verified === null && migrationOf(shoot)?.verified === undefined) return;
    const memory = verified === null ? migration : { ...migration, verified };
    await this.#options.shoot.change(issuersPatch({ memory, resourceVersion: shoot.metadata.resourceVersion }));
  }

  /** The first change of a migration notes it on the Shoot, the last one is followed by the end of that note. */
  async #bring(state: IssuerState, migration: IssuerMigration): Promise<Advance> {
    const shoot = await this.#options.shoot.read();
    const due = dueForIssuers(shoot, state, migration);
    if ('waitingFor' in due) return due;
    const { resourceVersion } = shoot.metadata;
    if ('change' in due) {
      const memory = { ...migration, ...verifiedOf(shoot) };
      await this.#options.shoot.change(issuersPatch({ settings: due.change, memory, resourceVersion }));
      return { waitingFor: `gardenlet, which is to see ${describe(due.change)}` };
    }
    const isOver = state === 'alone' || state === 'before';
    if (isOver && migrationOf(shoot) !== undefined)
      await this.#options.shoot.change(issuersPatch({ memory: null, resourceVersion }));
    return { proof: due.proof, changed: false };
  }

  #wouldRefuse(migration: IssuerMigration): Promise<string | undefined> {
    return this.#options.shoot.wouldRefuseChange(issuersPatch({ settings: settingsOf('issuing', migration) }));
  }

  #takeUp(shoot: Shoot, { verified, ...migration }: MigrationMemory, to: string): IssuerObservation {
    const message = `${titleOf(shoot)} is being moved from ${migration.from} to ${migration.to}, but the configuration says ${to}. Put ${migration.to} there, so that it can be taken up.`;
    const problems = migration.to === to ? [] : [{ code: 'PREFLIGHT_REFUSED', subject: titleOf(shoot), message }];
    return { migration, verified: verified ?? null, takenUp: true, problems };
  }
}

function verifiedOf(shoot: Shoot): Pick<MigrationMemory, 'verified'> {
  const verified = migrationOf(shoot)?.verified;
  return verified === undefined ? {} : { verified };
}

function describe({ issuer, acceptedIssuers }: IssuerSettings): string {
  return `the issuer ${issuer ?? 'of its own'} with ${acceptedIssuers.join(', ') || 'none'} accepted besides`;
}
