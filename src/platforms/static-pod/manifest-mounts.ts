// Where the files that a component names in its container lie on the node.
import { posix } from 'node:path';
import { parseManifest, unsupported } from './manifest.ts';
import type { Manifest } from './manifest.ts';

/** A volume of the component's container. */
export interface Mount {
  readonly mountPath: string;
  /** null for a volume that is not a path of the node. */
  readonly hostPath: string | null;
  /** Of the hostPath volume, such as `DirectoryOrCreate` or `File`; empty where it is not said. */
  readonly type: string;
}

interface VolumeMount {
  readonly name?: unknown;
  readonly mountPath?: unknown;
  readonly subPath?: unknown;
  readonly subPathExpr?: unknown;
}

interface Volume {
  readonly name?: unknown;
  readonly hostPath?: { readonly path?: unknown; readonly type?: unknown };
}

/** @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED */
export function mounts(manifest: Manifest): readonly Mount[] {
  const { pod, containerIndex } = parseManifest(manifest);
  const volumes = new Map(objectsOf(pod.spec.volumes).map((volume: Volume) => [volume.name, volume]));
  return objectsOf(pod.spec.containers[containerIndex]?.volumeMounts).flatMap((mount: VolumeMount) => {
    if (typeof mount.mountPath !== 'string') return [];
    const { path, type } = volumes.get(mount.name)?.hostPath ?? {};
    const inside = typeof mount.subPath === 'string' ? mount.subPath : '';
    const known = typeof path === 'string' && mount.subPathExpr === undefined;
    return [
      {
        mountPath: normalize(mount.mountPath),
        hostPath: known ? normalize(posix.join(path, inside)) : null,
        type: typeof type === 'string' ? type : '',
      },
    ];
  });
}

/**
 * The path on the node of a file that the component knows by a path in its container.
 * @throws MANIFEST_UNREADABLE
 * @throws MANIFEST_UNSUPPORTED where its directory is not one of the node's, so that a new file beside it would not be seen
 */
export function toHostPath(manifest: Manifest, containerPath: string): string {
  const path = normalize(containerPath);
  const [mount] = mounts(manifest)
    .filter(({ mountPath }) => path === mountPath || path.startsWith(mountPath === '/' ? '/' : `${mountPath}/`))
    .toSorted((a, b) => b.mountPath.length - a.mountPath.length);
  if (mount?.hostPath == null) {
    const what = `names ${containerPath}, whose directory is not mounted from the node`;
    throw unsupported(manifest, what, `Mount ${posix.dirname(path)} as a hostPath volume`);
  }
  if (path === mount.mountPath || mount.type.startsWith('File')) {
    const what = `mounts ${mount.mountPath} as a single file`;
    throw unsupported(manifest, what, `Mount its directory ${posix.dirname(path)} as a hostPath volume instead`);
  }
  return posix.join(mount.hostPath, posix.relative(mount.mountPath, path));
}

function normalize(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** kubelet has validated what runs; what is not an object is not a volume. */
function objectsOf(list: unknown): readonly object[] {
  if (!Array.isArray(list)) return [];
  return list.filter((item: unknown): item is object => typeof item === 'object' && item !== null);
}
