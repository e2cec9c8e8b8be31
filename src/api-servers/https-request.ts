// Sends one HTTPS request over the process's connection pool; a connection that went stale is never taken for an answer.
import type { Agent } from 'node:http';
import https from 'node:https';
import { KeyturnError } from '../errors.ts';

/**
 * One pool for the process. It keeps connections with different certificates, authorities or server names apart (`agent.getName`), closes those
 * that were idle for 15 s, and does not keep the process alive: nothing is to be closed by its users.
 */
const pool = new https.Agent({ keepAlive: true, timeout: 15_000, maxFreeSockets: 16 });

/** What a connection proves of us and demands of the other side. */
export interface TlsOptions {
  readonly ca?: https.RequestOptions['ca'];
  readonly cert?: https.RequestOptions['cert'];
  readonly key?: https.RequestOptions['key'];
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
  /** For clusters behind a proxy; default: the process's pool. */
  readonly agent?: Agent;
}

export interface HttpsRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For everything from the connection to the last byte of the answer, in ms. */
  readonly timeoutMs: number;
  /** Whether the request may be sent a second time where a pooled connection turns out to have been closed: reads, and reviews. */
  readonly repeatable: boolean;
  readonly tls: TlsOptions;
}

export interface HttpsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/**
 * Any answer is returned, whatever its status.
 * @throws API_SERVER_UNREACHABLE where there was no answer; retryable unless the server's certificate is the reason
 */
export async function sendHttps(request: HttpsRequest): Promise<HttpsAnswer> {
  const deadline = AbortSignal.timeout(request.timeoutMs);
  const first = await attempt(request, request.tls.agent ?? pool, deadline);
  if (first.answer !== undefined) return first.answer;
  if (!first.stale || !request.repeatable) throw noAnswer(request, first.error, deadline.aborted);
  // The server closed the pooled connection, for instance because it restarted: a new connection tells how it is now.
  const second = await attempt(request, request.tls.agent ?? false, deadline);
  if (second.answer !== undefined) return second.answer;
  throw noAnswer(request, second.error, deadline.aborted);
}

type Attempt =
  { readonly answer: HttpsAnswer } | { readonly answer?: undefined; readonly error: Error; readonly stale: boolean };

function attempt(request: HttpsRequest, agent: Agent | false, signal: AbortSignal): Promise<Attempt> {
  return new Promise((resolve) => {
    const { ca, cert, key, servername, rejectUnauthorized } = request.tls;
    const outgoing = https.request(request.url, {
      method: request.method,
      headers: {
        ...request.headers,
        ...(request.body === undefined ? {} : { 'content-length': Buffer.byteLength(request.body) }),
      },
      agent,
      signal,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const closed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      resolve({ error, stale: outgoing.reusedSocket && closed });
    });
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      // An answer that breaks off is none, and the request was processed: not to be repeated.
      incoming.on('error', (error) => resolve({ error, stale: false }));
      incoming.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        resolve({ answer: { status: incoming.statusCode ?? 0, headers: incoming.headers, body } });
      });
    });
    outgoing.end(request.body);
  });
}

function noAnswer(request: HttpsRequest, error: Error, timedOut: boolean): KeyturnError {
  const { host, origin } = new URL(request.url);
  const code = (error as NodeJS.ErrnoException).code ?? error.name;
  if (!timedOut && isCertificateFault(code)) {
    return new KeyturnError(
      'API_SERVER_UNREACHABLE',
      `The certificate of ${host} is not the one that was expected (${code})`,
      {
        subject: origin,
        remedy:
          "Check certificate-authority and tls-server-name in the kubeconfig, and the names in the server's certificate",
        details: { reason: code },
      },
    );
  }
  const reason = timedOut ? `no answer within ${request.timeoutMs} ms` : code;
  return new KeyturnError('API_SERVER_UNREACHABLE', `${host} cannot be reached: ${reason}`, {
    subject: origin,
    remedy: 'Check that it runs and that nothing between here and there stops the connection',
    retryable: true,
    details: { reason },
  });
}

/** Codes of OpenSSL's and Node's verification, https://nodejs.org/api/tls.html#x509-certificate-error-codes */
function isCertificateFault(code: string): boolean {
  return /CERT|UNABLE_TO_|^CRL_|INVALID_CA|PATH_LENGTH_EXCEEDED|INVALID_PURPOSE|HOSTNAME_MISMATCH/.test(code);
}
