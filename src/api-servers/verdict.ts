// What an API server's answer says about a token.
import { decodeJwt } from 'jose';
import { z } from 'zod';
import type { HttpsAnswer } from './https-request.ts';
import type { Verdict } from './port.ts';

const tokenReview = z.object({
  status: z.object({ authenticated: z.boolean().optional(), error: z.string().optional() }),
});
const selfSubjectReview = z.object({ status: z.object({ userInfo: z.object({ username: z.string() }) }) });

/** A TokenReview that the API server answered; a refusal of the review itself never comes here. */
export function verdictOfReview(body: unknown): Verdict {
  const review = tokenReview.safeParse(body);
  if (!review.success) return { outcome: 'unreachable', reason: 'the answer is not a TokenReview' };
  const { authenticated, error } = review.data.status;
  if (authenticated === true) return { outcome: 'accepted' };
  return { outcome: 'rejected', reason: error ?? 'TokenReview: not authenticated' };
}

/**
 * The answer to a SelfSubjectReview that carried only the token. Authentication comes before authorization, so 403 means that the token was
 * accepted; 401 that it was not; any other refusal tells nothing about it.
 */
export function verdictOfUse({ status, body }: HttpsAnswer, token: string): Verdict {
  if (status === 401) return { outcome: 'rejected', reason: 'HTTP 401 Unauthorized' };
  if (status === 403) return { outcome: 'accepted' };
  if (status < 200 || status > 299) return { outcome: 'unreachable', reason: `HTTP ${status}` };
  const username = usernameOf(body);
  if (username === decodeJwt(token).sub) return { outcome: 'accepted' };
  return { outcome: 'unreachable', reason: `the request was taken for one of ${username ?? 'an unknown user'}` };
}

function usernameOf(body: string): string | undefined {
  try {
    return selfSubjectReview.safeParse(JSON.parse(body)).data?.status.userInfo.username;
  } catch {
    return undefined;
  }
}
