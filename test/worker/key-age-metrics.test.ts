// Metrics of key ages, read over HTTP as Prometheus does, from Temporal's real runtime.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Runtime } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reservePort } from '../../src/demo/free-port.ts';
import type { RotationRecord } from '../../src/rotation/record.ts';
import { KeyAgeMetrics } from '../../src/worker/key-age-metrics.ts';
import { startTelemetry } from '../../src/worker/telemetry.ts';

const DAY = 86_400_000;
const record: RotationRecord = {
  rotationId: 'r1',
  keyVersion: 2,
  startedAt: '2026-07-08T02:00:00Z',
  former: { kid: 'old', alg: 'RS256', publicPem: 'PEM' },
  next: { kid: 'new', alg: 'RS256' },
  layouts: [],
  milestones: { verifiedAt: '2026-07-08T02:00:00Z' },
  ended: { at: '2026-07-09T02:00:00Z', outcome: 'completed' },
};

let address: string;
let taken: unknown;
beforeAll(async () => {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  try {
    startTelemetry({ bindAddress: `127.0.0.1:${(listener.address() as AddressInfo).port}` });
  } catch (error) {
    taken = error;
  }
  listener.close();
  const reserved = await reservePort();
  address = `127.0.0.1:${reserved.port}`;
  startTelemetry({ bindAddress: address });
  return () => reserved.release();
});
afterAll(() => Runtime.instance().shutdown());

/** Values by `name{cluster}`. */
async function scrape(): Promise<Readonly<Record<string, string>>> {
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const lines = text.matchAll(/^(keyturn_\w+)\{cluster="([^"]+)"\} (\S+)$/gm);
  return Object.fromEntries([...lines].map(([, name, cluster, value]) => [`${name}{${cluster}}`, value ?? '']));
}

describe('key age metrics', () => {
  let now = Date.parse('2026-07-18T02:00:00Z');
  let answer: () => Promise<RotationRecord | null> = () => Promise.resolve(record);
  const clusters = [
    { name: 'prod', maxKeyAgeMs: 105 * DAY, readRecord: () => answer() },
    { name: 'new', maxKeyAgeMs: 30 * DAY, readRecord: () => Promise.resolve(null) },
  ];
  const metrics = () =>
    (made ??= new KeyAgeMetrics({ meter: Runtime.instance().metricMeter, clusters, now: () => now }));
  let made: KeyAgeMetrics | undefined;

  test('tell both ages and the policy in seconds; what is unknown is not a number, and is said to be unknown', async () => {
    await metrics().refresh();
    expect(await scrape()).toEqual({
      'keyturn_active_key_age_seconds{prod}': '864000',
      'keyturn_last_rotation_age_seconds{prod}': '777600',
      'keyturn_max_key_age_seconds{prod}': '9072000',
      'keyturn_active_key_age_known{prod}': '1',
      'keyturn_key_age_read_failures_total{prod}': '0',
      'keyturn_active_key_age_seconds{new}': 'NaN',
      'keyturn_last_rotation_age_seconds{new}': 'NaN',
      'keyturn_max_key_age_seconds{new}': '2592000',
      'keyturn_active_key_age_known{new}': '0',
      'keyturn_key_age_read_failures_total{new}': '0',
    });
  });

  test('go on growing while the cluster does not answer, and count that', async () => {
    answer = () => Promise.reject(new Error('away'));
    now += DAY;
    await metrics().refresh();
    await metrics().refresh();
    expect(await scrape()).toMatchObject({
      'keyturn_active_key_age_seconds{prod}': '950400',
      'keyturn_active_key_age_known{prod}': '1',
      'keyturn_key_age_read_failures_total{prod}': '2',
      'keyturn_key_age_read_failures_total{new}': '0',
    });
  });

  test('do not keep an age whose record is gone', async () => {
    answer = () => Promise.resolve(null);
    await metrics().refresh();
    expect(await scrape()).toMatchObject({
      'keyturn_active_key_age_seconds{prod}': 'NaN',
      'keyturn_active_key_age_known{prod}': '0',
    });
  });
});

test('an address that is taken was told with what to do', () => {
  expect(taken).toMatchObject({
    code: 'METRICS_UNAVAILABLE',
    message: expect.stringContaining('metrics.bindAddress') as string,
  });
});
