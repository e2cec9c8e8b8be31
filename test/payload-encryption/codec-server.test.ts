// The codec server, asked as a browser with the Temporal UI asks it.
import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCodecServer, type CodecServer } from '../../src/payload-encryption/codec-server.ts';
import { EncryptingCodec } from '../../src/payload-encryption/payload-codec.ts';
import { toPayloadJson } from '../../src/payload-encryption/payload-json.ts';

const UI = 'https://temporal.example.com';
const codec = new EncryptingCodec([{ id: 'a', bytes: randomBytes(32) }]);
let server: CodecServer;
beforeAll(async () => {
  server = await startCodecServer({ codec, uiOrigin: UI });
});
afterAll(() => server.stop());

const ask = (path: string, body: string, origin = UI) =>
  fetch(`${server.url}${path}`, { method: 'POST', body, headers: { origin, 'content-type': 'application/json' } });
const payload = defaultPayloadConverter.toPayload('prod-eu');

it('decodes what the codec has encoded, and the other way', async () => {
  const encoded = await codec.encode([payload]);
  const decoded = await ask('/decode', JSON.stringify({ payloads: encoded.map(toPayloadJson) }));
  expect(decoded.headers.get('access-control-allow-origin')).toBe(UI);
  expect(await decoded.json()).toEqual({ payloads: [toPayloadJson(payload)] });
  const again = await ask('/encode', JSON.stringify({ payloads: [toPayloadJson(payload)] }));
  const body = JSON.stringify(await again.json());
  expect(body).not.toContain(Buffer.from('"prod-eu"').toString('base64'));
  expect(await (await ask('/decode', body)).json()).toEqual({ payloads: [toPayloadJson(payload)] });
});

it('lets the browser of the UI ask, and no other page', async () => {
  const preflight = (origin: string) => fetch(`${server.url}/decode`, { method: 'OPTIONS', headers: { origin } });
  expect((await preflight(UI)).headers.get('access-control-allow-headers')).toContain('x-namespace');
  const foreign = await preflight('https://evil.example.com');
  expect(foreign.status).toBe(403);
  expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  const encoded = await codec.encode([payload]);
  const body = JSON.stringify({ payloads: encoded.map(toPayloadJson) });
  const answer = await ask('/decode', body, 'https://evil.example.com');
  expect(answer.status).toBe(403);
  expect(await answer.text()).not.toContain(Buffer.from('"prod-eu"').toString('base64'));
});

it.each([
  ['/decode', 'not JSON', 400],
  ['/decode', '{"payloads": 1}', 400],
  ['/decode', '{"payloads": [{"data": "%%%"}]}', 400],
  ['/decode', `{"payloads": [{"data": "${'A'.repeat(9 * 1024 * 1024)}"}]}`, 400],
  ['/elsewhere', '{}', 404],
])('answers %s with a bad body plainly, and goes on', async (path, body, status) => {
  expect((await ask(path, body)).status).toBe(status);
  expect((await ask('/decode', '{"payloads": []}')).status).toBe(200);
});

it('says when its address is taken', async () => {
  const port = Number(new URL(server.url).port);
  await expect(startCodecServer({ codec, uiOrigin: UI, port })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    subject: `127.0.0.1:${port}`,
  });
});
