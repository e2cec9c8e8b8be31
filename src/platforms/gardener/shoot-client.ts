// Reads a Shoot in the garden cluster, and asks for operations on it.
import type { KubeClient } from '../../api-servers/kube-client.ts';
import { jsonOf } from '../../api-servers/answer-json.ts';
import { KeyturnError } from '../../errors.ts';
import { operationPatch, shootSchema, type Shoot } from './shoot.ts';
import { refusedByGardener } from './refusals.ts';

const RESOURCE = 'shoots.core.gardener.cloud';
const RIGHTS_MANIFEST = 'deploy/rbac-gardener.yaml';

export interface ShootName {
  readonly namespace: string;
  readonly name: string;
}

export class ShootClient {
  readonly #client: Pick<KubeClient, 'call'>;
  readonly #shoot: ShootName;

  /** @param client of the garden cluster */
  constructor(client: Pick<KubeClient, 'call'>, shoot: ShootName) {
    this.#client = client;
    this.#shoot = shoot;
  }

  /** @throws API_SERVER_UNREACHABLE, API_SERVER_FORBIDDEN, API_SERVER_UNEXPECTED */
  async read(): Promise<Shoot> {
    const { body } = await this.#client.call({ verb: 'get', ...this.#object() });
    return jsonOf(shootSchema, body, `get ${RESOURCE}`);
  }

  /**
   * Asks for the operation; somebody else's change since `shoot` was read lets it fail.
   * @throws PLATFORM_FAILED with the words of Gardener's admission; API_SERVER_UNEXPECTED (retryable) where the Shoot was changed meanwhile
   */
  async ask(shoot: Shoot, operation: string): Promise<void> {
    await this.#patch(operationPatch(operation, shoot.metadata.resourceVersion), operation);
  }

  /** Why Gardener would refuse the operation now, in its own words; undefined where it would not. Changes nothing. */
  async wouldRefuse(operation: string): Promise<string | undefined> {
    return this.#refusalOf(operationPatch(operation), operation);
  }

  /** @throws as `ask` */
  async change(patch: object): Promise<void> {
    await this.#patch(patch, 'this change');
  }

  /** As `wouldRefuse`, of a change of the Shoot. */
  async wouldRefuseChange(patch: object): Promise<string | undefined> {
    return this.#refusalOf(patch, 'this change');
  }

  async #refusalOf(patch: object, operation: string): Promise<string | undefined> {
    try {
      await this.#patch(patch, operation, { dryRun: 'All' });
      return undefined;
    } catch (error) {
      if (error instanceof KeyturnError && error.code === 'PLATFORM_FAILED') return error.message;
      throw error;
    }
  }

  async #patch(body: unknown, operation: string, query?: Readonly<Record<string, string>>): Promise<void> {
    const call = { verb: 'patch' as const, ...this.#object(), body, ...(query === undefined ? {} : { query }) };
    try {
      await this.#client.call(call);
    } catch (error) {
      throw refusedByGardener(error, `Shoot ${call.object}`, operation);
    }
  }

  #object() {
    const { namespace, name } = this.#shoot;
    return {
      path: `/apis/core.gardener.cloud/v1beta1/namespaces/${namespace}/shoots/${name}`,
      resource: RESOURCE,
      object: `${namespace}/${name}`,
      grantedBy: RIGHTS_MANIFEST,
    };
  }
}
