// Brings a directory's entries to the disk: without it a power cut may undo a rename in it.
import { open } from 'node:fs/promises';

/** @throws the system's error */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
