// One call of the Kubernetes API, in the words of RBAC.

/** Verbs of Kubernetes RBAC. */
export type Verb = 'get' | 'list' | 'create' | 'update' | 'patch' | 'delete';

export interface ApiCall {
  readonly verb: Verb;
  /** Below the server's address, with a leading `/`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** As RBAC names it, e.g. `leases.coordination.k8s.io`, or the path of a non-resource URL. For errors. */
  readonly resource: string;
  /** E.g. `keyturn/keyturn-prod`. For errors. */
  readonly object?: string;
  /** Manifest that grants it, for errors. Default: deploy/rbac.yaml. */
  readonly grantedBy?: string;
  /** Of `patch`: a JSON merge patch (RFC 7396). */
  readonly body?: unknown;
  /** Default: the client's. */
  readonly timeoutMs?: number;
}

const methods = {
  get: 'GET',
  list: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
} as const;

export function methodOf(call: ApiCall): (typeof methods)[Verb] {
  return methods[call.verb];
}

/** Reads change nothing, and reviews only ask. */
export function isRepeatable(call: ApiCall): boolean {
  return methodOf(call) === 'GET' || /reviews\.(authentication|authorization)\.k8s\.io$/.test(call.resource);
}
