// Changes a published document that others may write at the same time.
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../errors.ts';
import type { IssuerDocument, JwksPublisher } from './port.ts';

export interface UpdateOptions {
  /** How often a lost race is run again. Default 20. */
  readonly maxAttempts?: number;
  /** Waits between attempts; the argument is in milliseconds. Default: a timer. */
  readonly delay?: (ms: number) => Promise<unknown>;
  /** From 0 to 1: spreads writers that lost the same race. Default Math.random. */
  readonly random?: () => number;
}

export interface DocumentUpdate {
  /** False where the document already was as wanted: nothing was written. */
  readonly changed: boolean;
  /** What is stored now. */
  readonly body: string;
  /** What was stored before, or undefined where there was nothing. */
  readonly former: string | undefined;
}

const FIRST_DELAY_MS = 25;
const MAX_DELAY_MS = 1_000;

/**
 * Reads, transforms and writes over exactly what was read; where another writer was quicker, all of it again. What the others wrote is
 * therefore never lost. Where the transform gives back what it got nothing is written.
 *
 * @param transform pure: it runs once an attempt; gets undefined where there is no document
 * @throws JWKS_CHANGED (retryable) after `maxAttempts` lost races, and whatever the publisher and the transform throw
 */
export async function updateDocument(
  publisher: JwksPublisher,
  document: IssuerDocument,
  transform: (body: string | undefined) => string,
  { maxAttempts = 20, delay = sleep, random = Math.random }: UpdateOptions = {},
): Promise<DocumentUpdate> {
  for (let attempt = 1; ; attempt += 1) {
    const stored = await publisher.read(document);
    const body = transform(stored?.body);
    if (body === stored?.body) return { changed: false, body, former: body };
    try {
      await publisher.write(document, body, stored === undefined ? 'absent' : { etag: stored.etag });
      return { changed: true, body, former: stored?.body };
    } catch (error) {
      const lostRace = error instanceof KeyturnError && error.code === 'JWKS_CHANGED';
      if (!lostRace || attempt >= maxAttempts) throw error;
      await delay(random() * Math.min(FIRST_DELAY_MS * 2 ** attempt, MAX_DELAY_MS));
    }
  }
}
