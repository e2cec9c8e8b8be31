// Three projects, one after the other: `unit` runs in parallel; `integration` starts real components, two files at a time, since they wait much;
// `kubelet` starts real nodes, one file at a time.
import { defineConfig } from 'vitest/config';

const MINUTE_MS = 60_000;
const onKubelet = ['test/kubelet/**/*.test.ts', 'test/demo/kubelet/**/*.test.ts'];
const real = ['test/integration/**/*.test.ts', 'test/demo/**/*.test.ts'];

export default defineConfig({
  test: {
    // Temporal's native module wants a process of its own.
    pool: 'forks',
    reporters: process.env['CI'] ? ['verbose', './test/reporter.ts'] : ['default', './test/reporter.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...real, ...onKubelet],
          maxWorkers: '100%',
          sequence: { groupOrder: 1 },
          testTimeout: 2 * MINUTE_MS,
          hookTimeout: 2 * MINUTE_MS,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: real,
          exclude: onKubelet,
          // Components may have to be built first: kube-apiserver takes about six minutes once.
          hookTimeout: 30 * MINUTE_MS,
          testTimeout: 6 * MINUTE_MS,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'kubelet',
          include: onKubelet,
          hookTimeout: 30 * MINUTE_MS,
          testTimeout: 6 * MINUTE_MS,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
