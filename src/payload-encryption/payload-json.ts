// Payloads in Temporal's JSON form (of its protocol buffers, and of codec servers): bytes are base64.
import type { Payload } from '@temporalio/common';
import { z } from 'zod';

const base64 = z.base64();
const payloadJson = z.object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() });

export type PayloadJson = z.output<typeof payloadJson>;

/** The body of a request to a codec server, and of its answer. */
export const payloadsJson = z.object({ payloads: z.array(payloadJson) });

export function toPayloadJson({ metadata, data }: Payload): PayloadJson {
  const entries = Object.entries(metadata ?? {}).map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]);
  return {
    metadata: Object.fromEntries(entries) as Record<string, string>,
    ...(data == null ? {} : { data: Buffer.from(data).toString('base64') }),
  };
}

/** @throws ZodError where it has another shape */
export function fromPayloadJson(json: unknown): Payload {
  const { metadata = {}, data } = payloadJson.parse(json);
  const entries = Object.entries(metadata).map(([name, text]) => [name, Buffer.from(text, 'base64')]);
  return {
    metadata: Object.fromEntries(entries) as Record<string, Uint8Array>,
    ...(data === undefined ? {} : { data: Buffer.from(data, 'base64') }),
  };
}
