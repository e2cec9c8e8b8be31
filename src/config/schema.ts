// The shape of keyturn.yaml. The published JSON Schema is made from this.
import { z } from 'zod';
import { clusterAccess } from './cluster-access-schema.ts';
import { duration, gates, name, secretSource } from './fields.ts';
import { keyStore } from './key-store-schema.ts';
import { access, nodeSsh, platformSsh, podAccess } from './node-access-schema.ts';
import { gardener, gkectl } from './managed-platform-schema.ts';
import { openShift } from './openshift-schema.ts';
import { titleOf } from '../rotation/workload.ts';
import { legacyTokens } from './legacy-token-schema.ts';
import { mirrors, publisher } from './publisher-schema.ts';
import { schedules } from './schedule-schema.ts';
import { verification } from './verification-schema.ts';

const node = z.strictObject({
  name: name.describe('Node name, as in `kubectl get nodes`'),
  access: access.optional().describe('How files of this node are reached; default: as of the platform'),
  ssh: nodeSsh.optional().describe('Where this node differs from ssh of the platform'),
  manifests: z.string().default('/etc/kubernetes/manifests').describe("The kubelet's static pod folder"),
  apiServer: z
    .url({ protocol: /^https$/ })
    .optional()
    .describe("This API server's own address; default: --advertise-address and --secure-port of its manifest"),
  auditLog: z
    .string()
    .optional()
    .describe("Path of this API server's audit log (--audit-log-path) on the node; default: it is not read"),
  controllerManager: z
    .url({ protocol: /^https$/ })
    .optional()
    .describe("The controller manager's own address, where the worker can reach it; default: its kubelet is asked"),
});

const staticPod = z.strictObject({
  type: z.literal('static-pod'),
  ...clusterAccess,
  access: access.default('local').describe('How files of the nodes are reached'),
  ssh: platformSsh.prefault({}).describe('For nodes with access ssh'),
  pod: podAccess.optional().describe('For nodes with access pod, which need it'),
  keyLayout: z
    .enum(['flags', 'in-place'])
    .optional()
    .describe(
      'How nodes get the new key; default: in-place where the ConfigMap kube-system/kubeadm-config exists, else flags',
    ),
  nodes: z.array(node).min(1).describe('All control-plane nodes, in the order in which they are changed'),
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

const workload = z.strictObject({
  namespace: z.string().min(1),
  kind: z.enum(['Deployment', 'StatefulSet', 'DaemonSet']),
  name: z.string().min(1),
});

function areDifferent(workloads: readonly z.output<typeof workload>[]): boolean {
  return new Set(workloads.map(titleOf)).size === workloads.length;
}

const policies = z.strictObject({
  relyingPartyCache: duration('Longest time for which a relying party may hold the JWKS').prefault('1h'),
  drain: drain.default({ policy: 'refreshing' }),
  allowSingleApiServer: z
    .boolean()
    .default(false)
    .describe('Accept that a cluster with one API server is down while it restarts'),
  legacyTokens: legacyTokens.default('hold').describe('What happens to tokens in Secrets, which never expire'),
  slowClients: z
    .enum(['report', 'hold'])
    .default('report')
    .describe('hold: ask before Pruning where clients were seen that do not reload their tokens'),
  restartWorkloads: z
    .array(workload)
    .max(100)
    .default([])
    .refine(areDifferent, 'one is named twice')
    .describe('Restarted in Refreshing, one after the other, so that they take up new tokens'),
  restartTimeout: duration('How long the rollout of a restarted workload may take').prefault('10m'),
  gates: gates.default([]).describe('Where to ask for approval'),
  maxKeyAge: duration('Age from which the active key counts as overdue, in doctor and metrics').prefault('105d'),
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
  platform: z.discriminatedUnion('type', [staticPod, openShift, gardener, gkectl]),
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
  publisher,
  mirrors,
  keyStore: keyStore.default({ type: 'platform' }).describe('Default: none, where the platform makes the key'),
  policies: policies.prefault({}),
  verification: verification.prefault({}),
});

const notifications = z.strictObject({
  webhook: z
    .strictObject({
      url: z
        .union([z.url({ protocol: /^https?$/ }), secretSource])
        .describe('Where to post; by env or file where the URL itself is a secret, as of Slack'),
      secret: secretSource.optional().describe('Signs what is posted; default: it is not signed'),
    })
    .optional(),
  temporalUi: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Address of the Temporal UI, for links to the rotation'),
});

const versioning = z.strictObject({
  deploymentName: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, 'must be letters, digits, dashes and underscores')
    .default('keyturn')
    .describe('Worker Deployment in Temporal'),
  buildId: z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, 'must be letters, digits, dots, dashes and underscores')
    .optional()
    .describe('Of this build; default: the version of Keyturn and a hash of its workflow code'),
});

const bindAddress = z
  .string()
  .regex(/^(\d+(\.\d+){3}|\[[0-9a-fA-F:]+\]):\d{1,5}$/, 'must be an IP address and a port, such as 127.0.0.1:9464');

export const configSchema = z.strictObject({
  taskQueue: z.string().default('keyturn').describe('Temporal task queue of the workers'),
  auditDirectory: z.string().default('./audit').describe('Where audit records are kept, outside of Temporal'),
  notifications: notifications.optional().describe('Who is told when a rotation needs a decision or has ended'),
  schedules: schedules.optional().describe('When rotations start by themselves'),
  applySchedulesAtStart: z
    .boolean()
    .default(true)
    .describe(
      'The worker brings the schedules in Temporal in line with `schedules` when it starts, where that is there',
    ),
  metrics: z
    .strictObject({ bindAddress: bindAddress.default('127.0.0.1:9464') })
    .optional()
    .describe('Prometheus metrics of the worker, at http://<bindAddress>/metrics; default: none'),
  versioning: versioning
    .optional()
    .describe('Temporal Worker Versioning; default: off, which is right where one version of the worker runs'),
  clusters: z.array(cluster).min(1),
});

export type Config = z.output<typeof configSchema>;
export type ClusterConfig = Config['clusters'][number];
type PlatformConfig = ClusterConfig['platform'];
/** A cluster of that platform. */
export type ClusterOn<Type extends PlatformConfig['type']> = ClusterConfig & {
  readonly platform: Extract<PlatformConfig, { readonly type: Type }>;
};
export type NodeConfig = ClusterOn<'static-pod'>['platform']['nodes'][number];

export function isOn<Type extends PlatformConfig['type']>(
  candidate: ClusterConfig,
  type: Type,
): candidate is ClusterOn<Type> {
  return candidate.platform.type === type;
}
