// Reads a document as a relying party does: at its public address, without credentials.
import { KeyturnError } from '../errors.ts';
import { MAX_JWKS_LENGTH } from '../jwks/jwks.ts';
import type { DocumentFetch } from './trusting-fetch.ts';

export interface PublicDocument {
  /** Always a 2xx. */
  readonly status: number;
  readonly body: string;
  /** As the server sent them, or undefined where it did not. */
  readonly contentType: string | undefined;
  readonly cacheControl: string | undefined;
}

export interface ReadPublicOptions {
  /** The fetch of the web, or `createTrustingFetch` where a private authority signed the server's certificate. */
  readonly fetch: DocumentFetch;
  /** For the whole answer. Default 10000; AWS gives up after 5000. */
  readonly timeoutMs?: number;
}

/** Azure answers 409 where a whole account forbids public access. */
const NOT_PUBLIC: ReadonlySet<number> = new Set([401, 403, 404, 409, 410]);

/**
 * Sends no cache directive: what a relying party would get from a cache on the way is what is read.
 *
 * @throws JWKS_NOT_PUBLIC where it is missing, private, or moved: relying parties follow no redirect
 * @throws PUBLISHER_UNREACHABLE (retryable) for network trouble, timeouts, 429 and 5xx; JWKS_MALFORMED above 1 MiB
 */
export async function readPublic(
  url: string,
  { fetch, timeoutMs = 10_000 }: ReadPublicOptions,
): Promise<PublicDocument> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { response, body } = await attempt(url, signal, async () => {
    const headers = { accept: 'application/json, application/jwk-set+json' };
    // `redirect` is for the fetch of the web; ours never follows one.
    const init = { headers, signal, redirect: 'manual' };
    const answer = await fetch(url, init);
    return { response: answer, body: await readText(answer, url) };
  });
  const { status, headers } = response;
  if (status >= 300 && status < 400) throw notPublic(url, status, 'redirects, which relying parties do not follow');
  if (NOT_PUBLIC.has(status))
    throw notPublic(url, status, status === 404 ? 'is missing or not public' : 'is not public');
  if (status < 200 || status > 299) throw unreachable(url, `it answered ${status}`);
  return {
    status,
    body,
    contentType: headers.get('content-type') ?? undefined,
    cacheControl: headers.get('cache-control') ?? undefined,
  };
}

async function readText(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_JWKS_LENGTH) throw tooLarge(url);
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(chunks));
}

async function attempt<T>(url: string, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw unreachable(url, reasonOf(signal.aborted ? signal.reason : error), error);
  }
}

/** fetch says `fetch failed` and keeps what happened as cause. */
function reasonOf(error: unknown): string {
  const deepest = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(deepest instanceof Error)) return 'unknown reason';
  const { code } = deepest as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : deepest.name;
}

function notPublic(url: string, status: number, what: string): KeyturnError {
  return new KeyturnError('JWKS_NOT_PUBLIC', `${url} ${what} (${status})`, {
    subject: url,
    remedy:
      'Let anyone read the document at exactly this address, without credentials; docs/publishers.md says how for each publisher',
    details: { status },
  });
}

function unreachable(url: string, reason: string, cause?: unknown): KeyturnError {
  return new KeyturnError('PUBLISHER_UNREACHABLE', `${url} cannot be read (${reason})`, {
    subject: url,
    remedy: 'Check the address, the network and the certificate authority; it is tried again',
    retryable: true,
    details: { reason },
    cause,
  });
}

function tooLarge(url: string): KeyturnError {
  return new KeyturnError('JWKS_MALFORMED', `${url} is larger than ${MAX_JWKS_LENGTH} bytes`, {
    subject: url,
    remedy: 'Look at what is published there',
  });
}
