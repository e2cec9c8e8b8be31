// The codec and the keys that it is made from.
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPayloadCodec } from '../../src/worker/payload-encryption.ts';

const OLD = `2026-08:${randomBytes(32).toString('base64')}`;
const NEW = `2026-11:${randomBytes(32).toString('base64')}`;
const payload = defaultPayloadConverter.toPayload({ reason: 'a customer left us' });

const codecOf = async (...keys: string[]) => {
  const codec = await readPayloadCodec({ KEYTURN_PAYLOAD_KEYS: keys.join('\n') });
  if (codec === null) throw new Error('no keys');
  return codec;
};
const readBack = ([decoded]: Payload[]) => decoded && defaultPayloadConverter.fromPayload(decoded);
const textOf = (encoded: readonly Payload[]) => encoded.map(({ data }) => Buffer.from(data ?? []).toString()).join();

describe('a payload', () => {
  it('comes back as it was, and shows nothing but the ID of its key meanwhile', async () => {
    const codec = await codecOf(NEW);
    const encoded = await codec.encode([payload]);
    const [header, ...rest] = textOf(encoded).split('.');
    expect(JSON.parse(Buffer.from(header ?? '', 'base64url').toString())).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      kid: '2026-11',
    });
    expect(Buffer.from(rest.join(''), 'base64url').toString('latin1')).not.toContain('customer');
    expect(Object.keys(encoded[0]?.metadata ?? {})).toEqual(['encoding']);
    expect(readBack(await codec.decode(encoded))).toEqual({ reason: 'a customer left us' });
  });

  it('looks different each time', async () => {
    const codec = await codecOf(NEW);
    expect(textOf(await codec.encode([payload]))).not.toBe(textOf(await codec.encode([payload])));
  });

  it('is read with an older key as long as that is there', async () => {
    const before = await (await codecOf(OLD)).encode([payload]);
    expect(readBack(await (await codecOf(NEW, OLD)).decode(before))).toEqual({ reason: 'a customer left us' });
    await expect((await codecOf(NEW)).decode(before)).rejects.toMatchObject({
      code: 'PAYLOAD_LOCKED',
      subject: '2026-08',
    });
  });

  it('that was never encrypted passes', async () => {
    expect(readBack(await (await codecOf(NEW)).decode([payload]))).toEqual({ reason: 'a customer left us' });
  });

  it('that was changed, or encrypted with another key of the same ID, is refused', async () => {
    const codec = await codecOf(NEW);
    const [encoded] = await codec.encode([payload]);
    const data = Buffer.from(encoded?.data ?? []);
    data[data.length - 30] = data[data.length - 30] === 65 ? 66 : 65;
    await expect(codec.decode([{ ...encoded, data }])).rejects.toMatchObject({ code: 'PAYLOAD_LOCKED' });
    const namesake = await codecOf(`2026-11:${randomBytes(32).toString('base64')}`);
    await expect(namesake.decode(await codec.encode([payload]))).rejects.toMatchObject({ code: 'PAYLOAD_LOCKED' });
  });
});

describe('the keys', () => {
  let file: string;
  beforeEach(async () => {
    file = path.join(await mkdtemp(path.join(tmpdir(), 'keyturn-payload-')), 'keys');
    await writeFile(file, `${NEW}\n${OLD}\n`, { mode: 0o600 });
  });
  afterEach(() => rm(path.dirname(file), { recursive: true }));

  it('come from a file, or from nowhere', async () => {
    expect(await readPayloadCodec({ KEYTURN_PAYLOAD_KEYS_FILE: file })).not.toBeNull();
    expect(await readPayloadCodec({})).toBeNull();
  });

  it('must not be open to others', async () => {
    await chmod(file, 0o644);
    await expect(readPayloadCodec({ KEYTURN_PAYLOAD_KEYS_FILE: file })).rejects.toMatchObject({
      code: 'FILE_TOO_OPEN',
    });
  });

  it.each([
    ['both ways at once', { KEYTURN_PAYLOAD_KEYS: NEW, KEYTURN_PAYLOAD_KEYS_FILE: '/nowhere' }],
    ['no ID', { KEYTURN_PAYLOAD_KEYS: randomBytes(32).toString('base64') }],
    ['too short', { KEYTURN_PAYLOAD_KEYS: `a:${randomBytes(16).toString('base64')}` }],
    ['one ID twice', { KEYTURN_PAYLOAD_KEYS: `${NEW} ${NEW}` }],
    [
      'one that a key service has encrypted, and no word of which',
      { KEYTURN_PAYLOAD_KEYS: `a:vault:v1:${NEW.slice(8)}` },
    ],
    ['only white space', { KEYTURN_PAYLOAD_KEYS: ' \n' }],
  ])('are refused where there is/are %s, without a word of them', async (_, env) => {
    const error = (await readPayloadCodec(env).catch((reason: unknown) => reason)) as Error;
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    for (const secret of env.KEYTURN_PAYLOAD_KEYS?.split(/[\s:]/).filter((part) => part.length > 10) ?? []) {
      expect(JSON.stringify(error) + error.message).not.toContain(secret);
    }
  });
});
