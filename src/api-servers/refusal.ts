// Turns an API server's refusal into an error that says what was asked and what to do.
import { KeyturnError } from '../errors.ts';
import type { ApiCall } from './api-call.ts';
import type { HttpsAnswer } from './https-request.ts';

/**
 * 401 and 403: API_SERVER_FORBIDDEN, unless the server is still starting. 429 and 5xx: API_SERVER_UNREACHABLE, retryable.
 * 409: API_SERVER_UNEXPECTED, retryable.
 * Anything else: API_SERVER_UNEXPECTED. `details.status` has the HTTP status.
 */
export function refusal(url: string, call: ApiCall, answer: HttpsAnswer, starting: boolean): KeyturnError {
  const asked = `${call.verb} ${call.resource}${call.object === undefined ? '' : ` ${call.object}`}`;
  const { status } = answer;
  const manifest = call.grantedBy ?? 'deploy/rbac.yaml';
  const said = statusMessage(answer.body);
  const details = { status, verb: call.verb, resource: call.resource, object: call.object ?? null, said };
  if (starting) {
    return new KeyturnError('API_SERVER_UNREACHABLE', `${url} is not ready and refuses to ${asked} (HTTP ${status})`, {
      subject: url,
      remedy: `Wait until its /readyz answers 200; if that is refused too, apply ${manifest}`,
      retryable: true,
      details: { ...details, reason: `not ready, HTTP ${status}` },
    });
  }
  if (status === 401) {
    return new KeyturnError('API_SERVER_FORBIDDEN', `${url} does not accept Keyturn's credentials (${asked}: 401)`, {
      subject: url,
      remedy: "Check that the kubeconfig's certificate or token has not expired and is meant for this cluster",
      details,
    });
  }
  if (status === 403) {
    return new KeyturnError('API_SERVER_FORBIDDEN', `Keyturn may not ${asked} at ${url}`, {
      subject: url,
      remedy: `Apply ${manifest}, and bind its roles to the kubeconfig's user`,
      details,
    });
  }
  if (status === 429 || status >= 500) {
    return new KeyturnError(
      'API_SERVER_UNREACHABLE',
      `${url} cannot ${asked} now: HTTP ${status}${said && ` ${said}`}`,
      {
        subject: url,
        remedy: 'Wait, or see the log of that API server',
        retryable: true,
        details: { ...details, reason: `HTTP ${status}${said && `: ${said}`}` },
      },
    );
  }
  return new KeyturnError(
    'API_SERVER_UNEXPECTED',
    `${url} answered ${asked} with HTTP ${status}${said && `: ${said}`}`,
    {
      subject: url,
      remedy: 'See the log of that API server',
      retryable: status === 409,
      details,
    },
  );
}

/** Why a party gave no answer, in few words for a verdict or a readiness; the object is known there. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof KeyturnError)) return error instanceof Error ? error.message : String(error);
  const { reason } = error.details;
  return typeof reason === 'string' ? reason : error.message;
}

/** `message` of a Kubernetes Status, or nothing: other bodies are not ours to repeat. */
function statusMessage(body: string): string {
  try {
    const status: unknown = JSON.parse(body);
    if (typeof status !== 'object' || status === null || !('kind' in status) || status.kind !== 'Status') return '';
    return 'message' in status && typeof status.message === 'string' ? status.message.slice(0, 500) : '';
  } catch {
    return '';
  }
}
