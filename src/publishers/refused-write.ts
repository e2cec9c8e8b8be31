// Shows that a store could be written, and that it heeds preconditions, without changing anything.
import { KeyturnError } from '../errors.ts';

/**
 * @param write one whose precondition cannot hold, with the very content that is there
 * @throws what `write` throws where that is something else than the precondition; CONFIG_INVALID where it wrote
 */
export async function expectRefusal(write: () => Promise<void>, subject: string): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'JWKS_CHANGED') return;
    throw error;
  }
  throw new KeyturnError('CONFIG_INVALID', `${subject} was written in spite of a precondition that does not hold`, {
    subject,
    remedy: 'Use a store that heeds If-Match on writes: on this one two writers would lose keys of each other',
  });
}
