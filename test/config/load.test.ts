// keyturn.yaml: what is accepted, what is refused and how.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findCluster, loadConfig, parseConfig } from '../../src/config/load.ts';

const cluster = (changes: string = '') => `
  - name: prod
    platform:
      type: static-pod
      kubeconfig: ./kubeconfig
      nodes:
        - name: node-1
    issuer: https://issuer.example/prod
    publisher:
      type: azure-blob
      container: https://acct.blob.core.windows.net/oidc
    keyStore:
      type: encrypted-file
      directory: ./keys
      wrappingKey: { env: WRAPPING_KEY }
${changes}`;

const openShift = (changes: string = '', keyStore: string = '') => `clusters:
  - name: prod
    platform:
      type: openshift
      kubeconfig: ./kubeconfig
      apiServers:
        - { name: master-0, url: 'https://10.0.0.1:6443' }
        - { name: master-1, url: 'https://10.0.0.2:6443' }
${changes}
    issuer: https://issuer.example/prod
    publisher:
      type: azure-blob
      container: https://acct.blob.core.windows.net/oidc
    keyStore:
      type: encrypted-file
      directory: ./keys
      wrappingKey: { env: WRAPPING_KEY }
${keyStore}`;

describe('a cluster on OpenShift', () => {
  test('gets every default', () => {
    expect(parseConfig(openShift(), 'keyturn.yaml').clusters[0]?.platform).toEqual({
      type: 'openshift',
      kubeconfig: './kubeconfig',
      namespace: 'keyturn',
      probeServiceAccount: 'keyturn-probe',
      apiServers: [
        { name: 'master-0', url: 'https://10.0.0.1:6443' },
        { name: 'master-1', url: 'https://10.0.0.2:6443' },
      ],
      timeout: 7_200_000,
      restartAfter: 60_000,
      pollInterval: 5000,
    });
  });

  test.each([
    ['has manifests nowhere', openShift('      nodes: [{ name: master-0 }]'), 'nodes'],
    [
      'names an API server twice',
      openShift("        - { name: master-0, url: 'https://10.0.0.3:6443' }"),
      'named "master-0"',
    ],
    [
      'has the address of an API server twice',
      openShift("        - { name: master-2, url: 'https://10.0.0.1:6443' }"),
      '10.0.0.1',
    ],
    ['signs with RSA alone', openShift('', '      keyType: ec-p256'), 'RSA'],
  ])('%s', (_, text, said) => {
    expect(() => parseConfig(text, 'keyturn.yaml')).toThrow(said);
  });
});

describe('a small configuration', () => {
  test('gets every default', () => {
    const config = parseConfig(`clusters:${cluster()}`, 'keyturn.yaml');
    expect(config.taskQueue).toBe('keyturn');
    expect(config.clusters[0]).toMatchObject({
      platform: {
        namespace: 'keyturn',
        probeServiceAccount: 'keyturn-probe',
        nodes: [{ manifests: '/etc/kubernetes/manifests' }],
      },
      publisher: { jwksPath: 'openid/v1/jwks', credentials: { identity: 'default' } },
      keyStore: { keyType: 'rsa-2048' },
      policies: {
        relyingPartyCache: 3_600_000,
        drain: { policy: 'refreshing' },
        readyTimeout: 300_000,
        legacyTokens: 'hold',
      },
    });
  });

  test('has rules for legacy tokens of a namespace and of one Secret', () => {
    const legacyTokens =
      '{ overrides: [{ namespace: ci, policy: refresh }, { namespace: ci, secret: a, policy: keep, reason: old }] }';
    const { policies } = parseConfig(
      `clusters:${cluster(`    policies: { legacyTokens: ${legacyTokens} }`)}`,
      'keyturn.yaml',
    ).clusters[0]!;
    expect(policies.legacyTokens).toEqual({
      default: 'hold',
      overrides: [
        { namespace: 'ci', policy: 'refresh' },
        { namespace: 'ci', secret: 'a', policy: 'keep', reason: 'old' },
      ],
    });
  });

  test('reads durations as ms', () => {
    const changes = '    policies: { relyingPartyCache: 1h30m, drain: { policy: fixed, duration: 2d } }';
    const { policies } = parseConfig(`clusters:${cluster(changes)}`, 'keyturn.yaml').clusters[0]!;
    expect(policies).toMatchObject({ relyingPartyCache: 5_400_000, drain: { policy: 'fixed', duration: 172_800_000 } });
  });
});

