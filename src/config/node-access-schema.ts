// How the worker gets to the files of nodes.
import { z } from 'zod';
import { name } from './fields.ts';

export const access = z.enum(['local', 'ssh', 'pod']);

const sshFields = {
  user: z.string().min(1).describe('User on the node; default: as the ssh configuration says'),
  port: z.int().min(1).max(65_535).describe('Default: as the ssh configuration says'),
  configFile: z.string().min(1).describe("ssh configuration to use in place of the worker's user's own (ssh -F)"),
  sudo: z.boolean().describe('Work as root by `sudo -n`'),
};

export const platformSsh = z.strictObject({
  user: sshFields.user.optional(),
  port: sshFields.port.optional(),
  configFile: sshFields.configFile.optional(),
  sudo: sshFields.sudo.default(false),
});

export const nodeSsh = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9_:][A-Za-z0-9._:%-]*$/, 'must be a host name, an address, or a Host of the ssh configuration')
    .optional()
    .describe('Name, address, or Host of the ssh configuration; default: the name of the node'),
  user: sshFields.user.optional(),
  port: sshFields.port.optional(),
  configFile: sshFields.configFile.optional(),
  sudo: sshFields.sudo.optional(),
});

const folder = z
  .string()
  .regex(/^\/[^/]+(\/[^/]+)*$/, 'must be an absolute path of a folder, without a slash at its end')
  .refine((path) => !path.split('/').includes('..'), 'must not go up');

export const podAccess = z.strictObject({
  namespace: name.default('keyturn-agents').describe('Namespace of the agent pods; nothing else belongs there'),
  image: z.string().min(1).describe('Image of the agent pods; which commands it needs: docs/node-access.md'),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  imagePullSecrets: z.array(z.string().min(1)).default([]).describe('Names of Secrets in that namespace'),
  hostPaths: z
    .array(folder)
    .min(1)
    .default(['/etc/kubernetes'])
    .describe(
      'Folders of the nodes that the agents see: those of the manifests, with the folder above it, and of the keys',
    ),
  requireControlPlaneLabel: z
    .boolean()
    .default(true)
    .describe('Refuse nodes without the label node-role.kubernetes.io/control-plane'),
  seLinuxType: z
    .string()
    .min(1)
    .optional()
    .describe("SELinux type of the agents, such as spc_t, where the nodes' policy needs one"),
});
