// By what rotations are found in Temporal: typed search attributes. The worker registers them, the workflow keeps them, the CLI asks by them.
import { defineSearchAttributeKey, type SearchAttributeUpdatePair } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';

export const SEARCH_ATTRIBUTES = {
  cluster: defineSearchAttributeKey('KeyturnCluster', 'KEYWORD'),
  phase: defineSearchAttributeKey('KeyturnPhase', 'KEYWORD'),
  activeKid: defineSearchAttributeKey('KeyturnActiveKid', 'KEYWORD'),
  outcome: defineSearchAttributeKey('KeyturnOutcome', 'KEYWORD'),
} as const;

export type SearchValues = Readonly<Partial<Record<keyof typeof SEARCH_ATTRIBUTES, string>>>;

export class SearchIndex {
  private readonly registered: boolean;
  private readonly known = new Map<string, string>();

  /** @param registered Temporal fails every task of a run that sets attributes which it does not know */
  constructor(registered: boolean) {
    this.registered = registered;
  }

  /** One event in the history, none where nothing has changed. */
  show(values: SearchValues): void {
    if (!this.registered) return;
    const changed: SearchAttributeUpdatePair[] = [];
    for (const name of ['cluster', 'phase', 'activeKid', 'outcome'] as const) {
      const value = values[name];
      if (value === undefined || this.known.get(name) === value) continue;
      this.known.set(name, value);
      changed.push({ key: SEARCH_ATTRIBUTES[name], value });
    }
    if (changed.length > 0) upsertSearchAttributes(changed);
  }
}
