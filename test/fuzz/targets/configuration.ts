// What people write for Keyturn: kubeconfig and keyturn.yaml. Nothing of a secret in an error, no way to a name that means something elsewhere.
import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { parseConfig } from '../../../src/config/load.ts';
import { parseKubeConfig } from '../../../src/api-servers/kube-config.ts';
import type { FuzzTarget } from '../run-target.ts';
import { bombs } from './yaml-bombs.ts';

const example = readFileSync(new URL('../../../examples/keyturn.yaml', import.meta.url), 'utf8');

export const keyturnYaml: FuzzTarget = {
  name: 'keyturn.yaml',
  seeds: [example, stringify(parse(example)), JSON.stringify(parse(example))],
  extremes: bombs,
  tokens: [
    'name: ',
    'clusters:',
    'platform:',
    'type: static-pod',
    'issuer: http://evil.example',
    'issuer: https://a.example',
    '24h',
    '1e9d',
    'nodes: []',
    'name: ../../x',
    'name: $(id)',
    "name: a'b",
    'name: a;b',
    'name: -n',
    'address: "a b"',
    'access: ssh',
    'access: pod',
    'manifests: ../x',
  ],
  accepts(input) {
    const config = parseConfig(input, 'keyturn.yaml');
    if (config.clusters.length === 0) throw new Error('accepted without a cluster');
    for (const { name, issuer, platform } of config.clusters) {
      if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) throw new Error(`accepted a cluster named ${name}`);
      const { protocol, hostname } = new URL(issuer);
      if (protocol !== 'https:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
        throw new Error(`accepted the issuer ${issuer}`);
      const nodes = 'nodes' in platform ? platform.nodes : [];
      for (const node of nodes) {
        if (!/^[a-z0-9][-a-z0-9.]*$/.test(node.name)) throw new Error(`accepted a node named ${node.name}`);
      }
    }
    return true;
  },
};

const SECRET = 'c2VjcmV0LW9mLXRoZS1rdWJlY29uZmln';
const kubeConfig = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'prod', cluster: { server: 'https://10.0.0.1:6443', 'certificate-authority-data': 'Y2E=' } }],
  users: [
    { name: 'keyturn', user: { token: SECRET, 'client-key-data': SECRET } },
    { name: 'file', user: { tokenFile: './token' } },
  ],
  contexts: [
    { name: 'prod', context: { cluster: 'prod', user: 'keyturn' } },
    { name: 'file', context: { cluster: 'prod', user: 'file', namespace: 'x' } },
  ],
  'current-context': 'prod',
};

/** Names and addresses are shown, whatever a graft has put into them. */
function namesHold(input: string, secret: string): boolean {
  try {
    const { users: _users, ...shown } = parse(input, { logLevel: 'error' }) as Record<string, unknown>;
    return JSON.stringify(shown).includes(secret);
  } catch {
    return false;
  }
}

export const kubeConfigs: FuzzTarget = {
  name: 'kubeconfig',
  seeds: [stringify(kubeConfig), JSON.stringify(kubeConfig), stringify({ ...kubeConfig, 'current-context': 'file' })],
  extremes: bombs,
  tokens: [
    'server: http://10.0.0.1',
    'current-context: file',
    'users: null',
    'user: null',
    'exec: {command: id}',
    'auth-provider: {}',
    'cluster: {}',
    'proxy-url: x',
  ],
  accepts(input) {
    try {
      const { kubeConfig: read } = parseKubeConfig('/etc/keyturn/kubeconfig', input);
      const server = read.getCurrentCluster()?.server ?? '';
      if (new URL(server).protocol !== 'https:') throw new Error(`accepted the server ${server}`);
      const written = parse(input, { logLevel: 'error' }) as typeof kubeConfig;
      const name = written['current-context'];
      if (read.getCurrentContext() !== name) throw new Error('another context than the current one');
      return true;
    } catch (error) {
      const told = `${String(error)} ${JSON.stringify(error)} ${(error as Error).stack}`;
      if (told.includes(SECRET) && !namesHold(input, SECRET))
        throw new Error('the error tells a secret', { cause: error });
      throw error;
    }
  },
};
