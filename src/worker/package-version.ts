// The version of Keyturn that runs.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** From the package's own file, at the same place from a checkout and from the published package. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).version;
}
