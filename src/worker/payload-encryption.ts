// Reads the keys that encrypt what Temporal stores. By environment, as Temporal's own settings: worker and CLI need the same.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { KeyturnError } from '../errors.ts';
import { readPrivateFile } from '../key-stores/private-file.ts';
import { EncryptingCodec, type PayloadKey } from '../payload-encryption/payload-codec.ts';

const KEY_BYTES = 32;
const VALUE = 'KEYTURN_PAYLOAD_KEYS';
const FILE = 'KEYTURN_PAYLOAD_KEYS_FILE';

const failureConverterPath = fileURLToPath(
  new URL(`../payload-encryption/failure-converter${extname(import.meta.url)}`, import.meta.url),
);

/** How payloads are converted; null where no keys are set, so that Temporal stores them as they are. @throws as `readPayloadCodec` */
export async function readDataConverter(): Promise<DataConverter | null> {
  const codec = await readPayloadCodec();
  return codec === null ? null : { payloadCodecs: [codec], failureConverterPath };
}

/**
 * `ID:KEY` for each key, with white space between them; the first one encrypts. KEY is 32 bytes as base64.
 * @throws CONFIG_INVALID FILE_UNREADABLE FILE_TOO_OPEN
 */
export async function readPayloadCodec(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<EncryptingCodec | null> {
  const { [VALUE]: value, [FILE]: file } = env;
  if (value && file) throw invalid(`${VALUE} and ${FILE} are both set`, VALUE);
  if (file) return codecOf(await readPrivateFile(file), file);
  return value ? codecOf(value, VALUE) : null;
}

function codecOf(text: string, subject: string): EncryptingCodec {
  const keys = text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word, index) => parseKey(word, `Key ${index + 1} of ${subject}`, subject));
  const [first, ...others] = keys;
  if (first === undefined) throw invalid(`${subject} holds no key`, subject);
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw invalid(`${subject} has two keys of one ID`, subject);
  return new EncryptingCodec([first, ...others]);
}

/** Never quotes what it was given: it is, or was meant to be, a secret. */
function parseKey(word: string, what: string, subject: string): PayloadKey {
  const match = /^(?<id>[A-Za-z0-9._-]{1,64}):(?<key>[A-Za-z0-9+/_-]+={0,2})$/.exec(word)?.groups;
  const bytes = Buffer.from(match?.['key'] ?? '', 'base64');
  if (match?.['id'] === undefined || bytes.length !== KEY_BYTES) {
    throw invalid(`${what} is not ID:KEY with ${KEY_BYTES} bytes as base64`, subject);
  }
  return { id: match['id'], bytes };
}

function invalid(problem: string, subject: string): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', problem, {
    subject,
    remedy: 'Write each key as ID:KEY, the one that encrypts first; a new KEY comes from `openssl rand -base64 32`',
  });
}
