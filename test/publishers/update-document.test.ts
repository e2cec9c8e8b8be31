// Lost races: how often they are run again, and what is never lost.
import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../src/errors.ts';
import { updateDocument } from '../../src/publishers/update-document.ts';
import { MemoryPublisher } from '../fakes/memory-publisher.ts';

/** Another writer who comes between our read and our write for a number of times. */
function raceAgainst(publisher: MemoryPublisher, times: number): void {
  let left = times;
  publisher.beforeWrite = async () => {
    if (left === 0) return;
    left -= 1;
    publisher.beforeWrite = () => Promise.resolve();
    await updateDocument(publisher, 'jwks', (body = '') => `${body}o`);
    raceAgainst(publisher, left);
  };
}

describe('updateDocument', () => {
  test('runs a lost race again, on what the other writer left', async () => {
    const publisher = new MemoryPublisher();
    raceAgainst(publisher, 3);
    const delays: number[] = [];
    const delay = (ms: number) => Promise.resolve(void delays.push(ms));
    const result = await updateDocument(publisher, 'jwks', (body = '') => `${body}x`, { delay, random: () => 1 });
    expect(result).toEqual({ changed: true, former: 'ooo', body: 'ooox' });
    expect(delays).toEqual([50, 100, 200]);
  });

  test('gives up after as many attempts as it is told, with what the last one said', async () => {
    const publisher = new MemoryPublisher();
    raceAgainst(publisher, 100);
    const delays: number[] = [];
    const delay = (ms: number) => Promise.resolve(void delays.push(ms));
    const failing = updateDocument(publisher, 'jwks', (body = '') => `${body}x`, { delay, random: () => 0.5 });
    await expect(failing).rejects.toMatchObject({ code: 'JWKS_CHANGED', retryable: true });
    expect(delays).toHaveLength(19);
    expect(Math.max(...delays)).toBe(500);
    expect((await publisher.read('jwks'))?.body).toBe('o'.repeat(20));
  });

  test('does not try again where something else is wrong', async () => {
    const publisher = new MemoryPublisher();
    publisher.isUp = false;
    await expect(updateDocument(publisher, 'jwks', () => 'x')).rejects.toMatchObject({ code: 'PUBLISHER_UNREACHABLE' });
    publisher.isUp = true;
    let runs = 0;
    const refuse = (): string => {
      runs += 1;
      throw new KeyturnError('JWKS_MALFORMED', 'no', { subject: 'x', remedy: 'y' });
    };
    await expect(updateDocument(publisher, 'jwks', refuse)).rejects.toMatchObject({ code: 'JWKS_MALFORMED' });
    expect(runs).toBe(1);
    expect(publisher.written).toEqual([]);
  });
});
