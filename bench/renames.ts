// When manifests of API servers were renamed into place: where a restart begins for whoever waits for it.
import { watch } from 'node:fs';
import type { ControlPlaneNodeInfo } from '../src/demo/control-plane/control-plane.ts';

export interface Renames {
  /** The last one before a moment; ms since the epoch. undefined where there was none. */
  lastBefore(node: string, atMs: number): number | undefined;
  stop(): void;
}

export function watchRenames(nodes: readonly ControlPlaneNodeInfo[]): Renames {
  const times = new Map<string, number[]>(nodes.map(({ name }) => [name, []]));
  const watchers = nodes.map(({ name, manifestsDirectory }) =>
    watch(manifestsDirectory, (event, file) => {
      if (event === 'rename' && file === 'kube-apiserver.yaml') times.get(name)?.push(Date.now());
    }),
  );
  return {
    lastBefore: (node, atMs) => times.get(node)?.findLast((time) => time <= atMs),
    stop: () => {
      for (const watcher of watchers) watcher.close();
    },
  };
}
