// Sees everything that a rotation needs to know of a static-pod control plane, and everything that speaks against one: all reasons at once.
import { KeyturnError } from '../../errors.ts';
import { parsePrivateKey, parsePublicKeys } from '../../keys/pem.ts';
import type { KeyLayout } from '../../rotation/key-layout.ts';
import type {
  ApiServerObservation,
  ControlPlaneObservation,
  NodeLayout,
  Problem,
  TokenLifetimeFlags,
} from '../../rotation/observation.ts';
import { findInPlaceProblems } from './choose-key-layout.ts';
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

/** What an API server does not answer is absent from what is said of it. */
export function observeApiServers(nodes: readonly ControlPlaneNode[]): Promise<readonly ApiServerObservation[]> {
  return Promise.all(nodes.map((node) => observeApiServer(node, [])));
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
    observeApiServer(node, problems),
    attempt(() => readManifest(node, 'kube-apiserver')),
    attempt(() => readManifest(node, 'kube-controller-manager')),
  ]);
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

async function observeApiServer(
  { name, apiServer }: ControlPlaneNode,
  problems: Problem[],
): Promise<ApiServerObservation> {
  const attempt = collectInto(problems);
  const { ready, etcdHealthy, reason } = await apiServer.readiness();
  const seen = { node: name, url: apiServer.url, ready, etcdHealthy };
  if (!ready) {
    return {
      ...seen,
      ...(reason === undefined ? {} : { unreadyReason: reason }),
      trusted: [],
      signingKid: null,
      issuer: null,
    };
  }
  const [trusted, minted, issuer] = await Promise.all([
    attempt(() => apiServer.publishedKeys()),
    attempt(() => apiServer.mintToken()),
    attempt(() => apiServer.issuer()),
  ]);
  return { ...seen, trusted: trusted ?? [], signingKid: minted?.kid ?? null, issuer: issuer ?? null };
}

/** What a KeyturnError says becomes a problem, each once; anything else is a defect and goes on its way. */
function collectInto(problems: Problem[]): <T>(look: () => T | Promise<T>) => Promise<T | undefined> {
  return async (look) => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      const { code, subject, message } = error;
      if (problems.every((known) => known.message !== message)) problems.push({ code, subject, message });
      return undefined;
    }
  };
}
