// The transit key of OpenBao or Vault that a configuration names, and how the worker shows there who it is.
import type { TransitConfig } from '../config/key-store-schema.ts';
import { TransitClient, type TransitAuth } from '../key-stores/transit-client.ts';
import { TransitKey } from '../key-stores/transit-key.ts';
import { readSecret, readTextFile } from './read-secret.ts';

/** Makes a path of the configuration absolute. */
export type Resolve = (file: string) => string;

/** Asks no server. @throws FILE_UNREADABLE */
export async function composeTransit(transit: TransitConfig, resolve: Resolve): Promise<TransitKey> {
  const { address, mount, key, auth, caFile, namespace } = transit;
  const client = new TransitClient({
    address,
    auth: transitAuthOf(auth, resolve),
    ...(caFile === undefined ? {} : { ca: await readTextFile(resolve(caFile)) }),
    ...(namespace === undefined ? {} : { namespace }),
  });
  return new TransitKey({ client, mount, key });
}

function transitAuthOf(auth: TransitConfig['auth'], resolve: Resolve): TransitAuth {
  if ('token' in auth) return { method: 'token', token: () => readSecret(auth.token, resolve) };
  if ('appRole' in auth) {
    const { mount, roleId, secretId } = auth.appRole;
    return {
      method: 'login',
      path: `auth/${mount}/login`,
      credentials: async () => ({ role_id: roleId, secret_id: await readSecret(secretId, resolve) }),
    };
  }
  const { mount, role, tokenFile } = auth.kubernetes;
  return {
    method: 'login',
    path: `auth/${mount}/login`,
    credentials: async () => ({ role, jwt: await readSecret({ file: tokenFile }, resolve) }),
  };
}
