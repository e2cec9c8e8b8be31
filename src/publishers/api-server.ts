// An issuer that the cluster's API servers serve themselves: they show every key that they trust, so trusting is publishing.
import { createHash } from 'node:crypto';
import type { KubeClient } from '../api-servers/kube-client.ts';
import { KeyturnError } from '../errors.ts';
import type { IssuerDocument, JwksPublisher, StoredDocument } from './port.ts';

/** Fixed by kube-apiserver. */
export const SERVED_PATHS: Readonly<Record<IssuerDocument, string>> = {
  jwks: 'openid/v1/jwks',
  discovery: '.well-known/openid-configuration',
};

export class ApiServerPublisher implements JwksPublisher {
  readonly publishes = 'by-trusting';
  readonly description: string;
  readonly #client: Pick<KubeClient, 'read' | 'url'>;

  /** @param client asks whichever API server its address leads to */
  constructor(client: Pick<KubeClient, 'read' | 'url'>) {
    this.#client = client;
    this.description = `api-server ${client.url}`;
  }

  /** As one API server shows it to Keyturn; undefined where it serves no issuer. @throws API_SERVER_UNREACHABLE API_SERVER_FORBIDDEN */
  async read(document: IssuerDocument): Promise<StoredDocument | undefined> {
    const path = `/${SERVED_PATHS[document]}`;
    try {
      const body = await this.#client.read(path);
      return { body, etag: createHash('sha256').update(body).digest('hex') };
    } catch (error) {
      if (error instanceof KeyturnError && error.details['status'] === 404) return undefined;
      throw error;
    }
  }

  /** @throws PUBLISHER_ACCESS_DENIED always */
  async write(document: IssuerDocument): Promise<void> {
    const subject = `${this.#client.url}/${SERVED_PATHS[document]}`;
    return Promise.reject(
      new KeyturnError('PUBLISHER_ACCESS_DENIED', `${subject} is made by the API server: nobody can write it`, {
        subject,
        remedy: 'Have every API server trust the key that it is to show',
      }),
    );
  }
}
