// Reads keys from PEM as people, kubeadm and OpenShift write it, and says clearly what is wrong with the rest.
import { X509Certificate, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { KeyturnError } from '../errors.ts';
import type { PublicKey } from '../rotation/key.ts';
import { findPemBlocks, hasBrokenPemBlock } from './pem-blocks.ts';
import type { PemBlock } from './pem-blocks.ts';
import { toPublicKey } from './public-key.ts';
import type { SigningKey } from './signing-key.ts';

/** A key of a file such as `--service-account-key-file` names. */
export interface FilePublicKey extends PublicKey {
  /** The block as it stands in the file. For a private key `publicPem` instead: private text is not handed out. */
  readonly block: string;
}

const PRIVATE_DER_TYPES: Readonly<Record<string, 'pkcs1' | 'pkcs8' | 'sec1'>> = {
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
  'PRIVATE KEY': 'pkcs8',
};

/** `openssl ecparam -genkey` writes this block before the key; it says nothing that the key does not say. */
const EC_PARAMETERS = 'EC PARAMETERS';

/**
 * All keys of a PEM text, in its order: `PUBLIC KEY`, `RSA PUBLIC KEY` that holds SPKI (as OpenShift writes it), `CERTIFICATE`, and
 * the public halves of private keys. What kube-apiserver would silently skip is an error here.
 *
 * @param subject where the text comes from, e.g. `node-1:/etc/kubernetes/pki/sa.pub`
 * @throws KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED
 */
export function parsePublicKeys(pem: string, subject: string): readonly FilePublicKey[] {
  const blocks = readBlocks(pem, subject).filter(({ label }) => label !== EC_PARAMETERS);
  if (blocks.length === 0) throw malformed('holds no key', subject);
  return blocks.map((block) => {
    if (!isPrivate(block)) return { ...toPublicKey(readPublicBlock(block, subject), subject), block: block.text };
    const key = readPrivateBlock(block, subject);
    if (key.asymmetricKeyType === 'ec' && block.label === 'PRIVATE KEY') throw skippedByKubernetes(subject);
    const publicKey = toPublicKey(key, subject);
    return { ...publicKey, block: publicKey.publicPem.trimEnd() };
  });
}

/**
 * The one private key of a PEM text: PKCS#1, SEC1 or PKCS#8, not encrypted. Blocks of other kinds are ignored. The result's
 * `privatePem` is PKCS#1 or SEC1 whatever came in: the forms that kube-apiserver and kube-controller-manager read everywhere.
 *
 * @throws KEY_MALFORMED KEY_ENCRYPTED KEY_UNSUPPORTED
 */
export function parsePrivateKey(pem: string, subject: string): SigningKey {
  const [block, ...others] = readBlocks(pem, subject).filter(isPrivate);
  if (block === undefined) throw malformed('holds no private key', subject);
  if (others.length > 0) throw malformed(`holds ${others.length + 1} private keys where one is expected`, subject);
  const key = readPrivateBlock(block, subject);
  const publicKey = toPublicKey(key, subject);
  if (!signsWhatItVerifies(key, publicKey)) {
    throw malformed('holds a private key whose parts do not belong together', subject);
  }
  return { ...publicKey, privatePem: exportPrivatePem(key) };
}

/** Unencrypted PKCS#1 (`RSA PRIVATE KEY`, as kubeadm and openssl write) or SEC1 (`EC PRIVATE KEY`), with a final newline. */
export function exportPrivatePem(key: KeyObject): string {
  const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
  return key.export({ type, format: 'pem' }).toString();
}

function readBlocks(pem: string, subject: string): readonly PemBlock[] {
  const blocks = findPemBlocks(pem);
  if (hasBrokenPemBlock(pem)) throw malformed('holds a PEM block that is cut off or damaged', subject);
  if (blocks.length === 0) throw malformed(pem.trim() === '' ? 'is empty' : 'is not PEM', subject);
  return blocks;
}

function isPrivate({ label }: PemBlock): boolean {
  return label.endsWith('PRIVATE KEY');
}

function readPrivateBlock(block: PemBlock, subject: string): KeyObject {
  if (block.encrypted) {
    throw new KeyturnError('KEY_ENCRYPTED', `The private key in ${subject} is encrypted with a passphrase`, {
      subject,
      remedy:
        'Give it unencrypted with permissions 0600, e.g. `umask 077; openssl pkey -in encrypted.key -out plain.key`',
    });
  }
  const type = PRIVATE_DER_TYPES[block.label];
  if (type === undefined) {
    throw new KeyturnError('KEY_UNSUPPORTED', `The key in ${subject} is a ${block.label}`, {
      subject,
      remedy: 'Give an RSA or EC key as `RSA PRIVATE KEY`, `EC PRIVATE KEY` or `PRIVATE KEY`',
    });
  }
  // No cause in what is thrown from here on: nothing that was near a private key goes into an error.
  return attempt(block, (der) => createPrivateKey({ key: der, format: 'der', type }), subject);
}

function readPublicBlock(block: PemBlock, subject: string): KeyObject {
  if (block.label === 'CERTIFICATE') return attempt(block, (der) => new X509Certificate(der).publicKey, subject);
  if (block.label !== 'PUBLIC KEY' && block.label !== 'RSA PUBLIC KEY') {
    throw malformed(`holds a ${block.label}, which is not a key`, subject);
  }
  if (isPkcs1Public(block.der)) {
    throw new KeyturnError(
      'KEY_MALFORMED',
      `The ${block.label} in ${subject} is PKCS#1, which Kubernetes does not read`,
      {
        subject,
        remedy: 'Convert it with `openssl rsa -RSAPublicKey_in -in old.pub -pubout -out new.pub`',
      },
    );
  }
  return attempt(block, (der) => createPublicKey({ key: der, format: 'der', type: 'spki' }), subject);
}

function isPkcs1Public(der: Buffer | undefined): boolean {
  if (der === undefined) return false;
  try {
    createPublicKey({ key: der, format: 'der', type: 'pkcs1' });
    return true;
  } catch {
    return false;
  }
}

function attempt(block: PemBlock, read: (der: Buffer) => KeyObject, subject: string): KeyObject {
  if (block.der === undefined) throw malformed(`holds a ${block.label} that is not base64`, subject);
  try {
    return read(block.der);
  } catch {
    throw malformed(`holds a ${block.label} that cannot be decoded`, subject);
  }
}

/** OpenSSL reads a private key whose numbers contradict each other; an API server refuses to start with it. */
function signsWhatItVerifies(key: KeyObject, { publicPem }: PublicKey): boolean {
  const probe = Buffer.from('keyturn');
  try {
    return verify('sha256', probe, publicPem, sign('sha256', probe, key));
  } catch {
    return false;
  }
}

function skippedByKubernetes(subject: string): KeyturnError {
  return new KeyturnError(
    'KEY_UNSUPPORTED',
    `The EC key in ${subject} is PKCS#8, which kube-apiserver skips in a key file`,
    {
      subject,
      remedy: 'Give the public half instead: `openssl pkey -in private.key -pubout -out public.pub`',
    },
  );
}

function malformed(what: string, subject: string): KeyturnError {
  return new KeyturnError('KEY_MALFORMED', `${subject} ${what}`, {
    subject,
    remedy: 'Give PEM as `openssl genrsa`, `openssl rsa -pubout` or `openssl ecparam -genkey` write it',
  });
}
