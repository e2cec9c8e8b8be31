import { describe, expect, it } from 'vitest';
import { refreshWait } from '../../src/rotation/kubelet-refresh.ts';

const MINUTE = 60_000;

describe('the wait for kubelet to refresh a token', () => {
  // 80 % of the lifetime or 24 h, and 10 s jitter and 90 s sync.
  it.each<[string, number, number]>([
    ['the least lifetime, 10 min', 10 * MINUTE, 8 * MINUTE + 100_000],
    ['1 h', 60 * MINUTE, 48 * MINUTE + 100_000],
    ['30 h, of which 80 % are 24 h', 1800 * MINUTE, 1440 * MINUTE + 100_000],
    ['a year', 365 * 1440 * MINUTE, 1440 * MINUTE + 100_000],
  ])('of %s', (_, lifetimeMs, ms) => {
    expect(refreshWait(lifetimeMs).ms).toBe(ms);
  });

  it('shows its arithmetic', () => {
    expect(refreshWait(60 * MINUTE).explanation).toBe(
      "48m (kubelet replaces a token at 80 % of its 1h) + 10s (kubelet jitter) + 1m 30s (kubelet sync until the file is written) = 49m 40s, counted from when the pod's token was minted",
    );
  });
});
