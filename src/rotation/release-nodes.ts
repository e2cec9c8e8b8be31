// Where agents leave the nodes: before every wait, and at the end. Waits take hours, and nobody needs a node in them.
import type { Action } from './plan.ts';

/**
 * Puts a step that removes agents before each wait that comes after something else than a wait.
 * @param release makes the step; it is told what comes next
 * @param isBusy whether something else has come before the first step. Default false.
 */
export function releaseBeforeWaits<T extends { readonly action: Action }>(
  steps: readonly T[],
  release: (next: T) => T,
  { isBusy = false }: { readonly isBusy?: boolean } = {},
): readonly T[] {
  let wasBusy = isBusy;
  return steps.flatMap((step) => {
    const isWait = step.action.type === 'wait';
    const due = isWait && wasBusy;
    wasBusy = !isWait;
    return due ? [release(step), step] : [step];
  });
}
