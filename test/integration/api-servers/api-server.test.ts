// KubeApiServer against a real kube-apiserver: what it says while it serves, while it restarts, and while it hangs.
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubeApiServer } from '../../../src/api-servers/api-server.ts';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { startSingleApiServer } from '../../fixtures/single-api-server.ts';
import type { SingleApiServer, User } from '../../fixtures/single-api-server.ts';

const probe = { namespace: 'keyturn', name: 'keyturn-probe' };
let server: SingleApiServer;
beforeAll(async () => {
  server = await startSingleApiServer();
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac.yaml');
});
afterAll(() => server.stop());

async function apiServer(user: User = 'keyturn', credential: 'certificate' | 'token' = 'certificate') {
  const client = new KubeClient(await loadKubeConfig(await server.kubeConfig(user, credential)));
  return new KubeApiServer({ node: 'node-1', client, probe, verdictTimeoutMs: 1000 });
}

describe.each(['certificate', 'token'] as const)('with the credential being a %s', (credential) => {
  test('reads readiness, keys, issuer and clock', async () => {
    const api = await apiServer('keyturn', credential);
    expect(await api.readiness()).toEqual({ ready: true, etcdHealthy: true });
    expect(await api.issuer()).toBe(server.issuer);
    const keys = await api.publishedKeys();
    expect(keys).toEqual([
      { kid: expect.any(String) as string, alg: 'RS256' },
      { kid: expect.any(String) as string, alg: 'RS256' },
    ]);
    expect(Math.abs(await api.clockSkewMs())).toBeLessThan(1500);
  });

  test('mints a token for the probe, which the API server accepts in both ways', async () => {
    const api = await apiServer('keyturn', credential);
    const minted = await api.mintToken();
    expect(minted.kid).toBe((await api.publishedKeys())[0]?.kid);
    expect(minted.expiresAt - minted.mintedAt).toBe(600_000);
    expect(decodeJwt(minted.token).sub).toBe('system:serviceaccount:keyturn:keyturn-probe');
    expect(await api.useToken(minted.token)).toEqual({ outcome: 'accepted' });
    expect(await api.reviewToken(minted.token)).toEqual({ outcome: 'accepted' });
  });

  test('a token for another audience is accepted for that audience only', async () => {
    const api = await apiServer('keyturn', credential);
    const { token } = await api.mintToken({ audiences: ['api://elsewhere'], expirationSeconds: 1200 });
    expect(await api.reviewToken(token, ['api://elsewhere'])).toEqual({ outcome: 'accepted' });
    expect(await api.reviewToken(token)).toMatchObject({ outcome: 'rejected' });
    expect(await api.useToken(token)).toEqual({ outcome: 'rejected', reason: 'HTTP 401 Unauthorized' });
  });

  test.each([
    ['with another signature', (token: string) => `${token.slice(0, -8)}AAAAAAAA`],
    ['that is no token', () => 'nonsense'],
  ])('rejects a token %s, although our own credential is good', async (_, spoil) => {
    const api = await apiServer('keyturn', credential);
    const token = spoil((await api.mintToken()).token);
    expect(await api.useToken(token)).toMatchObject({ outcome: 'rejected' });
    const reviewed = await api.reviewToken(token);
    expect(reviewed).toMatchObject({ outcome: 'rejected' });
    expect(JSON.stringify(reviewed)).not.toContain(token);
  });
});

test('without rights: clear errors that name verb, resource and remedy; no verdict on tokens', async () => {
  const { token } = await (await apiServer()).mintToken();
  const nobody = await apiServer('nobody');
  await expect(nobody.mintToken()).rejects.toMatchObject({
    code: 'API_SERVER_FORBIDDEN',
    retryable: false,
    message: `Keyturn may not create serviceaccounts/token keyturn/keyturn-probe at ${server.url}. Apply deploy/rbac.yaml, and bind its roles to the kubeconfig's user`,
  });
  await expect(nobody.publishedKeys()).rejects.toMatchObject({ code: 'API_SERVER_FORBIDDEN' });
  expect(await nobody.reviewToken(token)).toMatchObject({
    outcome: 'unreachable',
    reason: expect.stringContaining('may not create tokenreviews.authentication.k8s.io') as string,
  });
  expect(await nobody.useToken(token)).toEqual({ outcome: 'accepted' });
});

test('without a probe ServiceAccount: named, with the remedy', async () => {
  const client = new KubeClient(await loadKubeConfig(await server.kubeConfig('admin')));
  const api = new KubeApiServer({ node: 'node-1', client, probe: { namespace: 'keyturn', name: 'absent' } });
  await expect(api.mintToken()).rejects.toMatchObject({
    code: 'API_SERVER_UNEXPECTED',
    subject: 'keyturn/absent',
    remedy: 'Apply deploy/rbac.yaml',
  });
});

test('credentials that the API server does not know: forbidden, and no verdict on tokens', async () => {
  const kubeConfig = await loadKubeConfig(await server.kubeConfig('keyturn', 'token'));
  Object.assign(kubeConfig.getCurrentUser() ?? {}, { token: 'no-longer-valid' });
  const api = new KubeApiServer({ node: 'node-1', client: new KubeClient(kubeConfig), probe });
  const error: unknown = await api.mintToken().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'API_SERVER_FORBIDDEN' });
  expect(JSON.stringify([(error as Error).message, error])).not.toContain('no-longer-valid');
  expect(await api.reviewToken('nonsense')).toMatchObject({ outcome: 'unreachable' });
});

describe('an API server that restarts', () => {
  test('is never taken for one that rejects, and signs with what it was started with', async () => {
    const api = await apiServer();
    const [first, second] = await api.publishedKeys();
    const former = await api.mintToken();
    const outcomes = new Map<string, number>();
    const probing = new AbortController();
    const count = async (ask: () => Promise<{ outcome: string; reason?: string }>): Promise<void> => {
      while (!probing.signal.aborted) {
        const { outcome, reason } = await ask();
        const what = outcome === 'rejected' ? `rejected: ${reason}` : outcome;
        outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
        await new Promise(setImmediate);
      }
    };
    const probes = [count(() => api.useToken(former.token)), count(() => api.reviewToken(former.token))];
    for (const [signal, signer] of [
      ['SIGTERM', 2],
      ['SIGKILL', 1],
      ['SIGTERM', 2],
    ] as const) {
      await server.signal(signal);
      expect(await api.readiness()).toEqual({ ready: false, etcdHealthy: false, reason: 'ECONNREFUSED' });
      await expect(api.mintToken()).rejects.toMatchObject({ code: 'API_SERVER_UNREACHABLE', retryable: true });
      await server.start(signer);
    }
    probing.abort();
    await Promise.all(probes);
    expect(Object.fromEntries(outcomes)).toEqual({
      accepted: expect.any(Number) as number,
      unreachable: expect.any(Number) as number,
    });
    expect(former.kid).toBe(first?.kid);
    expect((await api.mintToken()).kid).toBe(second?.kid);
    expect(await api.useToken(former.token)).toEqual({ outcome: 'accepted' });
  });

  test('one that hangs is given up in time', async () => {
    const api = await apiServer();
    const { token } = await api.mintToken();
    await server.signal('SIGSTOP');
    const begin = Date.now();
    const verdict = await api.useToken(token);
    const took = Date.now() - begin;
    await server.signal('SIGCONT');
    expect(verdict).toEqual({ outcome: 'unreachable', reason: 'no answer within 1000 ms' });
    expect(took).toBeLessThan(2500);
    expect(await api.useToken(token)).toEqual({ outcome: 'accepted' });
  });
});
