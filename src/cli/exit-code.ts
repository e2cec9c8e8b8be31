// Exit codes that scripts can rely on.
import type { RotationStatus } from '../rotation/status.ts';

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** A person must decide: held, at a gate, or paused. */
  held: 3,
  /** The rotation runs, or waits for a time. */
  waiting: 4,
} as const;

export function exitCodeOf({ state }: Pick<RotationStatus, 'state'>): number {
  switch (state) {
    case 'ended':
      return EXIT.done;
    case 'held':
    case 'gated':
    case 'paused':
      return EXIT.held;
    case 'preflight':
    case 'running':
    case 'waiting':
    case 'rolling-back':
      return EXIT.waiting;
  }
}
