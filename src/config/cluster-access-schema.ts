// What every platform needs to be reached: a kubeconfig, and where Keyturn's own objects live in the cluster.
import { z } from 'zod';
import { name } from './fields.ts';

export const clusterAccess = {
  kubeconfig: z.string().describe('Path of the kubeconfig with which Keyturn works; its rights: deploy/'),
  context: z.string().optional().describe('Context in it; default: the current one'),
  namespace: name.default('keyturn').describe('Where the Lease and the probe ServiceAccount live'),
  probeServiceAccount: name.default('keyturn-probe').describe('ServiceAccount without rights whose tokens are tried'),
};

/** Where a platform has no manifests that would tell the address of an API server. */
export const apiServers = z
  .array(
    z.strictObject({
      name: name.describe('As it is called in plan, status and audit record; on OpenShift the name of its node'),
      url: z.url({ protocol: /^https$/ }).describe('Its own address, never a load balancer of several'),
    }),
  )
  .min(1)
  .describe('Every API server of the cluster');
