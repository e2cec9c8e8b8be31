// Reads the keys that encrypt what Temporal stores. By environment, as Temporal's own settings: worker and CLI need the same.
import { dirname, extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { transit } from '../config/key-store-schema.ts';
import { parseYaml } from '../config/parse-yaml.ts';
import { KeyturnError } from '../errors.ts';
import type { KeyWrapper } from '../key-stores/key-wrapper.ts';
import { readPrivateFile } from '../key-stores/private-file.ts';
import { EncryptingCodec, type PayloadKey } from '../payload-encryption/payload-codec.ts';
import { composeTransit } from './compose-transit.ts';
import { readTextFile } from './read-secret.ts';

const KEY_BYTES = 32;
const VALUE = 'KEYTURN_PAYLOAD_KEYS';
const FILE = 'KEYTURN_PAYLOAD_KEYS_FILE';
const TRANSIT = 'KEYTURN_PAYLOAD_TRANSIT';

/** What transit gives out: https://openbao.org/api-docs/secret/transit/#generate-data-key */
const WRAPPED_FORM = 'vault:v1:...';
const KEY =
  /^(?<id>[A-Za-z0-9._-]{1,64}):(?:(?<wrapped>vault:v\d+:[A-Za-z0-9+/]+={0,2})|(?<key>[A-Za-z0-9+/_-]+={0,2}))$/;

const failureConverterPath = fileURLToPath(
  new URL(`../payload-encryption/failure-converter${extname(import.meta.url)}`, import.meta.url),
);

/** How payloads are converted; null where no keys are set, so that Temporal stores them as they are. @throws as `readPayloadCodec` */
export async function readDataConverter(): Promise<DataConverter | null> {
  const codec = await readPayloadCodec();
  return codec === null ? null : { payloadCodecs: [codec], failureConverterPath };
}

/**
 * `ID:KEY` for each key, with white space between them; the first one encrypts. KEY is 32 bytes as base64, or those bytes as a key service has
 * encrypted them: `vault:v1:...`, which the transit key of the file KEYTURN_PAYLOAD_TRANSIT opens once, at the start.
 * @throws CONFIG_INVALID FILE_UNREADABLE FILE_TOO_OPEN KEY_STORE_LOCKED KEY_STORE_UNREACHABLE
 */
export async function readPayloadCodec(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<EncryptingCodec | null> {
  const { [VALUE]: value, [FILE]: file, [TRANSIT]: service } = env;
  if (value && file) throw invalid(`${VALUE} and ${FILE} are both set`, VALUE);
  const open = service ? openWith(service) : refuseWrapped;
  if (file) return codecOf(await readPrivateFile(file), file, open);
  return value ? codecOf(value, VALUE, open) : null;
}

/** Gives the bytes of a key that a key service has encrypted. @param what for errors */
type Open = (wrapped: string, what: string, subject: string) => Promise<Uint8Array>;

async function codecOf(text: string, subject: string, open: Open): Promise<EncryptingCodec> {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const [first, ...others] = await Promise.all(
    words.map((word, index) => parseKey(word, `Key ${index + 1} of ${subject}`, subject, open)),
  );
  if (first === undefined) throw invalid(`${subject} holds no key`, subject);
  const ids = [first, ...others].map(({ id }) => id);
  if (new Set(ids).size < ids.length) throw invalid(`${subject} has two keys of one ID`, subject);
  return new EncryptingCodec([first, ...others]);
}

/** Never quotes what it was given: it is, or was meant to be, a secret. */
async function parseKey(word: string, what: string, subject: string, open: Open): Promise<PayloadKey> {
  const { id, wrapped, key = '' } = KEY.exec(word)?.groups ?? {};
  const bytes = wrapped === undefined ? Buffer.from(key, 'base64') : await open(wrapped, what, subject);
  if (id === undefined || bytes.length !== KEY_BYTES) {
    throw invalid(`${what} is not ID:KEY with ${KEY_BYTES} bytes as base64, or as ${WRAPPED_FORM}`, subject);
  }
  return { id, bytes };
}

const refuseWrapped: Open = (_wrapped, what, subject) =>
  Promise.reject(
    new KeyturnError('CONFIG_INVALID', `${what} is encrypted by a key service, and ${TRANSIT} is not set`, {
      subject,
      remedy: `Set ${TRANSIT} to a file that names the transit key, as docs/encryption.md shows`,
    }),
  );

/** @param file YAML with what `wrappingKey.transit` of keyturn.yaml has; paths in it start from its folder */
function openWith(file: string): Open {
  const composed = composeFrom(file);
  // Asked for only where a key needs it.
  composed.catch(() => undefined);
  return async (wrapped, what) => {
    const { wrapper, name } = await composed;
    return wrapper.unwrap({ wrappingKeyId: `${name}:payload`, wrapped }, what);
  };
}

async function composeFrom(file: string): Promise<{ readonly wrapper: KeyWrapper; readonly name: string }> {
  const config = parseYaml(transit, await readTextFile(file), file);
  const wrapper = await composeTransit(config, (name) => resolve(dirname(file), name));
  return { wrapper, name: `${config.mount}/${config.key}` };
}

function invalid(problem: string, subject: string): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', problem, {
    subject,
    remedy: 'Write each key as ID:KEY, the one that encrypts first; a new KEY comes from `openssl rand -base64 32`',
  });
}
