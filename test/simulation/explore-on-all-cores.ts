// Explores on all cores; what is explored depends on the seed alone, not on how many cores there are.
import { onAllCores, partsOf } from '../fixtures/worker-pool.ts';
import type { Summary } from './explore.ts';

const PART = 1000;
const thread = new URL('./explore-thread.ts', import.meta.url);

export async function exploreOnAllCores(runs: number, seed: number): Promise<Summary> {
  const found: { readonly index: number; readonly summary: Summary }[] = [];
  await onAllCores(thread, partsOf(runs, seed, PART), (result, index) => {
    const summary = result as Summary;
    found.push({ index, summary });
    return summary.harm === null;
  });
  const inOrder = found.toSorted((a, b) => a.index - b.index).map(({ summary }) => summary);
  const harmed = inOrder.findIndex(({ harm }) => harm !== null);
  // Parts that were under way behind it would not have been begun on one core.
  return sumUp(harmed === -1 ? inOrder : inOrder.slice(0, harmed + 1));
}

function sumUp(parts: readonly Summary[]): Summary {
  const endings: Record<string, number> = {};
  for (const part of parts) {
    for (const [ending, count] of Object.entries(part.endings)) endings[ending] = (endings[ending] ?? 0) + count;
  }
  const sum = (of: (part: Summary) => number) => parts.reduce((total, part) => total + of(part), 0);
  const { harm = null, story = [], scenario = null } = parts.at(-1) ?? {};
  return { runs: sum((part) => part.runs), events: sum((part) => part.events), endings, harm, story, scenario };
}
