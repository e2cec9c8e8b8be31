// Why a node cannot be reached through an agent pod, and what to do about it.
import { KeyturnError } from '../../errors.ts';
import { commandMissing } from '../shell/shell-errors.ts';
import type { AgentSettings } from './agent-manifest.ts';

type Where = Pick<AgentSettings, 'namespace' | 'image'>;

export function notStarted(
  { namespace }: Where,
  node: string,
  name: string,
  lack: string,
  timeoutMs: number,
): KeyturnError {
  const problem = `${node} cannot be reached: its agent pod ${namespace}/${name} did not start within ${timeoutMs / 1000} s (${lack})`;
  return new KeyturnError('NODE_UNREACHABLE', problem, {
    subject: node,
    remedy: `See \`kubectl -n ${namespace} describe pod ${name}\`: does kubelet of the node run, and can it get the image?`,
    retryable: true,
  });
}

export function cannotStart(
  { namespace, image }: Where,
  node: string,
  name: string,
  { reason, missingCommands }: { readonly reason: string; readonly missingCommands?: string },
): KeyturnError {
  if (missingCommands !== undefined) return commandMissing(node, `${missingCommands} (image ${image})`);
  const problem = `${node} cannot be reached: its agent pod ${namespace}/${name} cannot start (${reason})`;
  return new KeyturnError('NODE_UNREACHABLE', problem, {
    subject: node,
    remedy: 'Correct platform.pod in keyturn.yaml (image, pull policy, pull secrets, hostPaths), then try again',
  });
}

/** @throws where an answer to the creation of an agent is a refusal; 409 is none: another was quicker */
export function refuseUncreated(
  { namespace }: Where,
  node: string,
  { status, body }: { readonly status: number; readonly body: unknown },
): void {
  if (status !== 403 && status !== 404) return;
  const said = typeof body === 'object' && body !== null && 'message' in body ? String(body.message).slice(0, 500) : '';
  const what = `An agent pod for ${node} may not be made in namespace ${namespace}`;
  throw new KeyturnError('API_SERVER_FORBIDDEN', `${what}: ${said}`, {
    subject: `create pods in namespace ${namespace}`,
    remedy: 'Apply deploy/rbac-pod-access.yaml, which makes the namespace, its pod security level and the rights',
  });
}

export function unreachable(node: string, reasons: readonly string[]): KeyturnError {
  const problem = `${node} cannot be reached through an agent pod: ${[...new Set(reasons)].join('; ')}`;
  return new KeyturnError('NODE_UNREACHABLE', problem, {
    subject: node,
    remedy: "Wait while the node's own API server restarts, which its kubelet asks; else see whether its kubelet runs",
    retryable: true,
  });
}

export function noSuchNode(node: string): KeyturnError {
  return new KeyturnError('NODE_UNREACHABLE', `The cluster has no node ${node}`, {
    subject: node,
    remedy: 'Name control-plane nodes in keyturn.yaml as `kubectl get nodes` does',
  });
}

export function notControlPlane(node: string): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', `${node} has no label of a control-plane node, so it gets no agent pod`, {
    subject: node,
    remedy:
      'Correct the name in keyturn.yaml; or label the node node-role.kubernetes.io/control-plane; or set platform.pod.requireControlPlaneLabel: false',
  });
}

export function outsideHostPaths(node: string, path: string, hostPaths: readonly string[]): KeyturnError {
  const subject = `${node}:${path}`;
  return new KeyturnError('CONFIG_INVALID', `${subject} is in none of the folders that agent pods see`, {
    subject,
    remedy: `Add its folder to platform.pod.hostPaths in keyturn.yaml, which has ${hostPaths.join(', ')}`,
  });
}
