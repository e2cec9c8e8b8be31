// Observes everything that Preflight judges: used by the rotation, by `keyturn plan` and by `keyturn doctor`, so that all three say the same.
import { KeyturnError } from '../errors.ts';
import { keyLimitsOf, refusedBy } from '../rotation/accepted-algorithms.ts';
import { computeDrain } from '../rotation/drain.ts';
import type { KeyRef, Kid } from '../rotation/key.ts';
import { reportLegacyTokens, type LegacyTokenReport } from '../rotation/legacy-token-report.ts';
import type { ControlPlaneObservation, Problem } from '../rotation/observation.ts';
import { isManaged, type Platform } from '../platforms/port.ts';
import { rotationOf } from './managed-steps.ts';
import { findFormer, type PreflightFacts } from '../rotation/preflight.ts';
import type { CacheWait } from '../rotation/publication-checks.ts';
import { isUnfinished, type RotationRecord } from '../rotation/record.ts';
import type { ClusterAdapters, ClusterPolicies, ClusterReads, Publication } from './cluster-adapters.ts';
import { readPublicDiscovery, readPublicJwks } from './public-documents.ts';
import { publicationsOf } from './publications.ts';

/** Changes nothing. What cannot be observed becomes a problem among the facts: all are told at once. */
export async function observeCluster(adapters: ClusterAdapters, policies: ClusterPolicies): Promise<PreflightFacts> {
  const observationProblems: Problem[] = [];
  const attempt = async <T>(observe: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await observe();
    } catch (error) {
      observationProblems.push(problemOf(error));
      return otherwise;
    }
  };
  const { reads, publicIssuer, apiServers } = adapters;
  const { capabilities } = adapters.platform;
  const { record } = await attempt(() => adapters.lock.read(), { held: null, record: null });
  const [controlPlane, publicJwks, discovery, endpointAddresses, staged, missing, skews] = await Promise.all([
    observePlatform(adapters.platform, record),
    attempt(() => readPublicJwks(publicIssuer), null),
    attempt(() => readPublicDiscovery(publicIssuer), null),
    attempt(() => reads.apiServerAddresses(), []),
    attempt(() => findStaged(adapters), null),
    Promise.all(
      [
        () => reads.missingPermissions(policies.legacyTokens),
        () => adapters.nodeAgents?.missingPermissions(),
        () => adapters.probePods?.missingPermissions(),
        () => adapters.keyStore.findProblems(adapters.name),
      ].map((find) => attempt(async () => (await find()) ?? [], [])),
    ),
    Promise.all(apiServers.map(async (server) => [server.node, await server.clockSkewMs().catch(() => 0)] as const)),
    Promise.all(publicationsOf(adapters).map((place) => attempt(() => showWritable(place), undefined))),
  ]);
  const mirrors = await Promise.all(
    (adapters.mirrors ?? []).map(async (mirror) => ({
      url: mirror.publicIssuer.jwksUrl,
      jwks: await attempt(() => readPublicJwks(mirror.publicIssuer), null),
      issuer: (await attempt(() => readPublicDiscovery(mirror.publicIssuer), null))?.issuer ?? null,
    })),
  );
  const former = findFormer({ controlPlane, record });
  // What Keyturn may not read is among the missing rights.
  const legacyTokens =
    former === null || missing.some((each) => each.length > 0)
      ? null
      : await attempt(() => reportOn(reads, policies, former.kid, record), null);
  const nextAlg = staged?.alg ?? adapters.newKeyAlg;
  return {
    controlPlane,
    observationProblems: eachOnce([...observationProblems, ...missing.flat()]),
    issuer: adapters.issuer,
    publicIssuer: discovery?.issuer ?? null,
    publicJwksUri: discovery?.jwksUri ?? null,
    publicKids: publicJwks?.kids ?? null,
    publicUrl: publicIssuer.jwksUrl,
    mirrors: mirrors.map(({ url, jwks, issuer }) => ({ url, kids: jwks?.kids ?? null, issuer })),
    servings: [publicJwks, ...mirrors.map(({ jwks }) => jwks)].flatMap((jwks) => (jwks === null ? [] : [jwks.serving])),
    relyingPartyCache: cacheWaitOf(policies),
    ...(adapters.publisher.publishes === undefined ? {} : { publishing: adapters.publisher.publishes }),
    keyLimits: keyLimitsOf(adapters.relyingParties),
    endpointAddresses,
    clockSkewMs: Object.fromEntries(skews),
    record,
    staged,
    nextAlg,
    refusedBy: nextAlg === null ? [] : refusedBy(nextAlg, adapters.relyingParties),
    drain: computeDrain(policies.drain, controlPlane.tokenLifetimes),
    allowSingleApiServer: policies.allowSingleApiServer,
    ...(capabilities.ordering === 'managed'
      ? { newKey: capabilities.newKey, apiServers: capabilities.apiServers }
      : {}),
    legacyTokens,
  };
}

function cacheWaitOf({ relyingPartyCacheMs: ms, allowShorterCache }: ClusterPolicies): CacheWait {
  return { ms, ...(allowShorterCache === undefined ? {} : { allowShorter: allowShorterCache }) };
}

/** Also where it cannot show that it could be written, it must be readable. */
async function showWritable({ publisher }: Publication): Promise<void> {
  await (publisher.assertWritable === undefined ? publisher.read('jwks') : publisher.assertWritable());
}

function observePlatform(platform: Platform, record: RotationRecord | null): Promise<ControlPlaneObservation> {
  if (!isManaged(platform)) return platform.observe();
  return platform.observe(isUnfinished(record) ? rotationOf(record) : null);
}

async function reportOn(
  reads: ClusterReads,
  policies: ClusterPolicies,
  formerKid: Kid,
  record: RotationRecord | null,
): Promise<LegacyTokenReport> {
  const unfinished = isUnfinished(record) ? record : null;
  const verifiedAt = unfinished?.milestones.verifiedAt;
  return reportLegacyTokens({
    observed: await reads.legacyTokens(),
    policies: policies.legacyTokens,
    formerKid,
    rotationId: unfinished?.rotationId ?? null,
    switchedAtMs: verifiedAt === undefined ? null : Date.parse(verifiedAt),
  });
}

/** A key that the user brings counts as staged from the start, and its absence is a problem at once. */
async function findStaged({ keyStore, newKeyAlg, name }: ClusterAdapters): Promise<KeyRef | null> {
  return newKeyAlg === null ? keyStore.stage(name) : ((await keyStore.staged(name)) ?? null);
}

/** A server that is away is met by more than one question. */
function eachOnce(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [problem.message, problem])).values()];
}

function problemOf(error: unknown): Problem {
  if (error instanceof KeyturnError) return { code: error.code, subject: error.subject, message: error.message };
  return {
    code: 'UNEXPECTED',
    subject: 'preflight',
    message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  };
}
