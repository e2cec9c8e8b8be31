// Three machines made of namespaces on one Linux machine, each with a real containerd, a real kubelet, and static pods made by kubeadm.
//
// `startKubeletBed` gives a `ControlPlane` like the embedded one, so that everything that runs on that runs on this, and what only real
// nodes can do: run commands in them, reboot them, cut them off, let kubeadm make them anew, join a fourth. It needs Linux, root and a few
// packages (bed-requirements.ts). Nothing outlives this process: the first process of each node dies with it, and takes the node along;
// the few things that stay behind then (bed-registry.ts) are removed when the next bed starts.
import type { CommandOutput } from '../components/run-command.ts';
import type { ControlPlane, ControlPlaneNodeInfo } from '../control-plane/control-plane.ts';
import type { KubeletBedOptions } from './bed-options.ts';
import { RunningBed } from './running-bed.ts';
import type { SshAccess } from './node-sshd.ts';

export type { KubeletBedOptions } from './bed-options.ts';

export interface KubeletBedNode extends ControlPlaneNodeInfo {
  /** Its own address in the bed, which the host reaches too. */
  readonly address: string;
}

export interface KubeletBed extends ControlPlane {
  /** `directory` is the host's path of the node's /etc/kubernetes; `manifestsDirectory` and `pkiDirectory` lie below it. */
  readonly nodes: readonly KubeletBedNode[];
  /** Part of the names of what the bed has on the machine: the network link and the cgroup `keyturn-<id>`. */
  readonly id: string;
  /** The first three numbers of the /24 in which the host and every node have an address. */
  readonly subnet: string;
  /** An image that every node has, with /bin/sh and busybox's commands. Pull policy `IfNotPresent` or `Never`. */
  readonly shellImage: string;
  /** How to log in to every node with `ssh -F`. */
  readonly ssh: SshAccess;
  /** Runs a command in a node as root, whatever its exit code. */
  exec(node: string, command: readonly string[], input?: string): Promise<CommandOutput>;
  /** SIGTERM, and waits for its end; pods go on. */
  stopKubelet(node: string): Promise<void>;
  startKubelet(node: string): Promise<void>;
  /** Kills every process of a node at once, as pulling the plug does, and starts it again with the same disk. Does not wait for its pods. */
  rebootNode(node: string): Promise<void>;
  /** Kills every process of a node at once. `rebootNode` brings it back. */
  haltNode(node: string): Promise<void>;
  /** Pulls a node's cable: it reaches only itself. */
  cutNetwork(node: string): Promise<void>;
  restoreNetwork(node: string): Promise<void>;
  /** `kubeadm init phase control-plane all` with the cluster's own `kubeadm-config`: what an upgrade does to a node's manifests. */
  regenerateControlPlane(node: string): Promise<void>;
  /** `kubeadm init phase certs sa`. Gives what kubeadm said. */
  regenerateSigningKey(node: string): Promise<string>;
  /**
   * Adds a control-plane node with `kubeadm join --control-plane`, its shared keys copied from an existing node. Settles when its API
   * server is ready and the load balancer knows it.
   */
  joinNode(copyKeysFrom?: string): Promise<KubeletBedNode>;
  /** Takes a node out for good: `kubeadm reset`, which leaves etcd, then the Node object and the machine. */
  removeNode(node: string): Promise<void>;
}

/**
 * Settles when every API server and controller manager is ready.
 * @throws Error with what did not come up, or why this machine cannot run a bed; nothing is left behind
 */
export async function startKubeletBed(options: KubeletBedOptions): Promise<KubeletBed> {
  return RunningBed.start(options);
}
