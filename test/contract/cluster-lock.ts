// What every cluster lock keeps to.
import { describe, expect, test } from 'vitest';
import type { ClusterLock, Holder } from '../../src/cluster-lock/port.ts';
import type { RotationRecord } from '../../src/rotation/record.ts';

const never = async (): Promise<boolean> => false;
const always = async (): Promise<boolean> => true;

function run(runId: string, overrides: Partial<Holder> = {}): Holder {
  return { temporalClusterId: 'service-1', namespace: 'default', workflowId: 'rotate-prod', runId, ...overrides };
}

const record: RotationRecord = {
  rotationId: 'r1',
  keyVersion: 2,
  startedAt: '2026-01-31T00:00:00.000Z',
  former: { kid: 'former', alg: 'RS256', publicPem: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n' },
  next: { kid: 'next', alg: 'ES256' },
  layouts: [
    {
      node: 'node-1',
      signingKeyFile: '/etc/kubernetes/pki/sa.key',
      trustedKeyFiles: ['/etc/kubernetes/pki/sa.pub'],
      controllerManagerKeyFile: null,
    },
  ],
  milestones: { publishedAt: '2026-01-31T01:00:00.000Z' },
};

/** @param make a new lock each time; what it returns opens that same lock once more, as another worker does */
export function clusterLockContract(name: string, make: () => Promise<() => ClusterLock>): void {
  describe(`cluster lock contract: ${name}`, () => {
    test('at first nobody holds it, and there is no record', async () => {
      const open = await make();
      expect(await open().read()).toEqual({ held: null, record: null });
    });

    test('who takes it holds it, with the time', async () => {
      const open = await make();
      const before = Date.now();
      await open().acquire(run('1'), never);
      const { held } = await open().read();
      expect(held?.holder).toEqual(run('1'));
      const since = Date.parse(held?.since ?? '');
      expect(since).toBeGreaterThanOrEqual(before);
      expect(since).toBeLessThanOrEqual(Date.now());
    });

    test('taking it again changes nothing, not even the time, and asks nobody', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      const first = await open().read();
      await open().acquire(run('1'), () => Promise.reject(new Error('was asked')));
      expect(await open().read()).toEqual(first);
    });

    test('is refused while the holder runs, naming the holder and since when', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      const { held } = await open().read();
      await expect(open().acquire(run('2'), never)).rejects.toMatchObject({
        code: 'CLUSTER_LOCKED',
        retryable: false,
        message: expect.stringMatching(new RegExp(`default/rotate-prod \\(run 1\\) since ${held?.since}`)) as string,
        details: { holder: run('1'), since: held?.since },
      });
      expect((await open().read()).held).toEqual(held);
    });

    test.each([
      ['another Temporal service', { temporalClusterId: 'service-2' }],
      ['another namespace', { namespace: 'other' }],
      ['another workflow', { workflowId: 'rotate-other' }],
    ])('the same run id in %s is another holder', async (_, overrides) => {
      const open = await make();
      await open().acquire(run('1'), never);
      await expect(open().acquire(run('1', overrides), never)).rejects.toMatchObject({ code: 'CLUSTER_LOCKED' });
      await expect(open().confirm(run('1', overrides))).rejects.toMatchObject({ code: 'LOCK_LOST' });
    });

    test('is taken over from a run that has ended, with its record', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      await open().save(run('1'), record);
      const asked: Holder[] = [];
      await open().acquire(run('2'), async (holder) => {
        asked.push(holder);
        return true;
      });
      expect(asked).toEqual([run('1')]);
      expect(await open().read()).toMatchObject({ held: { holder: run('2') }, record });
      await expect(open().confirm(run('1'))).rejects.toMatchObject({ code: 'LOCK_LOST', retryable: false });
      await expect(open().save(run('1'), record)).rejects.toMatchObject({ code: 'LOCK_LOST', retryable: false });
    });

    test('is not taken where it cannot be told whether the holder has ended', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      await expect(open().acquire(run('2'), () => Promise.reject(new Error('away')))).rejects.toThrow('away');
      expect((await open().read()).held?.holder).toEqual(run('1'));
    });

    test('the record is stored and replaced as a whole', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      await open().save(run('1'), record);
      expect((await open().read()).record).toEqual(record);
      const ended: RotationRecord = {
        ...record,
        milestones: {},
        ended: { at: '2026-02-03T00:00:00.000Z', outcome: 'completed' },
      };
      await open().save(run('1'), ended);
      expect((await open().read()).record).toEqual(ended);
    });

    test('saving and confirming at the same time lose nothing', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      await Promise.all([open().confirm(run('1')), open().save(run('1'), record), open().confirm(run('1'))]);
      expect(await open().read()).toMatchObject({ held: { holder: run('1') }, record });
    });

    test('given back with its record, it is free for the next', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      await open().save(run('1'), record);
      await open().release(run('1'), { keepRecord: true });
      expect(await open().read()).toEqual({ held: null, record });
      await open().acquire(run('2'), never);
      expect(await open().read()).toMatchObject({ held: { holder: run('2') }, record });
    });

    test('given back without its record, nothing is left', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      await open().save(run('1'), record);
      await open().release(run('1'), { keepRecord: false });
      await open().release(run('1'), { keepRecord: false });
      expect(await open().read()).toEqual({ held: null, record: null });
      await expect(open().confirm(run('1'))).rejects.toMatchObject({ code: 'LOCK_LOST' });
    });

    test('giving back what another holds does nothing', async () => {
      const open = await make();
      await open().acquire(run('1'), never);
      await open().release(run('2'), { keepRecord: false });
      expect((await open().read()).held?.holder).toEqual(run('1'));
    });

    test.each([
      ['a free lock', undefined, never],
      ['a lock that was given back', 'released', never],
      ['the lock of a run that has ended', 'ended', always],
    ])('of ten that race for %s exactly one wins', async (_, before, hasEnded) => {
      const open = await make();
      if (before !== undefined) await open().acquire(run('0'), never);
      if (before === 'released') await open().release(run('0'), { keepRecord: true });
      const racers = Array.from({ length: 10 }, (__, index) => run(`racer-${index}`));
      const isOver = async (holder: Holder): Promise<boolean> => holder.runId === '0' && hasEnded();
      const results = await Promise.allSettled(racers.map((racer) => open().acquire(racer, isOver)));
      const winners = racers.filter((__, index) => results[index]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      expect((await open().read()).held?.holder).toEqual(winners[0]);
      for (const result of results) {
        if (result.status === 'fulfilled') continue;
        const { code, retryable } = result.reason as { code: string; retryable: boolean };
        expect([code, retryable]).toEqual(code === 'LOCK_LOST' ? ['LOCK_LOST', true] : ['CLUSTER_LOCKED', false]);
      }
    });
  });
}
