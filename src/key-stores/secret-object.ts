// How a staged key stands in a Secret: what is sealed in its data, which nobody can change, and what tells about it in its metadata.
import { z } from 'zod';
import type { Kid } from '../rotation/key.ts';
import { damaged } from './refusals.ts';
import type { SealedKey } from './sealed-key.ts';
import { stagedName } from './staged-name.ts';

/** A type of our own: no controller fills, reads or removes it. */
const TYPE = 'keyturn.dev/signing-key';
const WRAPPING_KEY_ANNOTATION = 'keyturn.dev/wrapping-key';
const DATA_KEY_ANNOTATION = 'keyturn.dev/wrapped-data-key';
const SEALED_ENTRY = 'key.jwe';
const PLAIN_ENTRY = 'key.pem';

/** A Secret as the API server gives it; everything that is not named here is kept when it is written back. */
export const secretSchema = z.looseObject({
  type: z.string().optional(),
  metadata: z.looseObject({
    uid: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  data: z.record(z.string(), z.string()).nullish(),
});
export type Secret = z.infer<typeof secretSchema>;

/** Sealed, or in the clear where the user chose `wrappingKey: none`. */
export type StagedContent = { readonly sealed: SealedKey } | { readonly privatePem: string };

export interface StagedSecret {
  readonly namespace: string;
  readonly cluster: string;
  readonly kid: Kid;
  readonly content: StagedContent;
  /** Who makes it, e.g. `1@worker-0`. */
  readonly createdBy: string;
  readonly rotationId: string | undefined;
}

export function secretName(cluster: string): string {
  return `keyturn-${stagedName(cluster)}`;
}

/**
 * Its data is immutable. The wrapped data key is an annotation, which a re-wrap may change: it opens nothing without the wrapping key.
 */
export function newSecret(staged: StagedSecret): Readonly<Record<string, unknown>> {
  const { namespace, cluster, kid, content, createdBy, rotationId } = staged;
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: TYPE,
    immutable: true,
    metadata: {
      name: secretName(cluster),
      namespace,
      labels: {
        'app.kubernetes.io/managed-by': 'keyturn',
        'app.kubernetes.io/component': 'staged-key',
        'keyturn.dev/cluster': stagedName(cluster),
      },
      annotations: {
        'keyturn.dev/cluster': cluster,
        'keyturn.dev/kid': kid,
        'keyturn.dev/created-by': createdBy,
        ...(rotationId === undefined ? {} : { 'keyturn.dev/rotation': rotationId }),
        ...('sealed' in content ? wrappingAnnotations(content.sealed) : {}),
      },
    },
    data:
      'sealed' in content
        ? { [SEALED_ENTRY]: encode(content.sealed.jwe) }
        : { [PLAIN_ENTRY]: encode(content.privatePem) },
  };
}

/** @throws KEY_MALFORMED where it is not a Secret of ours */
export function contentOf({ type, metadata, data }: Secret, subject: string): StagedContent {
  const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
  const { [SEALED_ENTRY]: sealed, [PLAIN_ENTRY]: plain } = data ?? {};
  const { [WRAPPING_KEY_ANNOTATION]: wrappingKeyId, [DATA_KEY_ANNOTATION]: wrapped } = metadata.annotations ?? {};
  if (type !== TYPE) throw damaged(subject);
  if (plain !== undefined) return { privatePem: decode(plain) };
  if (sealed === undefined || wrappingKeyId === undefined || wrapped === undefined) throw damaged(subject);
  return { sealed: { jwe: decode(sealed), dataKey: { wrappingKeyId, wrapped } } };
}

/** The Secret with another wrapped data key. */
export function withSealed(secret: Secret, sealed: SealedKey): Secret {
  const annotations = { ...secret.metadata.annotations, ...wrappingAnnotations(sealed) };
  return { ...secret, metadata: { ...secret.metadata, annotations } };
}

function wrappingAnnotations({ dataKey }: SealedKey): Readonly<Record<string, string>> {
  return { [WRAPPING_KEY_ANNOTATION]: dataKey.wrappingKeyId, [DATA_KEY_ANNOTATION]: dataKey.wrapped };
}
