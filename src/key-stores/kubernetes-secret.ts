// Keeps staged keys sealed in Secrets, where every worker reaches them: in the cluster itself or in another one.
import { jsonOf } from '../api-servers/answer-json.ts';
import type { ApiCall } from '../api-servers/api-call.ts';
import type { KubeClient } from '../api-servers/kube-client.ts';
import { missingRules, type ResourceRule } from '../api-servers/permissions.ts';
import { generateKeyPair } from '../keys/generate.ts';
import { parsePrivateKey } from '../keys/pem.ts';
import { publicHalf } from '../keys/public-half.ts';
import type { SigningKey } from '../keys/signing-key.ts';
import type { Kid, PublicKey } from '../rotation/key.ts';
import type { Problem } from '../rotation/observation.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import type { KeyStore, KeyType, Rewrap } from './port.ts';
import { cameAndWent, notStaged } from './refusals.ts';
import { findWrapperProblems, rewrapKey, sealKey, unsealKey } from './sealed-key.ts';
import { contentOf, newSecret, secretName, secretSchema, withSealed } from './secret-object.ts';
import type { Secret } from './secret-object.ts';
import { KEY_STORE_MANIFEST, namespaceMissing, otherwiseThanConfigured, overtaken } from './secret-refusals.ts';

export interface KubernetesSecretKeyStoreOptions {
  /** Of the cluster that holds the Secrets. */
  readonly client: KubeClient;
  /** Of Keyturn's staged keys alone: who may read Secrets in it may take them. */
  readonly namespace: string;
  /** Null: keys lie there in the clear, because the user said so. */
  readonly wrapper: KeyWrapper | null;
  /** Kind of the keys that are made. */
  readonly keyType: KeyType;
  /** Stands in the Secret as the one who made it, e.g. `1@worker-0`. */
  readonly identity: string;
}

/** How often a change is tried again when another wrote the Secret between. */
const ATTEMPTS = 5;

/** One immutable Secret per cluster. It is created only where there is none, and changed or deleted only as it was read. */
export class KubernetesSecretKeyStore implements KeyStore {
  readonly description: string;
  readonly #options: KubernetesSecretKeyStoreOptions;

  constructor(options: KubernetesSecretKeyStoreOptions) {
    this.description = `kubernetes-secret ${options.namespace} at ${options.client.url}`;
    this.#options = options;
  }

