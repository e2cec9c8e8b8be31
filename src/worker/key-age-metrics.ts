// Metrics of how old keys and rotations are, told every minute, also while no rotation runs and while a cluster is away.
import type { MetricCounter, MetricGauge, MetricMeter } from '@temporalio/common';
import { MINUTE_MS, SECOND_MS } from '../rotation/duration.ts';
import { keyAges } from '../rotation/key-age.ts';
import type { RotationRecord } from '../rotation/record.ts';

export interface AgedCluster {
  readonly name: string;
  readonly maxKeyAgeMs: number;
  /** Null where no rotation is on record. */
  readonly readRecord: () => Promise<RotationRecord | null>;
}

export interface KeyAgeMetricsOptions {
  readonly meter: MetricMeter;
  readonly clusters: readonly AgedCluster[];
  /** ms since the epoch */
  readonly now: () => number;
}

export class KeyAgeMetrics {
  readonly #clusters: readonly AgedCluster[];
  readonly #now: () => number;
  /** Ages go on growing from these while a cluster cannot be asked. */
  readonly #known = new Map<string, RotationRecord | null>();
  readonly #activeKey: MetricGauge;
  readonly #lastRotation: MetricGauge;
  readonly #maximum: MetricGauge;
  readonly #isKnown: MetricGauge;
  readonly #failures: MetricCounter;

  constructor({ meter, clusters, now }: KeyAgeMetricsOptions) {
    this.#clusters = clusters;
    this.#now = now;
    const gauge = (name: string, words: string) => meter.createGauge(`keyturn_${name}`, 'float', undefined, words);
    this.#activeKey = gauge(
      'active_key_age_seconds',
      'Time since the active signing key was proven to sign; NaN where unknown',
    );
    this.#lastRotation = gauge(
      'last_rotation_age_seconds',
      'Time since a rotation last came to its end; NaN where none is on record',
    );
    this.#maximum = gauge('max_key_age_seconds', 'policies.maxKeyAge of keyturn.yaml');
    this.#isKnown = gauge('active_key_age_known', '1 where the age of the active key is known, else 0');
    const words = 'Reads of the Lease that failed; ages go on from what was last read';
    this.#failures = meter.createCounter('keyturn_key_age_read_failures_total', undefined, words);
  }

  /** Never throws: what cannot be read is counted. */
  async refresh(): Promise<void> {
    await Promise.all(this.#clusters.map((cluster) => this.#refreshOne(cluster)));
  }

  async #refreshOne({ name: cluster, maxKeyAgeMs, readRecord }: AgedCluster): Promise<void> {
    try {
      this.#known.set(cluster, await readRecord());
      this.#failures.add(0, { cluster });
    } catch {
      this.#failures.add(1, { cluster });
    }
    const { activeKeyMs, lastRotationMs } = keyAges(this.#known.get(cluster) ?? null, maxKeyAgeMs, this.#now());
    this.#maximum.set(maxKeyAgeMs / SECOND_MS, { cluster });
    this.#isKnown.set(activeKeyMs === null ? 0 : 1, { cluster });
    this.#activeKey.set(seconds(activeKeyMs), { cluster });
    this.#lastRotation.set(seconds(lastRotationMs), { cluster });
  }

  /** Refreshes now and then every minute. @returns what ends it */
  start(): () => void {
    let isRefreshing = false;
    const refresh = () => {
      // An API server that hangs is asked once, not once more every minute.
      if (isRefreshing) return;
      isRefreshing = true;
      void this.refresh().finally(() => (isRefreshing = false));
    };
    refresh();
    const timer = setInterval(refresh, MINUTE_MS);
    return () => clearInterval(timer);
  }
}

/** A gauge keeps its last value for ever: what is not known any more has to be said. */
function seconds(ms: number | null): number {
  return ms === null ? Number.NaN : ms / SECOND_MS;
}
