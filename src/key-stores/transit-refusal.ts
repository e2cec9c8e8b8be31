// Turns a refusal of OpenBao or Vault into an error that says what was asked and what to do.
import { z } from 'zod';
import type { HttpsAnswer } from '../api-servers/https-request.ts';
import { reasonOf } from '../api-servers/refusal.ts';
import { KeyturnError } from '../errors.ts';

/** https://openbao.org/api-docs/#http-status-codes */
const SEALED = 503;

const failed = z.object({ errors: z.array(z.string()) });

/**
 * 503: KEY_STORE_LOCKED, retryable. 429 and other 5xx: KEY_STORE_UNREACHABLE, retryable. Anything else: KEY_STORE_LOCKED. `details.status` has the
 * HTTP status.
 */
export function transitRefusal(address: string, path: string, { status, body }: HttpsAnswer): KeyturnError {
  const said = failed.safeParse(parseJson(body)).data?.errors.join('; ').replaceAll(/\s+/g, ' ').trim().slice(0, 300);
  const subject = `${address}/v1/${path}`;
  const details = { status, path, said: said ?? '' };
  const answered = `HTTP ${status}${said === undefined ? '' : `: ${said}`}`;
  if (status === SEALED) {
    return new KeyturnError('KEY_STORE_LOCKED', `${address} is sealed or not ready (${answered})`, {
      subject: address,
      remedy: 'Unseal it',
      retryable: true,
      details,
    });
  }
  if (status === 429 || status >= 500) {
    return new KeyturnError('KEY_STORE_UNREACHABLE', `${address} cannot serve ${path} now (${answered})`, {
      subject,
      remedy: 'Wait, or see its log',
      retryable: true,
      details,
    });
  }
  if (status === 401 || status === 403) {
    return new KeyturnError('KEY_STORE_LOCKED', `${address} does not let Keyturn update ${path} (${answered})`, {
      subject,
      remedy: "Renew the token or the login's credentials, and give its policy what deploy/openbao-policy.hcl grants",
      details,
    });
  }
  return new KeyturnError('KEY_STORE_LOCKED', `${address} refuses to update ${path} (${answered})`, {
    subject,
    remedy: 'Check mount, name and versions of the transit key, and the mount of the login',
    details,
  });
}

/** @param error of the transport, which names another kind of server */
export function noAnswer(address: string, error: KeyturnError): KeyturnError {
  const reason = reasonOf(error);
  return new KeyturnError('KEY_STORE_UNREACHABLE', `The transit engine at ${address} gave no answer (${reason})`, {
    subject: address,
    remedy: 'Check its address, its certificate against caFile, and that nothing stops the connection',
    retryable: error.retryable,
    details: { reason },
  });
}

/** Without the answer: there may be a secret in it. */
export function notTransit(address: string, path: string): KeyturnError {
  return new KeyturnError('KEY_STORE_LOCKED', `The answer of ${address} to ${path} is not that of OpenBao or Vault`, {
    subject: `${address}/v1/${path}`,
    remedy: 'Check the address, the mounts, and that the key is a symmetric one: aes256-gcm96 is the usual type',
  });
}

/** Undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
