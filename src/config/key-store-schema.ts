// The shape of `keyStore` in keyturn.yaml.
import { z } from 'zod';
import { name, secretSource } from './fields.ts';

const mount = z
  .string()
  .regex(/^\w[\w.-]*(\/\w[\w.-]*)*$/, 'must be the path of a mount, without / at its ends, such as transit');

const appRole = z.strictObject({
  roleId: z.string().min(1),
  secretId: secretSource,
  mount: mount.default('approle').describe('Where the AppRole auth method is mounted'),
});

const kubernetes = z.strictObject({
  role: z.string().min(1).describe('Role of the Kubernetes auth method'),
  tokenFile: z
    .string()
    .default('/var/run/secrets/kubernetes.io/serviceaccount/token')
    .describe("File with the worker's ServiceAccount token; read again at each login"),
  mount: mount.default('kubernetes').describe('Where the Kubernetes auth method is mounted'),
});

export const transit = z.strictObject({
  address: z.url({ protocol: /^https$/ }).describe('Of OpenBao or Vault, e.g. https://bao.example.com:8200'),
  mount: mount.default('transit').describe('Where the transit engine is mounted'),
  key: z
    .string()
    .regex(/^\w[\w.-]*$/, 'must be letters, digits, dashes, dots and underscores')
    .describe('Name of a symmetric transit key that exists'),
  auth: z
    .union([
      z.strictObject({ token: secretSource.describe('Read at each request: an agent may renew it') }),
      z.strictObject({ appRole }),
      z.strictObject({ kubernetes }),
    ])
    .describe('How the worker shows who it is'),
  caFile: z.string().optional().describe('PEM of the only authority that is trusted; default: the usual ones'),
  namespace: z.string().min(1).optional().describe('Namespace in OpenBao or Vault'),
});

const suppliedKey = secretSource.describe('32 random bytes in base64, e.g. from `openssl rand -base64 32`');
const wrappingKey = z.union([...suppliedKey.options, z.strictObject({ transit })]);

const previousKeys = z
  .array(suppliedKey)
  .default([])
  .describe('Former supplied wrapping keys: still read, until `keyturn keys rewrap` has been run');

const keyType = z
  .enum(['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384', 'ec-p521'])
  .default('rsa-2048')
  .describe('Kind of key that is made');

const encryptedFile = z.strictObject({
  type: z.literal('encrypted-file'),
  directory: z.string().describe('Folder for the encrypted key, readable by the worker only'),
  shared: z
    .boolean()
    .default(false)
    .describe('Workers on every host see the same folder, e.g. on a network filesystem'),
  wrappingKey: wrappingKey.describe('What encrypts the staged key'),
  previousKeys,
  keyType,
});

const kubernetesSecret = z.strictObject({
  type: z.literal('kubernetes-secret'),
  kubeconfig: z
    .string()
    .optional()
    .describe("Of the cluster that holds the Secret, e.g. a management cluster; default: the platform's"),
  context: z.string().optional().describe('Context in it; default: the current one'),
  namespace: name.default('keyturn-keys').describe('Holds staged keys and nothing else; deploy/rbac-key-store.yaml'),
  wrappingKey: z
    .union([...wrappingKey.options, z.literal('none')])
    .describe('What encrypts the staged key; none: it lies in the Secret in the clear'),
  previousKeys,
  keyType,
});

const bringYourOwn = z.strictObject({
  type: z.literal('bring-your-own'),
  privateKeyFile: z.string().describe('PEM, not encrypted, mode 0600'),
  publicKeyFile: z.string().optional().describe('PEM; checked against the private key'),
});

const ofPlatform = z
  .strictObject({ type: z.literal('platform') })
  .describe('The platform makes the key and keeps it: gardener and gkectl');

export const keyStore = z
  .discriminatedUnion('type', [encryptedFile, kubernetesSecret, bringYourOwn, ofPlatform])
  .refine((store) => !('context' in store) || store.context === undefined || store.kubeconfig !== undefined, {
    message: 'context belongs to a kubeconfig: name that too',
    path: ['context'],
  });

export type KeyStoreConfig = z.output<typeof keyStore>;
export type WrappingKeyConfig = z.output<typeof wrappingKey>;
export type TransitConfig = z.output<typeof transit>;
