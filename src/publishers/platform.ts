// Stands where the platform serves the issuer's documents: nothing is published by us, and nothing is to be read but what is public.
import { KeyturnError } from '../errors.ts';
import type { JwksPublisher } from './port.ts';

export class PlatformPublisher implements JwksPublisher {
  readonly description = 'the platform, which serves the documents itself';

  async read(): Promise<undefined> {
    return undefined;
  }

  async write(): Promise<never> {
    throw new KeyturnError('CONFIG_INVALID', 'The platform publishes the JWKS: Keyturn has nowhere to write it', {
      subject: 'publisher',
      remedy: 'Configure a publisher in keyturn.yaml, or start the rotation again where it was changed',
    });
  }
}
