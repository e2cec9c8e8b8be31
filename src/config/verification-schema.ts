// What keyturn.yaml says of the probe pods of Verifying.
import { z } from 'zod';
import { duration, name } from './fields.ts';

const AZURE = 'azure.workload.identity';
/** The TokenRequest API grants no less. */
const LEAST_LIFETIME_MS = 600_000;
const LONGEST_LIFETIME_MS = 2 ** 32 * 1000;

const texts = z.record(z.string(), z.string());

const toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: z.string().optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.number().int().optional(),
});

const pod = z.strictObject({
  image: z
    .string()
    .min(1)
    .describe('Image with `cat` and `sleep`, e.g. busybox from your registry; runs as user 65534'),
  namespace: name
    .default('keyturn-verify')
    .describe('Of the pods; made and removed again where it is not there and Keyturn may'),
  audience: z.string().min(1).optional().describe("Audience of the pods' tokens; default: the cluster's"),
  tokenExpiration: duration("Lifetime of the pods' tokens; kubelet replaces them at 80 % of it, or at 24 h")
    .refine((ms) => ms >= LEAST_LIFETIME_MS, 'must be at least 10m, the least that Kubernetes grants')
    .refine((ms) => ms <= LONGEST_LIFETIME_MS, 'must be at most 49710d, the most that Kubernetes grants')
    .prefault('1h'),
  tokenFile: z
    .string()
    .regex(/^\//, 'must be an absolute path')
    .optional()
    .describe('File in the pod to read, where a webhook injects a token of its own; default: a token volume of ours'),
  awaitRefresh: z
    .boolean()
    .default(true)
    .describe('Whether a pod from before the change of keys is to be shown with its token refreshed by kubelet'),
  labels: texts.default({ [`${AZURE}/use`]: 'true' }).describe('Of the ServiceAccount and of the pods'),
  annotations: texts
    .default({ [`${AZURE}/client-id`]: 'keyturn-verify' })
    .describe('Of the ServiceAccount and of the pods'),
  nodeSelector: texts.default({}).describe('Where the pods may run'),
  tolerations: z.array(toleration).default([]).describe('Taints that the pods tolerate'),
  imagePullSecrets: z.array(z.string()).default([]).describe('Names of Secrets in the namespace'),
});

export const verification = z.strictObject({
  pod: pod
    .optional()
    .describe('Verifying with pods as workloads have them; default: with tokens of each API server only'),
});
