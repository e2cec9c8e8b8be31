// A cluster of three healthy API servers as the checks see it; tests change what they are about.
import { computeDrain, type DrainComputation } from '../../src/rotation/drain.ts';
import type { GuardFacts } from '../../src/rotation/guards.ts';
import type { KeyRef, PublicKey } from '../../src/rotation/key.ts';
import type { ApiServerObservation, LegacyToken, TokenLifetimeFlags } from '../../src/rotation/observation.ts';
import { makePlan } from '../../src/rotation/make-plan.ts';
import type { Plan } from '../../src/rotation/plan.ts';
import type { PreflightFacts } from '../../src/rotation/preflight.ts';
import type { ProbePodPlan } from '../../src/rotation/probe-pod-plan.ts';
import type { RecordWithNext } from '../../src/rotation/record.ts';

export const FORMER: PublicKey = { kid: 'former-kid', alg: 'RS256', publicPem: 'former pem\n' };
export const NEXT: KeyRef = { kid: 'next-kid', alg: 'RS256' };
const NODES = ['node-1', 'node-2', 'node-3'] as const;

/** As kubeadm sets it up: no maximum, extension on. */
export const DEFAULT_LIFETIMES: TokenLifetimeFlags = { maxTokenExpirationMs: null, extendTokenExpiration: true };

export function drainOf(
  policy: Parameters<typeof computeDrain>[0],
  flags: TokenLifetimeFlags = DEFAULT_LIFETIMES,
): DrainComputation {
  const drain = computeDrain(policy, flags);
  if ('refused' in drain) throw new Error(drain.refused);
  return drain;
}

export function planOf(
  nodes: readonly string[] = NODES,
  drain = drainOf({ policy: 'refreshing' }),
  relyingPartyCacheMs = 3_600_000,
  probePod: ProbePodPlan | null = null,
  publishing?: 'by-trusting',
): Plan {
  return makePlan({
    capabilities: { ordering: 'staged', rollBack: true },
    nodes,
    relyingPartyCacheMs,
    drain,
    probePod,
    ...(publishing === undefined ? {} : { publishing }),
  });
}

export function apiServer(node: string, change: Partial<ApiServerObservation> = {}): ApiServerObservation {
  return {
    node,
    url: `https://${node}:6443`,
    ready: true,
    etcdHealthy: true,
    trusted: [FORMER],
    signingKid: 'former-kid',
    issuer: 'https://issuer.example',
    ...change,
  };
}

/** Three API servers, each changed alike. */
export function apiServers(change: Partial<ApiServerObservation> = {}): readonly ApiServerObservation[] {
  return NODES.map((node) => apiServer(node, change));
}

export function legacyToken(name: string, kid: string, change: Partial<LegacyToken> = {}): LegacyToken {
  return {
    namespace: 'default',
    name,
    kid,
    lastUsed: null,
    serviceAccount: 'app',
    immutable: false,
    successorOf: null,
    rotationId: null,
    references: [],
    ...change,
  };
}

export function guardFacts(change: Partial<GuardFacts> = {}): GuardFacts {
  return {
    nowMs: 1_000_000,
    former: FORMER,
    next: NEXT,
    node: 'node-1',
    apiServers: apiServers(),
    endpointAddresses: [],
    plannedAddresses: [],
    keyLayout: 'in-place',
    publicKids: ['former-kid'],
    stagedKid: null,
    legacyTokens: [],
    legacyTokensTrackedSince: '2020-01-01',
    verifiedAtMs: null,
    relyingPartiesUntilMs: null,
    drainUntilMs: null,
    drainNextUntilMs: null,
    policies: { allowSingleApiServer: false, legacyTokens: { default: 'hold', overrides: [] } },
    ...change,
  };
}

export function unfinishedRecord(change: Partial<RecordWithNext> = {}): RecordWithNext {
  return {
    rotationId: 'abc',
    keyVersion: 2,
    startedAt: '2026-01-01T00:00:00.000Z',
    former: FORMER,
    next: NEXT,
    layouts: [],
    milestones: {},
    ...change,
  };
}

/** What Preflight sees of three API servers where nothing is wrong. */
export function preflightFacts(change: Partial<PreflightFacts> = {}, servers = apiServers()): PreflightFacts {
  return {
    controlPlane: { apiServers: servers, layouts: [], tokenLifetimes: DEFAULT_LIFETIMES, problems: [] },
    observationProblems: [],
    issuer: 'https://issuer.example',
    publicIssuer: 'https://issuer.example',
    publicJwksUri: 'https://issuer.example/openid/v1/jwks',
    publicKids: ['former-kid', 'a-foreign-kid'],
    publicUrl: 'https://issuer.example/openid/v1/jwks',
    endpointAddresses: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    clockSkewMs: { 'node-1': 0, 'node-2': 300_000, 'node-3': -300_000 },
    record: null,
    staged: null,
    nextAlg: 'RS256',
    refusedBy: [],
    drain: drainOf({ policy: 'refreshing' }),
    allowSingleApiServer: false,
    legacyTokens: null,
    ...change,
  };
}
