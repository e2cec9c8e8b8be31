// What an embedded control plane is to be like.
import type { KeyType } from '../../key-stores/port.ts';
import type { OnProgress } from '../components/component.ts';
import type { Flags } from './kubeadm-manifests.ts';

/** Paths of the programs that a control plane runs. */
export interface ControlPlaneComponents {
  readonly etcd: string;
  readonly kubeApiServer: string;
  readonly kubeControllerManager: string;
}

export interface ControlPlaneOptions {
  /** Gets one folder per node, etcd's data and the kubeconfigs. Made where it is missing; must be empty. */
  readonly directory: string;
  readonly components: ControlPlaneComponents;
  /** Default 3. */
  readonly nodes?: number;
  /** Default 1. */
  readonly etcdMembers?: number;
  /**
   * `--service-account-issuer`, an https URL, or `load-balancer`: the API servers serve it themselves, behind their load balancer. Default
   * `https://kubernetes.default.svc.cluster.local`, kubeadm's.
   */
  readonly issuer?: string;
  /** Kind of the first signing key. Default `rsa-2048`, kubeadm's. */
  readonly signingKey?: KeyType;
  /** Further or other flags, without the leading dashes, e.g. `{'service-account-max-token-expiration': '24h'}`. */
  readonly apiServerFlags?: Flags;
  readonly controllerManagerFlags?: Flags;
  /**
   * `terminationGracePeriodSeconds` of the API servers. Default 2: open watches use up whatever is given, and with kubeadm's 30 each
   * restart takes 10 s longer, until the node's controller manager loses its lease and ends.
   */
  readonly apiServerGracePeriodSeconds?: number;
  readonly onProgress?: OnProgress;
}
