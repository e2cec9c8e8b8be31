// Reads a static pod manifest into what is needed to run it as a process.
import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import { z } from 'zod';

export interface StaticPod {
  readonly name: string;
  /** The program's name and its arguments, with the pod's paths replaced by the machine's. */
  readonly command: readonly string[];
  /** Between SIGTERM and SIGKILL. */
  readonly gracePeriodMs: number;
  /** Of what the manifest says, not of its bytes: a changed comment is no change, as for kubelet. */
  readonly hash: string;
}

const manifestSchema = z.object({
  kind: z.literal('Pod'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    terminationGracePeriodSeconds: z.number().default(30),
    containers: z
      .array(
        z.object({
          command: z.array(z.string()).default([]),
          args: z.array(z.string()).default([]),
          volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })).default([]),
        }),
      )
      .length(1),
    volumes: z.array(z.object({ name: z.string(), hostPath: z.object({ path: z.string() }).optional() })).default([]),
  }),
});

type Manifest = z.infer<typeof manifestSchema>;

/** @throws Error where kubelet would ignore the file: not YAML (two equal keys are enough), not a pod */
export function readStaticPod(text: string): StaticPod {
  const content: unknown = parse(text);
  const manifest = manifestSchema.parse(content);
  const [container] = manifest.spec.containers;
  if (container === undefined) throw new Error('no container');
  const mounts = hostPaths(manifest, container);
  return {
    name: manifest.metadata.name,
    command: [...container.command, ...container.args].map((word) => toHostPath(word, mounts)),
    gracePeriodMs: manifest.spec.terminationGracePeriodSeconds * 1000,
    hash: createHash('sha256').update(JSON.stringify(content)).digest('hex'),
  };
}

interface Mount {
  readonly mountPath: string;
  readonly hostPath: string;
}

/** Longest mount path first, so that a mount inside another one wins. */
function hostPaths(manifest: Manifest, container: Manifest['spec']['containers'][number]): readonly Mount[] {
  return container.volumeMounts
    .flatMap(({ name, mountPath }) => {
      const hostPath = manifest.spec.volumes.find((volume) => volume.name === name)?.hostPath?.path;
      return hostPath === undefined ? [] : [{ mountPath, hostPath }];
    })
    .toSorted((a, b) => b.mountPath.length - a.mountPath.length);
}

/** There is no mount namespace: `--flag=/mount/file` and `/mount/file` become paths of the machine. */
function toHostPath(word: string, mounts: readonly Mount[]): string {
  const [, flag = '', path = ''] = /^(-[^=]*=)?(.*)$/s.exec(word) ?? [];
  const mount = mounts.find(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`));
  return mount === undefined ? word : `${flag}${mount.hostPath}${path.slice(mount.mountPath.length)}`;
}
