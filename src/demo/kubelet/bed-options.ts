// What a kubelet bed is to be like.
import type { KeyType } from '../../key-stores/port.ts';
import type { OnProgress } from '../components/component.ts';
import type { Flags } from '../control-plane/kubeadm-manifests.ts';

/** Paths of the programs that a bed runs; those of the system (containerd, ip, iptables, ...) are found on the PATH. */
export interface BedPrograms {
  readonly etcd: string;
  readonly 'kube-apiserver': string;
  readonly 'kube-controller-manager': string;
  readonly 'kube-scheduler': string;
  readonly kubelet: string;
  readonly kubeadm: string;
}

export interface KubeletBedOptions {
  /** Gets one folder per node and the kubeconfigs. Made where it is missing; must be empty. Not below /etc, /usr, /opt, /run or /var/lib. */
  readonly directory: string;
  /** Default: those of the catalog, from the components' cache. */
  readonly programs?: BedPrograms;
  /** Control-plane nodes at the start. Default 3. */
  readonly nodes?: number;
  /** `--service-account-issuer`, an https URL. Default `https://kubernetes.default.svc.cluster.local`, kubeadm's. */
  readonly issuer?: string;
  /** Kind of the first signing key. Default `rsa-2048`, kubeadm's. */
  readonly signingKey?: KeyType;
  /** kubeadm's `extraArgs`, without the leading dashes. */
  readonly apiServerFlags?: Flags;
  readonly controllerManagerFlags?: Flags;
  /** `terminationGracePeriodSeconds` of the API servers, by a kubeadm patch. Default: none is written, which means 30. */
  readonly apiServerGracePeriodSeconds?: number;
  /** How often kubelet lists its manifests besides watching them, in seconds. Default: kubelet's own 20. */
  readonly fileCheckFrequencySeconds?: number;
  readonly onProgress?: OnProgress;
}
