// What was observed of a cluster: the facts that plan, guards and drain are computed from. No secrets, JSON only.
import type { KeyRef, Kid } from './key.ts';

/** One thing that is wrong, or that a reader should know. */
export interface Problem {
  /** An ErrorCode. */
  readonly code: string;
  /** The object, e.g. `node-1:/etc/kubernetes/manifests/kube-apiserver.yaml`. */
  readonly subject: string;
  /** What is wrong and what to do, in whole sentences. */
  readonly message: string;
}

/** One API server, asked at its own address. */
export interface ApiServerObservation {
  readonly node: string;
  readonly url: string;
  readonly ready: boolean;
  /** The `etcd` checks of `/readyz`. */
  readonly etcdHealthy: boolean;
  /** Why it is not ready, in its own words. */
  readonly unreadyReason?: string;
  /** Verification keys in the order of `/openid/v1/jwks`; empty where it did not answer. */
  readonly trusted: readonly KeyRef[];
  /** `kid` of a token that it minted just now; null where it did not. */
  readonly signingKid: Kid | null;
  /** `issuer` of its discovery document; null where it did not answer. */
  readonly issuer: string | null;
}

/** Where one node's components read the signing key, as container paths in its manifests, before anything was changed. */
export interface NodeLayout {
  readonly node: string;
  /** kube-apiserver `--service-account-signing-key-file` */
  readonly signingKeyFile: string;
  /** kube-apiserver `--service-account-key-file`, in flag order */
  readonly trustedKeyFiles: readonly string[];
  /** kube-controller-manager `--service-account-private-key-file`; null where it has none */
  readonly controllerManagerKeyFile: string | null;
}

/** Flags that bound how long a token can live. */
export interface TokenLifetimeFlags {
  /** `--service-account-max-token-expiration` in ms; null where unset. The largest of all API servers. */
  readonly maxTokenExpirationMs: number | null;
  /** `--service-account-extend-token-expiration`; true if any API server has it on (the default). */
  readonly extendTokenExpiration: boolean;
}

/** A Secret of type `kubernetes.io/service-account-token`. */
export interface LegacyToken {
  readonly namespace: string;
  readonly name: string;
  readonly kid: Kid;
  /** Label `kubernetes.io/legacy-token-last-used`, a date; null where never. */
  readonly lastUsed: string | null;
}

/** What a platform sees of its control plane. */
export interface ControlPlaneObservation {
  readonly apiServers: readonly ApiServerObservation[];
  /** One per node whose manifests could be read. */
  readonly layouts: readonly NodeLayout[];
  readonly tokenLifetimes: TokenLifetimeFlags;
  /** Unreadable manifests, unknown flag shapes, nodes that cannot be reached: each keeps a rotation from starting. */
  readonly problems: readonly Problem[];
}
