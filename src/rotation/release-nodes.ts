// Where agents leave the nodes: before every wait, and at the end. Waits take hours, and nobody needs a node in them.
import type { Action } from './plan.ts';

/**
 * Puts a step that removes agents before each wait that comes after something else than a wait.
 * @param release makes the step; it is told what comes next
 */
export function releaseBeforeWaits<T extends { readonly action: Action }>(
  steps: readonly T[],
  release: (next: T) => T,
): readonly T[] {
  let isBusy = false;
  return steps.flatMap((step) => {
    const isWait = step.action.type === 'wait';
    const due = isWait && isBusy;
    isBusy = !isWait;
    return due ? [release(step), step] : [step];
  });
}
