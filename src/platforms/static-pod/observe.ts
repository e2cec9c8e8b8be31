// Sees everything that a rotation needs to know of a static-pod control plane, and everything that speaks against one: all reasons at once.
import { parsePrivateKey, parsePublicKeys } from '../../keys/pem.ts';
import type { KeyLayout } from '../../rotation/key-layout.ts';
import type {
  ApiServerObservation,
  ControlPlaneObservation,
  NodeLayout,
  Problem,
  TokenLifetimeFlags,
} from '../../rotation/observation.ts';
import { collectInto, observeApiServer } from '../observe-api-servers.ts';
import { findInPlaceProblems } from './choose-key-layout.ts';
import { refuseDoubles } from './double-manifests.ts';
import { findKeyFiles, readKeyFile } from './key-files.ts';
import { longestLifetimes, readLayout, readTokenLifetimes } from './layout.ts';
import { readManifest } from './node-manifests.ts';
import type { ControlPlaneNode } from './node-manifests.ts';

/** Never throws for what is wrong with a node: that is a problem in the result. */
export async function observeControlPlane(
  nodes: readonly ControlPlaneNode[],
  keyLayout: KeyLayout,
): Promise<ControlPlaneObservation> {
  const observed = await Promise.all(nodes.map((node) => observeNode(node, keyLayout)));
  return {
    apiServers: observed.map(({ apiServer }) => apiServer),
    layouts: observed.flatMap(({ layout }) => layout ?? []),
    tokenLifetimes: longestLifetimes(observed.flatMap(({ lifetimes }) => lifetimes ?? [])),
    problems: observed.flatMap(({ problems }) => problems),
  };
}

interface NodeObservation {
  readonly apiServer: ApiServerObservation;
  readonly layout: NodeLayout | undefined;
  readonly lifetimes: TokenLifetimeFlags | undefined;
  readonly problems: readonly Problem[];
}

async function observeNode(node: ControlPlaneNode, keyLayout: KeyLayout): Promise<NodeObservation> {
  const problems: Problem[] = [];
  const attempt = collectInto(problems);
  const [apiServer, manifest, controllerManager] = await Promise.all([
    observeApiServer(node.apiServer, problems),
    attempt(() => readManifest(node, 'kube-apiserver')),
    attempt(() => readManifest(node, 'kube-controller-manager')),
  ]);
  for (const each of [manifest, controllerManager]) await attempt(async () => each && refuseDoubles(node, each));
  const lifetimes = manifest && (await attempt(() => readTokenLifetimes(manifest)));
  const read =
    manifest && controllerManager && (await attempt(() => readLayout(node.name, manifest, controllerManager)));
  const layout = read && { ...read, keyLayout };
  if (layout !== undefined) await observeKeyFiles(node, layout, problems);
  if (layout !== undefined && keyLayout === 'in-place') {
    const found = await findInPlaceProblems(node, layout);
    problems.push(...found.filter(({ message }) => problems.every((known) => known.message !== message)));
  }
  return { apiServer, layout, lifetimes, problems };
}

/** A key file that is missing or damaged would only show at the next restart, when it stops the API server. */
async function observeKeyFiles(node: ControlPlaneNode, layout: NodeLayout, problems: Problem[]): Promise<void> {
  const attempt = collectInto(problems);
  const files = await attempt(() => findKeyFiles(node, layout));
  if (files === undefined) return;
  const privateFiles = new Set([files.signing, files.controllerManager]);
  await Promise.all(
    files.all.map((path) =>
      attempt(async () => {
        const { content } = await readKeyFile(node, path);
        const subject = `${node.name}:${path}`;
        if (privateFiles.has(path)) parsePrivateKey(content, subject);
        if (files.trusted.includes(path)) parsePublicKeys(content, subject);
      }),
    ),
  );
}
