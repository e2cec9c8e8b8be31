// Which files a node's manifests name for the signing key, how Keyturn names its own beside them, and how long tokens may live.
import { posix } from 'node:path';
import { KeyturnError } from '../../errors.ts';
import type { Kid } from '../../rotation/key.ts';
import type { NodeLayout, TokenLifetimeFlags } from '../../rotation/observation.ts';
import { parseGoDuration } from '../go-duration.ts';
import { readFlags, readPaths, readSinglePath } from './manifest-flags.ts';
import { unsupported } from './manifest.ts';
import type { Manifest } from './manifest.ts';

/** Flags of kube-apiserver and kube-controller-manager, without dashes in front. */
export const KEY_FILE_FLAG = 'service-account-key-file';
export const SIGNING_KEY_FILE_FLAG = 'service-account-signing-key-file';
export const CONTROLLER_MANAGER_KEY_FILE_FLAG = 'service-account-private-key-file';
const EXTERNAL_SIGNER_FLAG = 'service-account-signing-endpoint';
const MAX_EXPIRATION_FLAG = 'service-account-max-token-expiration';
const EXTEND_EXPIRATION_FLAG = 'service-account-extend-token-expiration';

/** @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED */
export function readLayout(node: string, apiServer: Manifest, controllerManager: Manifest): NodeLayout {
  if (readFlags(apiServer).has(EXTERNAL_SIGNER_FLAG)) {
    const what = `has --${EXTERNAL_SIGNER_FLAG}: an external signer holds the keys`;
    throw unsupported(apiServer, what, 'Rotate the key at that signer');
  }
  const signingKeyFile = readSinglePath(apiServer, SIGNING_KEY_FILE_FLAG);
  const trustedKeyFiles = readPaths(apiServer, KEY_FILE_FLAG);
  if (signingKeyFile === null) throw unsupported(apiServer, `has no --${SIGNING_KEY_FILE_FLAG}`, 'Set it');
  if (trustedKeyFiles.length === 0) {
    // Without the flag the API server trusts the key of its TLS certificate; the first flag would end that.
    const what = `has no --${KEY_FILE_FLAG}, so that it trusts its TLS key`;
    throw unsupported(apiServer, what, 'Name the verification keys with that flag first');
  }
  const controllerManagerKeyFile = readSinglePath(controllerManager, CONTROLLER_MANAGER_KEY_FILE_FLAG);
  return { node, signingKeyFile, trustedKeyFiles, controllerManagerKeyFile };
}

/** Name of a key file that Keyturn brings. @throws KEY_MALFORMED where that is no kid: it becomes part of a path */
export function keyFileName(kid: Kid, half: 'pub' | 'key'): string {
  if (!/^[A-Za-z0-9_-]{43}$/.test(kid)) {
    throw new KeyturnError('KEY_MALFORMED', `${JSON.stringify(kid)} is not the kid of a key`, {
      subject: kid,
      remedy: 'Give the base64url SHA-256 of its SubjectPublicKeyInfo',
    });
  }
  return `sa-${kid}.${half}`;
}

/** The file named by kid beside another one. Container path or node path, as the other one is. */
export function besideOf(formerPath: string, kid: Kid, half: 'pub' | 'key'): string {
  return posix.join(posix.dirname(formerPath), keyFileName(kid, half));
}

/** @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED */
export function readTokenLifetimes(apiServer: Manifest): TokenLifetimeFlags {
  const flags = readFlags(apiServer);
  const max = flags.get(MAX_EXPIRATION_FLAG)?.at(-1);
  const maxMs = max == null ? 0 : parseGoDuration(max);
  if (maxMs === undefined || max === null) {
    throw unsupported(apiServer, `has --${MAX_EXPIRATION_FLAG}=${max}`, 'Give a duration such as 24h');
  }
  const extend = flags.get(EXTEND_EXPIRATION_FLAG)?.at(-1);
  const off = extend != null && /^(?:0|f|F|false|False|FALSE)$/.test(extend);
  // Zero is the flag's default and means no maximum.
  return { maxTokenExpirationMs: maxMs === 0 ? null : maxMs, extendTokenExpiration: !off };
}

/** Of all API servers together: whoever asks any of them may get the longest. */
export function longestLifetimes(nodes: readonly TokenLifetimeFlags[]): TokenLifetimeFlags {
  const bounds = nodes.map(({ maxTokenExpirationMs }) => maxTokenExpirationMs ?? Infinity);
  const longest = Math.max(...bounds);
  return {
    maxTokenExpirationMs: Number.isFinite(longest) && longest > 0 ? longest : null,
    extendTokenExpiration: nodes.length === 0 || nodes.some(({ extendTokenExpiration }) => extendTokenExpiration),
  };
}
