// Three projects: `unit` uses every core; then `integration`, which starts real components, and `kubelet`, which starts real nodes, side by side,
// since they wait much.
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/sequencer.ts';

const MINUTE_MS = 60_000;
const onKubelet = ['test/kubelet/**/*.test.ts', 'test/demo/kubelet/**/*.test.ts'];
/** One on real nodes, and one beside it: more are too much for two cores. */
const FILES_AT_ONCE = 2;
const real = ['test/integration/**/*.test.ts', 'test/demo/**/*.test.ts'];

export default defineConfig({
  test: {
    // Temporal's native module wants a process of its own.
    pool: 'forks',
    reporters: process.env['CI'] ? ['verbose', './test/reporter.ts'] : ['default', './test/reporter.ts'],
    sequence: { sequencer: LongestFirst },
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
          maxWorkers: FILES_AT_ONCE,
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
          maxWorkers: FILES_AT_ONCE,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
