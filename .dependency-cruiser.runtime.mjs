// What is loaded at run time, through any number of files: type imports are gone from this graph. Layers: .dependency-cruiser.mjs.

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'workflows-reach-no-io',
      comment:
        'Workflow code is replayed: nothing that it loads, directly or through another file, may do I/O or hold a key. It reaches src/rotation, src/jwks, the error class and the two Temporal packages.',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: {
        reachable: true,
        pathNot: [
          '^src/(workflows|rotation|jwks)/',
          '^src/errors\\.ts$',
          '(^|/)node_modules/@temporalio/(workflow|common)/',
        ],
      },
    },
    {
      name: 'no-cycle',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: false,
  },
};