  async staged(cluster: string): Promise<PublicKey | undefined> {
    const secret = await this.#get(cluster);
    return secret && publicHalf(await this.#open(secret, cluster));
  }

  /** @throws KEY_STORE_LOCKED KEY_STORE_UNREACHABLE KEY_MALFORMED API_SERVER_UNREACHABLE API_SERVER_FORBIDDEN API_SERVER_UNEXPECTED */
  async stage(cluster: string, rotationId?: string): Promise<PublicKey> {
    const present = await this.staged(cluster);
    if (present !== undefined) return present;
    const { namespace, wrapper, keyType, identity } = this.#options;
    const key = await generateKeyPair(keyType);
    const content =
      wrapper === null ? { privatePem: key.privatePem } : { sealed: await sealKey(key, cluster, wrapper) };
    const body = newSecret({ namespace, cluster, kid: key.kid, content, createdBy: identity, rotationId });
    const { status } = await this.#options.client.call({ ...this.#call('create', cluster), body }, [404, 409]);
    if (status === 404) throw namespaceMissing(namespace);
    if (status !== 409) return publicHalf(key);
    const winner = await this.staged(cluster);
    if (winner !== undefined) return winner;
    throw cameAndWent(cluster, this.#subject(cluster));
  }

  async load(cluster: string, kid: Kid): Promise<SigningKey> {
    const secret = await this.#get(cluster);
    const key = secret && (await this.#open(secret, cluster));
    if (key?.kid === kid) return key;
    throw notStaged(cluster, kid, key?.kid, this.#subject(cluster));
  }

  async discard(cluster: string, kid: Kid): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const secret = await this.#get(cluster);
      if (secret === undefined || (await this.#open(secret, cluster)).kid !== kid) return;
      const { uid, resourceVersion } = secret.metadata;
      const body = { preconditions: { uid, resourceVersion } };
      const { status } = await this.#options.client.call({ ...this.#call('delete', cluster), body }, [404, 409]);
      if (status !== 409) return;
    }
    throw overtaken(this.#subject(cluster));
  }

  async wrappingKeyId(cluster: string): Promise<string | undefined> {
    const secret = await this.#get(cluster);
    const content = secret && contentOf(secret, this.#subject(cluster));
    return content && 'sealed' in content ? content.sealed.dataKey.wrappingKeyId : undefined;
  }

  async rewrap(cluster: string): Promise<Rewrap | undefined> {
    const { wrapper, client } = this.#options;
    if (wrapper === null) return undefined;
    const subject = this.#subject(cluster);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const secret = await this.#get(cluster);
      if (secret === undefined) return undefined;
      const content = contentOf(secret, subject);
      if (!('sealed' in content)) throw otherwiseThanConfigured(subject, 'not encrypted');
      const rewrapped = await rewrapKey(content.sealed, cluster, wrapper, subject);
      const done = { from: content.sealed.dataKey.wrappingKeyId, to: rewrapped.dataKey.wrappingKeyId };
      if (rewrapped === content.sealed) return done;
      // uid and resourceVersion go back with it, and the API server compares.
      const body = withSealed(secret, rewrapped);
      const { status } = await client.call({ ...this.#call('update', cluster), body }, [404, 409]);
      if (status < 300) return done;
    }
    throw overtaken(subject);
  }

  /** Rights, and whether the wrapping key can be used. */
  async findProblems(cluster: string): Promise<readonly Problem[]> {
    const { client, namespace, wrapper } = this.#options;
    const secret = { group: '', resource: 'secrets', namespace, why: 'to keep the staged key there' } as const;
    const named = { ...secret, name: secretName(cluster) };
    const rules: readonly ResourceRule[] = [
      { verb: 'create', ...secret },
      { verb: 'get', ...named },
      { verb: 'update', ...named },
      { verb: 'delete', ...named },
    ];
    const [missing, locked] = await Promise.all([
      missingRules(client, rules, KEY_STORE_MANIFEST),
      wrapper === null ? [] : findWrapperProblems(wrapper),
    ]);
    return [...missing, ...locked];
  }

  async #get(cluster: string): Promise<Secret | undefined> {
    const { status, body } = await this.#options.client.call(this.#call('get', cluster), [404]);
    return status === 404 ? undefined : jsonOf(secretSchema, body, `Secret ${this.#subject(cluster)}`);
  }

  async #open(secret: Secret, cluster: string): Promise<SigningKey> {
    const subject = this.#subject(cluster);
    const content = contentOf(secret, subject);
    const { wrapper } = this.#options;
    // A key in the clear may be anybody's: where encryption is configured it is not taken.
    if ('sealed' in content) {
      if (wrapper === null) throw otherwiseThanConfigured(subject, 'encrypted');
      return unsealKey(content.sealed, cluster, wrapper, subject);
    }
    if (wrapper !== null) throw otherwiseThanConfigured(subject, 'not encrypted');
    return parsePrivateKey(content.privatePem, subject);
  }

  #call(verb: 'get' | 'create' | 'update' | 'delete', cluster: string): ApiCall {
    const collection = `/api/v1/namespaces/${this.#options.namespace}/secrets`;
    const path = verb === 'create' ? collection : `${collection}/${secretName(cluster)}`;
    return { verb, path, resource: 'secrets', object: this.#subject(cluster), grantedBy: KEY_STORE_MANIFEST };
  }

  #subject(cluster: string): string {
    return `${this.#options.namespace}/${secretName(cluster)}`;
  }
}
