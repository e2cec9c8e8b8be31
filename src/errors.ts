// The one error class of Keyturn: a stable code, the object it is about, and what to do.

/** Stable names of everything that can go wrong. Scripts and retry policies rely on them; messages may change. */
export type ErrorCode =
  // input and configuration
  | 'CONFIG_INVALID'
  | 'CLUSTER_UNKNOWN'
  | 'FILE_UNREADABLE'
  | 'FILE_TOO_OPEN'
  | 'ISSUER_NOT_HTTPS'
  // keys
  | 'KEY_MALFORMED'
  | 'KEY_ENCRYPTED'
  | 'KEY_MISMATCHED'
  | 'KEY_UNSUPPORTED'
  | 'KEY_NOT_FOUND'
  | 'KEY_STORE_LOCKED'
  | 'KEY_STORE_UNREACHABLE'
  // JWKS and discovery
  | 'JWKS_MALFORMED'
  | 'JWKS_CHANGED'
  | 'JWKS_NOT_PUBLIC'
  | 'PUBLISHER_CONTAINER_MISSING'
  | 'PUBLISHER_ACCESS_DENIED'
  | 'PUBLISHER_UNREACHABLE'
  | 'MIRRORS_DISAGREE'
  // nodes and manifests
  | 'NODE_UNREACHABLE'
  | 'NODE_PERMISSION_DENIED'
  | 'NODE_DISK_FULL'
  | 'NODE_COMMAND_MISSING'
  | 'FILE_CHANGED'
  | 'MANIFEST_UNREADABLE'
  | 'MANIFEST_UNSUPPORTED'
  | 'MANIFEST_REFUSED'
  // the cluster
  | 'API_SERVER_UNREACHABLE'
  | 'API_SERVER_FORBIDDEN'
  | 'API_SERVER_UNEXPECTED'
  | 'EFFECT_MISSING'
  | 'TOKEN_REJECTED'
  | 'TOKEN_NOT_REFRESHED'
  | 'PROBE_POD_UNREADY'
  | 'PROBE_POD_LOST'
  | 'LEGACY_TOKENS_IN_USE'
  | 'SLOW_CLIENTS'
  | 'WORKLOAD_NOT_FOUND'
  | 'ROLLOUT_INCOMPLETE'
  // platforms that order trust and signing themselves
  | 'PLATFORM_FAILED'
  | 'PLATFORM_CHANGED'
  | 'PLATFORM_UNFINISHED'
  // the rotation
  | 'PREFLIGHT_REFUSED'
  | 'GUARD_FAILED'
  | 'CLUSTER_LOCKED'
  | 'LOCK_LOST'
  | 'ROTATION_NOT_FOUND'
  | 'ROTATION_RUNNING'
  | 'ROTATION_FAILED'
  | 'DECISION_REFUSED'
  | 'TEMPORAL_UNREACHABLE'
  | 'WAIT_UNBOUNDED'
  | 'PAYLOAD_LOCKED'
  // notifications
  | 'NOTIFICATION_UNDELIVERED'
  | 'NOTIFICATION_REFUSED'
  // schedules and metrics
  | 'SCHEDULE_NOT_FOUND'
  | 'SCHEDULE_FOREIGN'
  | 'METRICS_UNAVAILABLE'
  // components of the demo and tests
  | 'COMPONENT_UNAVAILABLE';

export interface KeyturnErrorOptions {
  /** What the error is about, e.g. `node-1:/etc/kubernetes/manifests/kube-apiserver.yaml`. Never a secret. */
  readonly subject: string;
  /** What the reader can do about it: an imperative sentence. */
  readonly remedy: string;
  /** True where the same call may succeed later with nothing changed (a server that is away, a lost race). Default false. */
  readonly retryable?: boolean;
  /** Further facts, JSON only, never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class KeyturnError extends Error {
  override readonly name = 'KeyturnError';
  readonly code: ErrorCode;
  readonly subject: string;
  readonly remedy: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  /** @param problem what is wrong: a sentence without its final stop, or lines that end with a line feed; the remedy follows in `message` */
  constructor(code: ErrorCode, problem: string, options: KeyturnErrorOptions) {
    super(`${problem.replace(/\.$/, '')}${problem.endsWith('\n') ? '' : '. '}${options.remedy}`, {
      cause: options.cause,
    });
    this.code = code;
    this.subject = options.subject;
    this.remedy = options.remedy;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}
