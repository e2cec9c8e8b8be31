// What is seen of API servers at their own addresses, whatever the platform.
import type { ApiServer } from '../api-servers/port.ts';
import { KeyturnError } from '../errors.ts';
import type { ApiServerObservation, Problem } from '../rotation/observation.ts';

/** What an API server does not answer is absent from what is said of it. */
export function observeApiServers(apiServers: readonly ApiServer[]): Promise<readonly ApiServerObservation[]> {
  return Promise.all(apiServers.map((apiServer) => observeApiServer(apiServer, [])));
}

/** @param problems gets what it did not answer */
export async function observeApiServer(apiServer: ApiServer, problems: Problem[]): Promise<ApiServerObservation> {
  const attempt = collectInto(problems);
  const { ready, etcdHealthy, reason } = await apiServer.readiness();
  const seen = { node: apiServer.node, url: apiServer.url, ready, etcdHealthy };
  if (!ready) {
    return {
      ...seen,
      ...(reason === undefined ? {} : { unreadyReason: reason }),
      trusted: [],
      signingKid: null,
      issuer: null,
    };
  }
  const [trusted, minted, issuer] = await Promise.all([
    attempt(() => apiServer.publishedKeys()),
    attempt(() => apiServer.mintToken()),
    attempt(() => apiServer.issuer()),
  ]);
  return { ...seen, trusted: trusted ?? [], signingKid: minted?.kid ?? null, issuer: issuer ?? null };
}

/** What a KeyturnError says becomes a problem, each once; anything else is a defect and goes on its way. */
export function collectInto(problems: Problem[]): <T>(look: () => T | Promise<T>) => Promise<T | undefined> {
  return async (look) => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      const { code, subject, message } = error;
      if (problems.every((known) => known.message !== message)) problems.push({ code, subject, message });
      return undefined;
    }
  };
}
