// What was observed of a cluster: the facts that plan, guards and drain are computed from. No secrets, JSON only.
import type { KeyRef, Kid } from './key.ts';
import type { ChosenKeyLayout, KeyLayout } from './key-layout.ts';

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
  /** How the rotation changes this node. Absent in records of before there was a choice: `flags`. */
  readonly keyLayout?: KeyLayout;
  /** It joined while the rotation was under way: what it had when it was seen first may hold the rotation's own keys. */
  readonly joined?: true;
}

/** Flags that bound how long a token can live. */
export interface TokenLifetimeFlags {
  /** `--service-account-max-token-expiration` in ms; null where unset. The largest of all API servers. */
  readonly maxTokenExpirationMs: number | null;
  /** `--service-account-extend-token-expiration`; true if any API server has it on (the default). */
  readonly extendTokenExpiration: boolean;
}

/** An object that names a Secret. */
export interface SecretReference {
  /** `Deployment`, `Pod`, `ServiceAccount`, ...; for a pod of a workload, the workload. */
  readonly kind: string;
  readonly name: string;
  /** `volume` (also projected), `env` (also envFrom), or the ServiceAccount's or pod's field. */
  readonly how: 'volume' | 'env' | 'imagePullSecrets' | 'secrets';
  /** A pod that has it exists now; false for a pod template and a ServiceAccount. */
  readonly running: boolean;
}

/** A Secret of type `kubernetes.io/service-account-token`. */
export interface LegacyToken {
  readonly namespace: string;
  readonly name: string;
  readonly kid: Kid;
  /** Label `kubernetes.io/legacy-token-last-used`, a date; null where never. */
  readonly lastUsed: string | null;
  /** Whose token it is. */
  readonly serviceAccount: string;
  /** The Secret cannot be changed. */
  readonly immutable: boolean;
  /** Name of the Secret that Keyturn made this one for; null where it is none of Keyturn's. */
  readonly successorOf: string | null;
  /** The rotation that made this Secret, or had its token minted anew; null where none did. */
  readonly rotationId: string | null;
  /** Who names it; null where that was not looked up or is not known. */
  readonly references: readonly SecretReference[] | null;
}

/** The legacy tokens of a cluster, and how far what is known of them goes. */
export interface LegacyTokens {
  readonly tokens: readonly LegacyToken[];
  /** Since which day API servers note uses; null where they do not, or where Keyturn may not read it. */
  readonly trackedSince: string | null;
  /** Why it is not known who mounts them; null where it is. */
  readonly referencesUnknown: string | null;
}

/** What a platform sees of its control plane. */
export interface ControlPlaneObservation {
  readonly apiServers: readonly ApiServerObservation[];
  /** One per node whose manifests could be read. */
  readonly layouts: readonly NodeLayout[];
  /** How a rotation that starts now would change the nodes; absent where the platform does that itself. */
  readonly keyLayout?: ChosenKeyLayout;
  readonly tokenLifetimes: TokenLifetimeFlags;
  /** Unreadable manifests, unknown flag shapes, nodes that cannot be reached: each keeps a rotation from starting. */
  readonly problems: readonly Problem[];
}
