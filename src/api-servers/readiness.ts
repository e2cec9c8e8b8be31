// Reads the answer of `/readyz?verbose`.
import type { HttpsAnswer } from './https-request.ts';
import type { Readiness } from './port.ts';

/**
 * Lines are `[+]name ok` and `[-]name failed: reason withheld`, in any order.
 * Source: handleRootHealth in k8s.io/apiserver `pkg/server/healthz/healthz.go`
 */
export function readReadiness({ status, body }: HttpsAnswer): Readiness {
  const checks = [...body.matchAll(/^\[([+-])\](\S+)/gm)].map(([, sign, name = '']) => ({
    name,
    passed: sign === '+',
  }));
  const failed = checks.filter(({ passed }) => !passed).map(({ name }) => name);
  const etcd = checks.filter(({ name }) => name.startsWith('etcd'));
  const etcdHealthy = etcd.length > 0 && etcd.every(({ passed }) => passed);
  if (status === 200 && failed.length === 0) return { ready: true, etcdHealthy };
  if (status === 401 || status === 403) {
    return {
      ready: false,
      etcdHealthy: false,
      reason: `/readyz answers HTTP ${status}: it is starting, or deploy/rbac.yaml was not applied`,
    };
  }
  const reason = failed.length > 0 ? `failed checks: ${failed.join(', ')}` : `/readyz answers HTTP ${status}`;
  return { ready: false, etcdHealthy, reason };
}
