// A fetch for public documents that trusts one more certificate authority than the system does.
import { get as getHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import type { RequestOptions } from 'node:https';
import { Readable } from 'node:stream';
import { getCACertificates } from 'node:tls';

/** The part of the web's fetch that reading public documents needs: GET, headers, a signal; redirects are never followed. */
export type DocumentFetch = (url: string | URL, init?: DocumentRequest) => Promise<Response>;

export interface DocumentRequest {
  readonly headers?: Headers | Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | null;
}

/**
 * Built on node:https: the fetch of Node takes another authority only through a dispatcher of the undici that it was built with,
 * which cannot be imported, or for the whole process.
 *
 * @param ca PEM of the authority. Default: the usual ones only
 */
export function createTrustingFetch(ca?: string): DocumentFetch {
  const trust = ca === undefined ? {} : { ca: [...getCACertificates(), ca] };
  return async (url, { headers = {}, signal } = {}) => {
    const options = { ...trust, headers: Object.fromEntries(new Headers(headers)), ...(signal ? { signal } : {}) };
    try {
      return await send(new URL(url), options);
    } catch (error) {
      // As fetch does it: the reason, e.g. a TimeoutError, and not the AbortError of the socket.
      throw signal?.aborted === true && signal.reason instanceof Error ? signal.reason : error;
    }
  };
}

function send(address: URL, options: RequestOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    const answer = (message: IncomingMessage): void => {
      try {
        resolve(toResponse(message));
      } catch (error) {
        message.destroy();
        reject(error instanceof Error ? error : new Error('not an HTTP answer'));
      }
    };
    const request =
      address.protocol === 'https:' ? getHttps(address, options, answer) : getHttp(address, options, answer);
    request.once('error', (error: NodeJS.ErrnoException) => {
      // A server may close a kept connection at the moment when it is used again: that says nothing of the server's health.
      if (request.reusedSocket && error.code === 'ECONNRESET') resolve(send(address, options));
      else reject(error);
    });
  });
}

/** @throws RangeError for a status that is none */
function toResponse(message: IncomingMessage): Response {
  const { statusCode: status = 0, headersDistinct } = message;
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(headersDistinct))
    for (const value of values) headers.append(name, value);
  const hasNoBody = status === 204 || status === 304;
  if (hasNoBody) message.resume();
  return new Response(hasNoBody ? null : Readable.toWeb(message), { status, headers });
}
