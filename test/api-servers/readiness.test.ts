// What `/readyz?verbose` says. Bodies as kube-apiserver 1.37.2 sends them, shortened.
import { describe, expect, test } from 'vitest';
import { readReadiness } from '../../src/api-servers/readiness.ts';

describe('readReadiness', () => {
  test.each([
    [
      'all is well',
      200,
      '[+]ping ok\n[+]etcd ok\n[+]etcd-readiness ok\n[+]shutdown ok\nreadyz check passed\n',
      { ready: true, etcdHealthy: true },
    ],
    [
      'etcd is away',
      500,
      '[+]ping ok\n[-]etcd failed: reason withheld\n[-]etcd-readiness failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n',
      { ready: false, etcdHealthy: false, reason: 'failed checks: etcd, etcd-readiness' },
    ],
    [
      'it shuts down',
      500,
      '[+]ping ok\n[+]etcd ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n',
      { ready: false, etcdHealthy: true, reason: 'failed checks: shutdown' },
    ],
    [
      'a hook has not finished',
      500,
      '[+]etcd excluded: ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\nreadyz check failed\n',
      { ready: false, etcdHealthy: true, reason: 'failed checks: poststarthook/rbac/bootstrap-roles' },
    ],
    [
      'something else answers',
      502,
      '<html>Bad Gateway</html>',
      { ready: false, etcdHealthy: false, reason: '/readyz answers HTTP 502' },
    ],
    ['200 without any check', 200, 'ok', { ready: true, etcdHealthy: false }],
    [
      'we may not read it',
      403,
      '{"kind":"Status"}',
      {
        ready: false,
        etcdHealthy: false,
        reason: '/readyz answers HTTP 403: it is starting, or deploy/rbac.yaml was not applied',
      },
    ],
  ])('%s', (_, status, body, readiness) => {
    expect(readReadiness({ status, headers: {}, body })).toEqual(readiness);
  });
});
