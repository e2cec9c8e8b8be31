// The shape of keyturn.yaml. The published JSON Schema is made from this.
import { z } from 'zod';
import { DURATION_PATTERN, parseDuration } from '../rotation/duration.ts';

/** Written as `24h`, `90d`, `1h30m`, `500ms`; read as ms. */
const duration = (description: string) =>
  z
    .string()
    .regex(DURATION_PATTERN, 'must be a duration such as 24h, 90d or 1h30m')
    .describe(description)
    .transform((text) => parseDuration(text) ?? Number.NaN);

const name = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/, 'must be lower-case letters, digits and dashes');

const node = z.strictObject({
  name: name.describe('Node name, as in `kubectl get nodes`'),
  access: z
    .literal('local')
    .default('local')
    .describe('How files of the node are reached: the worker sees them as its own'),
  manifests: z.string().default('/etc/kubernetes/manifests').describe("The kubelet's static pod folder"),
  apiServer: z
    .url({ protocol: /^https$/ })
    .optional()
    .describe("This API server's own address; default: --advertise-address and --secure-port of its manifest"),
  controllerManager: z
    .url({ protocol: /^https$/ })
    .optional()
    .describe("The controller manager's own address, where the worker can reach it; default: it is not asked"),
});

const staticPod = z.strictObject({
  type: z.literal('static-pod'),
  kubeconfig: z.string().describe('Path of the kubeconfig with which Keyturn works; its rights: deploy/rbac.yaml'),
  context: z.string().optional().describe('Context in it; default: the current one'),
  namespace: name.default('keyturn').describe('Where the Lease and the probe ServiceAccount live'),
  probeServiceAccount: name.default('keyturn-probe').describe('ServiceAccount without rights whose tokens are tried'),
  nodes: z.array(node).min(1).describe('All control-plane nodes, in the order in which they are changed'),
});

const secretSource = z.union([
  z.strictObject({ env: z.string().min(1).describe('Name of an environment variable of the worker') }),
  z.strictObject({ file: z.string().min(1).describe('Path of a file that only the worker may read') }),
]);

const azureBlob = z.strictObject({
  type: z.literal('azure-blob'),
  container: z.url().describe('URL of the Blob container, e.g. https://ACCOUNT.blob.core.windows.net/oidc'),
  credentials: z
    .union([
      z.strictObject({ connectionString: secretSource }),
      z.strictObject({ sas: secretSource }),
      z.strictObject({ identity: z.literal('default').describe('DefaultAzureCredential of @azure/identity') }),
    ])
    .default({ identity: 'default' }),
  jwksPath: z.string().default('openid/v1/jwks'),
  discoveryPath: z.string().default('.well-known/openid-configuration'),
  cacheControl: z.string().default('public, max-age=300').describe('Cache-Control of the published documents'),
});

const keyType = z.enum(['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384', 'ec-p521']);

const encryptedFile = z.strictObject({
  type: z.literal('encrypted-file'),
  directory: z.string().describe('Folder for the encrypted key, readable by the worker only'),
  wrappingKey: secretSource.describe('32 random bytes in base64, e.g. from `openssl rand -base64 32`'),
  keyType: keyType.default('rsa-2048').describe('Kind of key that is made'),
});

const bringYourOwn = z.strictObject({
  type: z.literal('bring-your-own'),
  privateKeyFile: z.string().describe('PEM, not encrypted, mode 0600'),
  publicKeyFile: z.string().optional().describe('PEM; checked against the private key'),
});

const drain = z.discriminatedUnion('policy', [
  z.strictObject({ policy: z.literal('refreshing') }),
  z.strictObject({
    policy: z.literal('expiry'),
    bound: duration('Longest lifetime that any client asks for').optional(),
  }),
  z.strictObject({
    policy: z.literal('fixed'),
    duration: duration('Length of the wait'),
    allowShorter: z.string().min(1).optional().describe('Why less than the computed wait is accepted; recorded'),
  }),
]);

const policies = z.strictObject({
  relyingPartyCache: duration('Longest time for which a relying party may hold the JWKS').prefault('1h'),
  drain: drain.default({ policy: 'refreshing' }),
  allowSingleApiServer: z
    .boolean()
    .default(false)
    .describe('Accept that a cluster with one API server is down while it restarts'),
  legacyTokens: z
    .enum(['hold', 'keep'])
    .default('hold')
    .describe('hold: do not prune while legacy tokens of the former key exist'),
  gates: z
    .array(z.enum(['signing', 'pruning', 'each-node']))
    .default([])
    .describe('Where to ask for approval'),
  discovery: z
    .enum(['if-missing', 'overwrite', 'never'])
    .default('if-missing')
    .describe('When to write the discovery document; the issuer is never changed'),
  backUps: z
    .enum(['remove', 'keep-manifests'])
    .default('remove')
    .describe('What Retiring leaves of the back-ups on the nodes'),
  readyTimeout: duration(
    'How long an API server may take to serve a changed manifest before it gets the former one back',
  ).prefault('5m'),
  probeInterval: duration('How often each probe token is tried').prefault('2s'),
  probeReload: duration('Age at which a probe replaces its token, as kubelet does').prefault('8m'),
});

const cluster = z.strictObject({
  name,
  platform: z.discriminatedUnion('type', [staticPod]),
  issuer: z.url().describe('Issuer of the ServiceAccount tokens; its JWKS is public'),
  allowInsecureIssuer: z
    .boolean()
    .default(false)
    .describe('Accept an http issuer on a loopback address, for trying things out'),
  issuerCaFile: z.string().optional().describe("PEM of a private CA that signs the issuer's certificate"),
  audience: z.string().default('api://AzureADTokenExchange').describe('Audience of tokens for the outside'),
  relyingParties: z
    .array(z.enum(['azure', 'aws', 'google']))
    .default([])
    .describe('Who must accept the algorithm of the new key'),
  publisher: z.discriminatedUnion('type', [azureBlob]),
  keyStore: z.discriminatedUnion('type', [encryptedFile, bringYourOwn]),
  policies: policies.prefault({}),
});

export const configSchema = z.strictObject({
  taskQueue: z.string().default('keyturn').describe('Temporal task queue of the workers'),
  auditDirectory: z.string().default('./audit').describe('Where audit records are kept, outside of Temporal'),
  clusters: z.array(cluster).min(1),
});

export type Config = z.output<typeof configSchema>;
export type ClusterConfig = Config['clusters'][number];
export type NodeConfig = ClusterConfig['platform']['nodes'][number];
