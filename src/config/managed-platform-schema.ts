// The shape of `platform` in keyturn.yaml where the platform makes the key and orders the rotation: gkectl and Gardener.
import { z } from 'zod';
import { apiServers, clusterAccess } from './cluster-access-schema.ts';
import { duration, name } from './fields.ts';

export const gkectl = z.strictObject({
  type: z.literal('gkectl'),
  ...clusterAccess,
  command: z.string().min(1).default('gkectl').describe('Path of gkectl, or its name on the PATH of the worker'),
  userClusterConfig: z.string().min(1).describe("Path of the user cluster's configuration file"),
  adminKubeconfig: z.string().min(1).describe("Path of the admin cluster's kubeconfig, which gkectl is given"),
  apiServers,
  deadline: duration('How long the rotation may take until a person is asked').prefault('3h'),
  pollInterval: duration('Between two questions to gkectl').prefault('1m'),
});

const garden = z.strictObject({
  kubeconfig: z
    .string()
    .min(1)
    .describe('Path of a kubeconfig for the garden cluster; its rights: deploy/rbac-gardener.yaml'),
  context: z.string().optional().describe('Context in it; default: the current one'),
  namespace: name.describe("The project's namespace, e.g. garden-dev"),
  shoot: name.describe('Name of the Shoot'),
});

export const gardener = z.strictObject({
  type: z.literal('gardener'),
  ...clusterAccess,
  garden: garden.describe('The Shoot, in the garden cluster'),
  workersRollout: z
    .enum(['with-rotation', 'pool-by-pool', 'by-hand'])
    .default('with-rotation')
    .describe(
      'When nodes are rolled out: with-rotation: by Gardener, all pools; pool-by-pool: when Keyturn asks, one pool after the other; by-hand: when you annotate the Shoot',
    ),
  timeout: duration('How long each part of Gardener may take until a person is asked').prefault('2h'),
  pollInterval: duration('Between two looks: for as long the new key may sign before it is published').prefault('5s'),
});
