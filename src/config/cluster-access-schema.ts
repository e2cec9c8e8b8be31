// How the API of a cluster is reached, the same for every platform.
import { z } from 'zod';
import { name } from './fields.ts';

export const clusterAccess = z.strictObject({
  kubeconfig: z.string().describe('Path of the kubeconfig with which Keyturn works; its rights: deploy/rbac.yaml'),
  context: z.string().optional().describe('Context in it; default: the current one'),
  namespace: name.default('keyturn').describe('Where the Lease and the probe ServiceAccount live'),
  probeServiceAccount: name.default('keyturn-probe').describe('ServiceAccount without rights whose tokens are tried'),
});
