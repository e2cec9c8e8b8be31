// What the tests of decisions have in common: how an operator asks, and how a refusal arrives.
import { expect } from 'vitest';
import type { RotationHandle } from './rotation-harness.ts';

export const decide = (handle: RotationHandle, update: string, more: object = {}): Promise<string> =>
  handle.executeUpdate<string, [object]>(update, { args: [{ reason: 'a test', by: 'ann', ...more }] });

export const refusal = (sentence: string | RegExp) => ({
  cause: {
    type: 'DECISION_REFUSED',
    message: typeof sentence === 'string' ? sentence : expect.stringMatching(sentence),
  },
});
