// By what rotations are found in Temporal: typed search attributes. The worker registers them, the workflow keeps them, the CLI asks by them.
import { defineSearchAttributeKey, type SearchAttributeUpdatePair } from '@temporalio/common';
import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';

export const SEARCH_ATTRIBUTES = {
  cluster: defineSearchAttributeKey('KeyturnCluster', 'KEYWORD'),
  phase: defineSearchAttributeKey('KeyturnPhase', 'KEYWORD'),
  activeKid: defineSearchAttributeKey('KeyturnActiveKid', 'KEYWORD'),
  outcome: defineSearchAttributeKey('KeyturnOutcome', 'KEYWORD'),
} as const;

/** What is absent is taken away. */
export type SearchValues = Readonly<Partial<Record<keyof typeof SEARCH_ATTRIBUTES, string>>>;

export class SearchIndex {
  private readonly registered: boolean;

  /** @param registered Temporal fails every task of a run that sets attributes which it does not know */
  constructor(registered: boolean) {
    this.registered = registered;
  }

  /**
   * One event in the history a phase. An outcome that is there without being ours is taken away: who starts a run in the Temporal UI
   * "like" a former one hands that one's attributes on.
   */
  show(values: SearchValues): void {
    if (!this.registered) return;
    const present = workflowInfo().typedSearchAttributes;
    const changed: SearchAttributeUpdatePair[] = [];
    for (const name of ['cluster', 'phase', 'activeKid', 'outcome'] as const) {
      const key = SEARCH_ATTRIBUTES[name];
      const value = values[name] ?? null;
      if (value !== (present.get(key) ?? null)) changed.push({ key, value });
    }
    // The active key changes within a phase: that is shown with the next one.
    const isDue = changed.some(({ key }) => key !== SEARCH_ATTRIBUTES.activeKid);
    if (isDue) upsertSearchAttributes(changed);
  }
}
