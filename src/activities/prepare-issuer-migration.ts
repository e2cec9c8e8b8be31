// Preflight of a migration to another issuer: takes the cluster's lock, refuses with every reason at once, and computes the plan.
import { KeyturnError } from '../errors.ts';
import { isManaged, type IssuerObservation } from '../platforms/port.ts';
import { findShortIssuerDrain, issuerMigrationPlan } from '../rotation/issuer-migration.ts';
import type { KeyRef } from '../rotation/key.ts';
import type { Problem } from '../rotation/observation.ts';
import type { Plan } from '../rotation/plan.ts';
import { findBlockers, findFormer, type PreflightFacts } from '../rotation/preflight.ts';
import { isUnfinished } from '../rotation/record.ts';
import type { ClusterAdapters, ClusterPolicies } from './cluster-adapters.ts';
import type { Preflight } from './contract.ts';
import { observeCluster } from './observe-cluster.ts';
import { refusal, withOverrides, type PreflightOptions } from './preflight.ts';

const BEFORE_THE_SWITCH = ['publish-issuer', 'wait-for-relying-parties', 'accept-issuer', 'switch-issuer'] as const;

export async function prepareIssuerMigration(options: PreflightOptions): Promise<Preflight> {
  const { adapters, input, holder, hasEnded, startedBy, searchable } = options;
  try {
    await adapters.lock.acquire(holder, hasEnded);
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'CLUSTER_LOCKED') throw error;
    return { outcome: 'locked', cluster: adapters.name, message: error.message, startedBy, searchable };
  }
  try {
    const policies = withOverrides(adapters.policies, input);
    const { plan, signing, facts, observed } = await planIssuerMigration(adapters, policies);
    const { takenUp } = observed;
    const verifiedAt = observed.verified?.at ?? null;
    return {
      outcome: 'ready',
      cluster: adapters.name,
      rotationId: holder.runId.slice(-8),
      plan,
      gates: policies.gates,
      policies: { allowSingleApiServer: policies.allowSingleApiServer, legacyTokens: policies.legacyTokens },
      tokenLifetimes: facts.controlPlane.tokenLifetimes,
      former: signing,
      // The status counts the key that signs as the version before.
      keyVersion: (facts.record?.keyVersion ?? 1) + 1,
      doneBefore: verifiedAt === null ? [] : BEFORE_THE_SWITCH,
      takenUp,
      next: null,
      publishedAt: null,
      verifiedAt,
      canRollBack: true,
      startedBy,
      warnings: [
        ...(plan.limits ?? []),
        ...(takenUp ? ['Takes up a migration that a former run left unfinished.'] : []),
      ],
      searchable,
    };
  } catch (error) {
    await adapters.lock.release(holder, { keepRecord: true });
    throw error;
  }
}

export interface PlannedMigration {
  readonly plan: Plan;
  /** The key that signs, and goes on signing. */
  readonly signing: KeyRef;
  readonly facts: PreflightFacts;
  readonly observed: IssuerObservation;
}

/** The plan that a migration started now would follow. Changes nothing. @throws PREFLIGHT_REFUSED with every reason */
export async function planIssuerMigration(
  adapters: ClusterAdapters,
  policies: ClusterPolicies,
): Promise<PlannedMigration> {
  const { platform, issuer: to, name, publisher } = adapters;
  const issuers = isManaged(platform) ? platform.issuers : undefined;
  if (issuers === undefined) throw refusal(name, [problem(name, 'Its platform does not let its issuer be changed.')]);
  const [observed, seen] = await Promise.all([issuers.observe(to), observeCluster(adapters, policies)]);
  const facts = asOfNewIssuer(seen, to);
  const signing = findFormer(facts);
  const blockers = [
    ...findBlockers(facts),
    ...observed.problems,
    ...(isUnfinished(facts.record)
      ? [problem(name, `The rotation ${facts.record.rotationId} was left unfinished: finish it first.`)]
      : []),
    ...(publisher.publishes === undefined && 'assertWritable' in publisher
      ? []
      : [problem(name, 'Its publisher writes nothing: name the one that serves the new issuer.')]),
    ...('refused' in facts.drain ? [] : findShortIssuerDrain(facts.drain)),
  ];
  if (blockers.length > 0 || signing === null || 'refused' in facts.drain) throw refusal(name, blockers);
  const { relyingPartyCacheMs } = policies;
  const plan = issuerMigrationPlan({ migration: observed.migration, relyingPartyCacheMs, drain: facts.drain });
  return { plan, signing: { kid: signing.kid, alg: signing.alg }, facts, observed };
}

/** What a rotation would refuse is what a migration is about: tokens of another issuer, whose documents are not published yet. */
function asOfNewIssuer(facts: PreflightFacts, to: string): PreflightFacts {
  const apiServers = facts.controlPlane.apiServers.map((server) => ({ ...server, issuer: to }));
  const isMissing = ({ code, subject }: Problem) => code === 'JWKS_NOT_PUBLIC' && subject === facts.publicUrl;
  return {
    ...facts,
    controlPlane: { ...facts.controlPlane, apiServers },
    observationProblems: facts.observationProblems.filter((each) => !isMissing(each)),
    publicKids: null,
    mirrors: [],
  };
}

function problem(subject: string, message: string): Problem {
  return { code: 'PREFLIGHT_REFUSED', subject, message };
}
