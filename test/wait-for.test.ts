// Waiting for something to be seen.
import { expect, test } from 'vitest';
import { systemClock, waitFor } from '../src/wait-for.ts';
import type { Patience, Sighting } from '../src/wait-for.ts';

const patience = (overrides: Partial<Patience> = {}): Patience => ({
  clock: systemClock,
  timeoutMs: 10_000,
  pollMs: 1,
  signal: new AbortController().signal,
  onMissing: () => undefined,
  ...overrides,
});

const after = (looks: number): (() => Promise<Sighting>) => {
  let count = 0;
  return async () => {
    count += 1;
    return count > looks ? { proof: `look ${count}` } : { missing: `look ${count}` };
  };
};

test('gives the first proof, and tells what was missing until then', async () => {
  const told: string[] = [];
  const sighting = await waitFor(after(2), patience({ onMissing: (missing) => void told.push(missing) }));
  expect(sighting).toEqual({ proof: 'look 3' });
  expect(told).toEqual(['look 1', 'look 2']);
});

test('looks once even where there is no time', async () => {
  expect(await waitFor(after(0), patience({ timeoutMs: 0 }))).toEqual({ proof: 'look 1' });
  expect(await waitFor(after(9), patience({ timeoutMs: 0 }))).toEqual({ missing: 'look 1' });
});

test('gives what was missing last when the time is up', async () => {
  const sighting = await waitFor(async () => ({ missing: 'the key' }), patience({ timeoutMs: 20 }));
  expect(sighting).toEqual({ missing: 'the key' });
});

test('does not look where the step is stopped already', async () => {
  const reason = new Error('shutting down');
  const look = async (): Promise<Sighting> => expect.fail('looked');
  await expect(waitFor(look, patience({ signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
});

test('stops in the middle of a pause, with the reason', async () => {
  const stop = new AbortController();
  const reason = new Error('shutting down');
  const waiting = waitFor(after(9), patience({ pollMs: 60_000, signal: stop.signal }));
  setTimeout(() => stop.abort(reason), 10);
  await expect(waiting).rejects.toBe(reason);
});
