// Least privilege, the other way round: of what the files in deploy/ grant, each right that is taken away is missed, and named.
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubeCluster } from '../../../src/api-servers/cluster.ts';
import { KubeClient } from '../../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../../src/api-servers/kube-config.ts';
import { missingRules } from '../../../src/api-servers/permissions.ts';
import { applyManifest } from '../../../src/demo/control-plane/apply-manifest.ts';
import { KeyturnError } from '../../../src/errors.ts';
import { KubernetesSecretKeyStore } from '../../../src/key-stores/kubernetes-secret.ts';
import { AGENT_RIGHTS_MANIFEST, agentRights } from '../../../src/nodes/pod/agent-rights.ts';
import { missingOperatorRights } from '../../../src/platforms/openshift/rights.ts';
import { neededRights, RIGHTS_MANIFEST } from '../../../src/probe-pods/rights.ts';
import { startSingleApiServer, type SingleApiServer } from '../../fixtures/single-api-server.ts';
import type { RbacObject, RbacRule } from '../../fixtures/rbac-objects.ts';

type Named = { readonly code: string; readonly subject: string };
type Check = (client: KubeClient) => Promise<readonly Named[]>;

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const web = { namespace: 'default', kind: 'Deployment', name: 'web' } as const;

let server: SingleApiServer;
let client: KubeClient;
beforeAll(async () => {
  server = await startSingleApiServer();
  client = new KubeClient(await loadKubeConfig(await server.kubeConfig('keyturn')));
  for (const name of ['openshift-kube-apiserver-operator', 'openshift-kube-apiserver'])
    await server.asAdmin('POST', '/api/v1/namespaces', { metadata: { name } });
  await applyManifest(await server.kubeConfig('admin'), 'deploy/rbac.yaml');
});
afterAll(() => server?.stop());

/** What `keyturn doctor` and Preflight ask. */
const CHECKS: Readonly<Record<string, Check>> = {
  'deploy/rbac.yaml': async (by) => [
    ...(await new KubeCluster({ client: by }).missingPermissions()),
    ...(await seesKubeadm(by)),
  ],
  'deploy/rbac-refresh.yaml': (by) => new KubeCluster({ client: by }).missingPermissions('refresh'),
  'deploy/rbac-restarts.yaml': (by) => new KubeCluster({ client: by, restarts: [web] }).missingPermissions(),
  'deploy/rbac-key-store.yaml': (by) =>
    new KubernetesSecretKeyStore({
      client: by,
      namespace: 'keyturn-keys',
      wrapper: null,
      keyType: 'ec-p256',
      identity: 'test',
    }).findProblems('prod'),
  'deploy/rbac-pod-access.yaml': (by) => missingRules(by, agentRights('keyturn-agents'), AGENT_RIGHTS_MANIFEST),
  'deploy/rbac-verification-pod.yaml': (by) => missingRules(by, neededRights('keyturn-verify'), RIGHTS_MANIFEST),
  'deploy/rbac-openshift.yaml': missingOperatorRights,
};

/** What is not demanded, since a rotation does without it: each has a test of its own for that. */
const NOT_DEMANDED = ['keyturn-mirror-pods', 'keyturn-legacy-token-references', 'keyturn-legacy-token-tracking'];

async function seesKubeadm(by: KubeClient): Promise<readonly Named[]> {
  try {
    await new KubeCluster({ client: by }).kubeadmConfigExists();
    return [];
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return [{ code: error.code, subject: 'get configmaps' }];
  }
}

test.each(Object.entries(CHECKS))('of %s each right that is taken away is named', async (file, check) => {
  await applyManifest(await server.kubeConfig('admin'), file);
  const documents = parseAllDocuments(await readFile(file, 'utf8')).map((document) => document.toJS() as RbacObject);
  const all = documents.filter(({ kind }) => kind.endsWith('Role'));
  const isDemanded = ({ metadata }: RbacObject) => !NOT_DEMANDED.includes(metadata.name);
  const roles = all.filter(isDemanded);
  // What one role grants may cover what another one does.
  for (const role of all) if (!isDemanded(role)) await server.asAdmin('DELETE', pathOf(role));
  await until(check, (problems) => problems.length === 0, `all that ${file} grants`);
  for (const role of roles) {
    const single = (role.rules ?? []).flatMap(singleRights);
    for (const right of single) {
      // Kubernetes' own system:public-info-viewer grants it to everyone.
      if (nameOf(right) === 'get /readyz') continue;
      await replaceRules(
        role,
        single.filter((each) => each !== right),
      );
      const name = nameOf(right);
      const isNamed = ({ code, subject }: Named) => code === 'API_SERVER_FORBIDDEN' && subject.startsWith(name);
      await until(check, (problems) => problems.length > 0 && problems.every(isNamed), `${name} is missed, and alone`);
    }
    await replaceRules(role, role.rules ?? []);
  }
  await until(check, (problems) => problems.length === 0, 'they are granted again');
  if (file !== 'deploy/rbac.yaml') for (const role of roles) await server.asAdmin('DELETE', pathOf(role));
});

test('every file in deploy/ that Keyturn can ask about is among them', async () => {
  const files = (await readdir('deploy')).filter((name) => name.startsWith('rbac')).map((name) => `deploy/${name}`);
  expect(files.filter((file) => !(file in CHECKS))).toEqual([
    // Of another API server, whose answer to a request names the file.
    'deploy/rbac-gardener.yaml',
    // For everyone else, so that relying parties may read the issuer's documents.
    'deploy/rbac-public-issuer.yaml',
  ]);
});

function singleRights(rule: RbacRule): readonly RbacRule[] {
  const { verbs, nonResourceURLs = [], apiGroups = [], resources = [], resourceNames } = rule;
  return verbs.flatMap((verb) => [
    ...nonResourceURLs.map((url) => ({ verbs: [verb], nonResourceURLs: [url] })),
    ...apiGroups.flatMap((group) =>
      resources.map((resource) => ({
        verbs: [verb],
        apiGroups: [group],
        resources: [resource],
        ...(resourceNames === undefined ? {} : { resourceNames }),
      })),
    ),
  ]);
}

/** As problems name it. */
function nameOf({ verbs, apiGroups, resources, nonResourceURLs }: RbacRule): string {
  if (nonResourceURLs !== undefined) return `${verbs[0]} ${nonResourceURLs[0]}`;
  const [resource, subresource] = (resources?.[0] ?? '').split('/');
  const qualified = [resource, apiGroups?.[0]].filter(Boolean).join('.');
  return `${verbs[0]} ${qualified}${subresource === undefined ? '' : `/${subresource}`}`;
}

function pathOf({ kind, metadata: { name, namespace } }: RbacObject): string {
  return kind === 'Role' ? `${RBAC}/namespaces/${namespace}/roles/${name}` : `${RBAC}/clusterroles/${name}`;
}

async function replaceRules(role: RbacObject, rules: readonly RbacRule[]): Promise<void> {
  expect((await server.asAdmin('PUT', pathOf(role), { ...role, rules })).status).toBe(200);
}

/** The authorizer follows its watch: a change is in force a moment later. */
async function until(check: Check, isSo: (problems: readonly Named[]) => boolean, what: string): Promise<void> {
  let problems: readonly Named[] = [];
  for (let tries = 0; tries < 100; tries += 1) {
    problems = await check(client);
    if (isSo(problems)) return;
    await sleep(50);
  }
  throw new Error(`not so: ${what}; instead ${JSON.stringify(problems.map(({ subject }) => subject))}`);
}
