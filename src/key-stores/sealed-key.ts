// Envelope encryption of a private key at rest: a data key of its own encrypts it, a wrapping key encrypts the data key.
import { randomBytes } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { KeyturnError } from '../errors.ts';
import { parsePrivateKey } from '../keys/pem.ts';
import type { SigningKey } from '../keys/signing-key.ts';
import type { Problem } from '../rotation/observation.ts';
import type { KeyWrapper, WrappedKey } from './key-wrapper.ts';
import { damaged, ofAnotherCluster } from './refusals.ts';

export interface SealedKey {
  /**
   * JWE compact serialization (RFC 7516), `dir` with A256GCM, of the private key as PEM. Its header names the cluster and is authenticated, so that
   * what is put in another cluster's place is refused.
   */
  readonly jwe: string;
  /** Outside of the JWE, so that it can be wrapped anew while the JWE stays. */
  readonly dataKey: WrappedKey;
}

const TYPE = 'keyturn-staged-key';
const DATA_KEY_BYTES = 32;

/** @throws as `KeyWrapper.wrap` */
export async function sealKey(key: SigningKey, cluster: string, wrapper: KeyWrapper): Promise<SealedKey> {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  const content = Buffer.from(key.privatePem);
  try {
    const wrapped = await wrapper.wrap(dataKey);
    const header = { alg: 'dir', enc: 'A256GCM', typ: TYPE, cluster };
    return { jwe: await new CompactEncrypt(content).setProtectedHeader(header).encrypt(dataKey), dataKey: wrapped };
  } finally {
    dataKey.fill(0);
    content.fill(0);
  }
}

/**
 * @param subject what holds it, for errors
 * @throws KEY_MALFORMED where it is damaged or belongs to another cluster; as `KeyWrapper.unwrap`
 */
export async function unsealKey(
  { jwe, dataKey }: SealedKey,
  cluster: string,
  wrapper: KeyWrapper,
  subject: string,
): Promise<SigningKey> {
  const named = clusterNamedIn(jwe);
  if (named === undefined) throw damaged(subject);
  if (named !== cluster) throw ofAnotherCluster(subject);
  const key = await wrapper.unwrap(dataKey, subject);
  const algorithms = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };
  const opened = await compactDecrypt(jwe, key, algorithms)
    .catch(() => undefined)
    .finally(() => key.fill(0));
  if (opened === undefined) throw damaged(subject);
  const text = new TextDecoder().decode(opened.plaintext);
  opened.plaintext.fill(0);
  return parsePrivateKey(text, subject);
}

/**
 * The same under the newest wrapping key, proven to open; the very same object where it lies under that already.
 * @throws as `unsealKey`
 */
export async function rewrapKey(
  sealed: SealedKey,
  cluster: string,
  wrapper: KeyWrapper,
  subject: string,
): Promise<SealedKey> {
  const dataKey = await wrapper.rewrap(sealed.dataKey, subject);
  if (dataKey.wrappingKeyId === sealed.dataKey.wrappingKeyId) return sealed;
  const rewrapped = { ...sealed, dataKey };
  await unsealKey(rewrapped, cluster, wrapper, subject);
  return rewrapped;
}

/** Wraps and unwraps once, for a look beforehand. @returns what speaks against it; empty where it works */
export async function findWrapperProblems(wrapper: KeyWrapper): Promise<readonly Problem[]> {
  try {
    await wrapper.unwrap(await wrapper.wrap(randomBytes(DATA_KEY_BYTES)), wrapper.description);
    return [];
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return [{ code: error.code, subject: error.subject, message: error.message }];
  }
}

function clusterNamedIn(jwe: string): string | undefined {
  try {
    const { typ, cluster } = decodeProtectedHeader(jwe);
    return typ === TYPE && typeof cluster === 'string' ? cluster : undefined;
  } catch {
    return undefined;
  }
}