describe('refused, with the place and what to do', () => {
  test.for([
    ['a misspelt field', `clusters:${cluster('    polices: {}')}`, 'CONFIG_INVALID', 'polices'],
    ['no cluster', 'clusters: []', 'CONFIG_INVALID', 'clusters'],
    [
      'legacy tokens that may die without a reason',
      `clusters:${cluster('    policies: { legacyTokens: { overrides: [{ namespace: ci, policy: keep }] } }')}`,
      'CONFIG_INVALID',
      'is needed where tokens may die',
    ],
    [
      'two rules for the same legacy tokens',
      `clusters:${cluster('    policies: { legacyTokens: { overrides: [{ namespace: ci, policy: hold }, { namespace: ci, policy: refresh }] } }')}`,
      'CONFIG_INVALID',
      'two are for the same Secrets',
    ],
    [
      'a workload that is named twice',
      `clusters:${cluster('    policies: { restartWorkloads: [&w { namespace: a, kind: Deployment, name: b }, *w] }')}`,
      'CONFIG_INVALID',
      'one is named twice',
    ],
    [
      'a duration without a unit',
      `clusters:${cluster('    policies: { relyingPartyCache: "60" }')}`,
      'CONFIG_INVALID',
      'relyingPartyCache',
    ],
    ['months', `clusters:${cluster('    policies: { relyingPartyCache: 3mo }')}`, 'CONFIG_INVALID', '24h, 90d'],
    [
      'two clusters of one name',
      `clusters:${cluster()}${cluster()}`,
      'CONFIG_INVALID',
      'two clusters are named "prod"',
    ],
    ['broken YAML', 'clusters: [', 'CONFIG_INVALID', 'keyturn.yaml'],
    ['an http issuer', `clusters:${cluster().replace('https://issuer', 'http://issuer')}`, 'ISSUER_NOT_HTTPS', 'prod'],
    [
      'a cluster name with a path in it',
      `clusters:${cluster().replace('name: prod', 'name: ../prod')}`,
      'CONFIG_INVALID',
      'name',
    ],
    [
      'YAML that multiplies',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\nclusters:${cluster()}`,
      'CONFIG_INVALID',
      'alias',
    ],
  ] as const)('%s', ([, text, code, words]) => {
    expect(() => parseConfig(text, 'keyturn.yaml')).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) as string }) as Error,
    );
  });

  test('an http issuer on a loopback address is accepted only with the explicit exception', () => {
    const text = `clusters:${cluster().replace('https://issuer.example', 'http://127.0.0.1:8080')}`;
    expect(() => parseConfig(text, 'keyturn.yaml')).toThrow('not https');
    expect(parseConfig(`${text}\n    allowInsecureIssuer: true`, 'keyturn.yaml').clusters).toHaveLength(1);
  });
});

describe('the cluster of a rotation', () => {
  const two = parseConfig(`clusters:${cluster()}${cluster().replace('name: prod', 'name: dev')}`, 'keyturn.yaml');

  test('may be left out where only one is configured', () => {
    expect(findCluster(parseConfig(`clusters:${cluster()}`, 'keyturn.yaml'), undefined).name).toBe('prod');
  });

  test.for([[undefined], ['staging']])('%s is refused with the names that exist', ([name]) => {
    expect(() => findCluster(two, name)).toThrow(
      expect.objectContaining({
        code: 'CLUSTER_UNKNOWN',
        message: expect.stringContaining('prod, dev') as string,
      }) as Error,
    );
  });
});

describe('the file', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'keyturn-config-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('is told by name where it cannot be read', async () => {
    const file = path.join(directory, 'keyturn.yaml');
    await expect(loadConfig(file)).rejects.toMatchObject({ code: 'FILE_UNREADABLE', subject: file });
  });

  test('is remembered, since relative paths start from its folder', async () => {
    const file = path.join(directory, 'keyturn.yaml');
    await writeFile(file, `clusters:${cluster()}`);
    expect((await loadConfig(file)).file).toBe(file);
  });
});

test.for([
  ['one name', '        - { name: node-1, manifests: /nodes/1 }', 'named "node-1"'],
  ['one manifests folder', '        - { name: node-2 }', 'same manifests folder'],
])('two nodes with %s are refused: they would be one machine', ([, second, words]) => {
  const text = `clusters:${cluster().replace('        - name: node-1\n', `        - name: node-1\n${second}\n`)}`;
  expect(() => parseConfig(text, 'keyturn.yaml')).toThrow(words);
});
