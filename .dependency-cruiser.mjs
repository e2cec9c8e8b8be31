// Layers of the source as written, type imports included. What may be loaded at run time: .dependency-cruiser.runtime.mjs.

/** Folders with a port.ts and the adapters that implement it. */
const ADAPTERS = '(platforms|nodes|publishers|key-stores|notifiers)';

/** Adapters, each a folder or a file of this name. Files beside them (what two adapters share) are theirs alone. */
const NAMES = [
  'static-pod',
  'openshift',
  'gardener',
  'gkectl',
  'local',
  'pod',
  'ssh',
  'azure-blob',
  's3',
  'gcs',
  'file',
  'api-server',
  'platform',
  'kubernetes-secret',
  'encrypted-file',
  'bring-your-own',
  'webhook',
].join('|');

/** What stands beside adapters but works with any of them: the ports, and how documents are updated and read back in public. */
const FOR_EVERYBODY = ['^src/[^/]+/port\\.ts$', '^src/publishers/(read-back|trusting-fetch|update-document)\\.ts$'];

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'pure-core',
      comment:
        'src/rotation and src/jwks decide what is safe. They see each other and the error class, nothing else: no node builtin, no package, no type of another layer.',
      severity: 'error',
      from: { path: '^src/(rotation|jwks)/' },
      to: { pathNot: ['^src/(rotation|jwks)/', '^src/errors\\.ts$'] },
    },
    {
      name: 'errors-stand-alone',
      comment: 'src/errors.ts is imported by every layer, the pure ones too: it imports nothing.',
      severity: 'error',
      from: { path: '^src/errors\\.ts$' },
      to: {},
    },
    {
      name: 'adapters-picked-by-composition-root',
      comment: 'Only src/worker and src/cli pick adapters. Everybody else imports the port: src/<folder>/port.ts.',
      severity: 'error',
      from: { path: '^src/([^/]+)/', pathNot: '^src/(worker|cli|demo)/' },
      to: { path: `^src/${ADAPTERS}/`, pathNot: ['^src/$1/', ...FOR_EVERYBODY] },
    },
    {
      name: 'adapters-know-no-sibling',
      comment: 'What two adapters of a folder share belongs beside their port, not in one of them.',
      severity: 'error',
      from: { path: `^src/${ADAPTERS}/(${NAMES})(/|\\.ts$)` },
      to: { path: `^src/$1/(${NAMES})(/|\\.ts$)`, pathNot: '^src/$1/$2(/|\\.ts$)' },
    },
    {
      name: 'adapters-know-no-caller',
      comment: 'An adapter is called by activities; it knows neither them nor workflows nor the worker.',
      severity: 'error',
      from: { path: `^src/${ADAPTERS}/` },
      to: { path: '^src/(workflows|activities|worker|cli)/' },
    },
    {
      name: 'worker-is-an-end',
      comment: 'src/worker puts everything together: only the CLI and the demo start it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(worker|cli|demo)/' },
      to: { path: '^src/worker/' },
    },
    {
      name: 'cli-is-an-end',
      comment: 'src/cli is a client like any other: nothing is built on it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(cli|demo)/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'product-knows-no-demo',
      comment:
        'The embedded control plane serves the demo and the tests. The product does not know it, nor is it published.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/demo/' },
      to: { path: '^(src/demo|test|bench|scripts)/' },
    },
    {
      name: 'no-development-dependency',
      comment: 'What is published may import `dependencies` only.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/demo/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '/node_modules/@types/' },
    },
    {
      name: 'no-undeclared-dependency',
      comment: 'A package that happens to be installed for another one may be gone tomorrow.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'no-orphan',
      comment:
        'Nothing imports this file and it imports nothing. Code that is unreachable as a group is found by knip.',
      severity: 'error',
      from: { orphan: true },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
  },
};
