// Prints suites that are skipped with a reason, and the totals as the very last line: `12 passed, 0 failed`, with `, 1 skipped` if any.
import { writeSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts tests; a file or suite that broke outside of its tests, and an error outside of every file, count as one failure each. */
export function countTests(modules: Iterable<TestModule>, unhandledErrors: number): Totals {
  const totals = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    totals.failed += module.errors().length > 0 ? 1 : 0;
    for (const suite of module.children.allSuites()) totals.failed += suite.errors().length > 0 ? 1 : 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'pending') totals.skipped += 1;
      else totals[state] += 1;
    }
  }
  return totals;
}

export function formatTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Titles of suites that say why they were skipped, e.g. `a kubelet bed (skipped: needs root)`. */
function skippedSuites(modules: Iterable<TestModule>): string[] {
  const suites = [...modules].flatMap((module) => [...module.children.allSuites()]);
  return suites
    .filter((suite) => suite.state() === 'skipped')
    .map(({ fullName }) => fullName)
    .filter((name) => name.includes('(skipped: '));
}

export default class TotalsReporter implements Reporter {
  #totals: Totals | undefined;
  #skipped: readonly string[] = [];

  constructor() {
    // Other reporters and Vitest itself write until the process ends.
    process.once('exit', () => {
      for (const name of this.#skipped) writeSync(1, `${name}\n`);
      if (this.#totals) writeSync(1, `${formatTotals(this.#totals)}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#totals = countTests(modules, unhandledErrors.length);
    this.#skipped = skippedSuites(modules);
  }
}
