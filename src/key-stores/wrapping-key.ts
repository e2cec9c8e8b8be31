// The symmetric key that protects staged keys at rest, and the name by which a file says which one it needs.
import { createHash } from 'node:crypto';
import { KeyturnError } from '../errors.ts';
import { readPrivateFile } from './private-file.ts';

/** Where the wrapping key lies: 32 bytes as base64 (`openssl rand -base64 32`), in a file or in an environment variable. */
export type WrappingKeySource = { readonly file: string } | { readonly env: string };

export interface WrappingKey {
  /** Short hash of the key: tells keys apart, and says nothing about them. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

const KEY_BYTES = 32;

/** @throws FILE_UNREADABLE FILE_TOO_OPEN; KEY_STORE_LOCKED where the variable is not set or the value is not 32 bytes of base64 */
export async function readWrappingKey(
  source: WrappingKeySource,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<WrappingKey> {
  const subject = 'file' in source ? source.file : `environment variable ${source.env}`;
  const text = 'file' in source ? await readPrivateFile(source.file) : env[source.env];
  const value = text?.trim() ?? '';
  if (value === '') throw locked('is empty or not set', subject);
  const bytes = /^[A-Za-z0-9+/_-]+={0,2}$/.test(value) ? Buffer.from(value, 'base64') : Buffer.alloc(0);
  if (bytes.length !== KEY_BYTES) throw locked(`does not hold ${KEY_BYTES} bytes as base64`, subject);
  const id = createHash('sha256').update('keyturn wrapping key\0').update(bytes).digest('base64url').slice(0, 12);
  return { id, bytes };
}

function locked(what: string, subject: string): KeyturnError {
  return new KeyturnError('KEY_STORE_LOCKED', `The wrapping key in ${subject} ${what}`, {
    subject,
    remedy: 'Put the output of `openssl rand -base64 32` there, and keep it: staged keys are lost without it',
  });
}
