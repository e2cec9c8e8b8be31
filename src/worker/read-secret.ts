// Secrets and files that keyturn.yaml names: read by the worker, never kept in the configuration.
import { readFile } from 'node:fs/promises';
import type { SecretSource } from '../config/fields.ts';
import { KeyturnError } from '../errors.ts';

/**
 * @param resolve makes a path of keyturn.yaml absolute
 * @throws CONFIG_INVALID where it is not set, FILE_UNREADABLE
 */
export async function readSecret(source: SecretSource, resolve: (file: string) => string): Promise<string> {
  const value = 'env' in source ? process.env[source.env] : await readTextFile(resolve(source.file));
  if (value !== undefined && value.trim() !== '') return value.trim();
  const subject = 'env' in source ? `environment variable ${source.env}` : source.file;
  throw new KeyturnError('CONFIG_INVALID', `The ${subject} is not set or empty`, {
    subject,
    remedy: "Set it in the worker's environment",
  });
}

/** @throws FILE_UNREADABLE */
export async function readTextFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new KeyturnError('FILE_UNREADABLE', `${file} cannot be read`, {
      subject: file,
      remedy: 'Correct the path in keyturn.yaml, or let the worker read it',
      cause,
    });
  }
}
