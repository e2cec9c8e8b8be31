// `npm run test:long`: whole rotations under many faults, on real nodes and real components, one file at a time. Each file takes a quarter of an hour and more,
// so continuous integration does not run them.
import { defineConfig } from 'vitest/config';

const MINUTE_MS = 60_000;

export default defineConfig({
  test: {
    name: 'long',
    pool: 'forks',
    reporters: ['verbose', './test/reporter.ts'],
    include: ['test/**/*.long.ts'],
    hookTimeout: 30 * MINUTE_MS,
    testTimeout: 30 * MINUTE_MS,
    fileParallelism: false,
  },
});
