// Finds Azurite's Blob service, which comes with the project's own npm dependencies.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { KeyturnError } from '../../errors.ts';

/**
 * The script to run with this Node, e.g. `node_modules/azurite/dist/src/blob/main.js`; `KEYTURN_AZURITE` names another one.
 * @throws COMPONENT_UNAVAILABLE
 */
export function azuriteBlobScript(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const setting = environment['KEYTURN_AZURITE'];
  const script = setting || join(installedAzurite(), 'dist', 'src', 'blob', 'main.js');
  if (existsSync(script)) return script;
  throw unavailable(`${script} does not exist`);
}

function installedAzurite(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('azurite/package.json'));
  } catch (error) {
    throw unavailable('azurite is not installed', error);
  }
}

function unavailable(problem: string, cause?: unknown): KeyturnError {
  const remedy = 'Run `npm ci`, or set KEYTURN_AZURITE to its dist/src/blob/main.js';
  return new KeyturnError('COMPONENT_UNAVAILABLE', `No Azurite: ${problem}`, { subject: 'azurite', remedy, cause });
}
