// Preflight: takes the cluster's lock, observes everything, refuses with every reason at once, and computes the plan.
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Holder } from '../cluster-lock/port.ts';
import { KeyturnError } from '../errors.ts';
import type { StepControl } from '../platforms/port.ts';
import { describeKeyLayout, FORMER_KEY_LAYOUT } from '../rotation/key-layout.ts';
import type { KeyRef } from '../rotation/key.ts';
import { rulesAskedBy } from '../rotation/legacy-tokens.ts';
import { countedFrom } from '../rotation/lost-premises.ts';
import { makePlan } from '../rotation/make-plan.ts';
import type { Plan, PlanInput } from '../rotation/plan.ts';
import { findBlockers, findFormer, type PreflightFacts } from '../rotation/preflight.ts';
import { servedCacheMs } from '../rotation/publication-checks.ts';
import { isUnfinished, type RotationRecord } from '../rotation/record.ts';
import { canStillRollBack, stepsDoneBefore, stepsPerhapsStarted, withPresentNodes } from '../rotation/take-up.ts';
import type { ClusterAdapters, ClusterPolicies } from './cluster-adapters.ts';
import type { Preflight, RotationInput } from './contract.ts';
import { observeCluster } from './observe-cluster.ts';
import { observePatiently } from './observe-patiently.ts';

/** Kubelet takes about 45 s to bring an API server back. */
const SETTLE_MS = 120_000;
const SETTLE_POLL_MS = 500;

export interface PreflightOptions {
  readonly adapters: ClusterAdapters;
  readonly input: RotationInput;
  readonly holder: Holder;
  readonly hasEnded: (holder: Holder) => Promise<boolean>;
  readonly startedBy: string;
  readonly searchable: boolean;
  readonly control: StepControl;
}

export async function preflight({
  adapters,
  input,
  holder,
  hasEnded,
  startedBy,
  searchable,
  control,
}: PreflightOptions): Promise<Preflight> {
  try {
    await adapters.lock.acquire(holder, hasEnded);
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'CLUSTER_LOCKED') throw error;
    return { outcome: 'locked', cluster: adapters.name, message: error.message, startedBy, searchable };
  }
  adapters.nodeAgents?.workFor(`rotation-${holder.runId.slice(-8)}`);
  const policies = withOverrides(adapters.policies, input);
  await settle(adapters, control);
  const facts = await observePatiently(() => observeCluster(adapters, policies), control);
  const { plan, former } = await planOrGiveUp(adapters, policies, facts, holder);
  const record = isUnfinished(facts.record) ? facts.record : null;
  const joined = record === null ? [] : await takeUpNodes(adapters, holder, record, facts);
  const milestones = record?.milestones ?? {};
  return {
    outcome: 'ready',
    cluster: adapters.name,
    rotationId: record?.rotationId ?? holder.runId.slice(-8),
    plan,
    gates: policies.gates,
    policies: { allowSingleApiServer: policies.allowSingleApiServer, legacyTokens: policies.legacyTokens },
    tokenLifetimes: facts.controlPlane.tokenLifetimes,
    former,
    keyVersion: nextVersion(facts.record),
    doneBefore: stepsDoneBefore(plan, milestones),
    takenUp: record !== null,
    perhapsStarted: stepsPerhapsStarted(plan, record === null ? null : milestones),
    next: record?.next == null ? null : { kid: record.next.kid, alg: record.next.alg },
    ...countedFrom(milestones, new Date().toISOString()),
    canRollBack: canStillRollBack(plan, milestones),
    startedBy,
    warnings: [...warningsOf(plan, record, policies), ...joined],
    searchable,
  };
}

/** Nodes that joined since the former run planned its steps are part of this one's. @returns what there is to say about it */
async function takeUpNodes(
  { platform, lock }: ClusterAdapters,
  holder: Holder,
  record: RotationRecord,
  { controlPlane, endpointAddresses }: PreflightFacts,
): Promise<readonly string[]> {
  if (platform.capabilities.ordering !== 'staged') return [];
  const present = withPresentNodes(record, controlPlane.layouts, endpointAddresses);
  if (!isDeepStrictEqual(present, record)) await lock.save(holder, present);
  const known = new Set(record.layouts.map(({ node }) => node));
  const joined = present.layouts.filter(({ node }) => !known.has(node)).map(({ node }) => node);
  return joined.length === 0 ? [] : [`Takes in ${joined.join(', ')}, which joined since the rotation was planned.`];
}

/** A run that died may have left an API server restarting: a rotation that is taken up waits for it before it judges. */
async function settle(adapters: ClusterAdapters, { signal, report }: StepControl): Promise<void> {
  if (!isUnfinished((await adapters.lock.read()).record)) return;
  for (
    const giveUpAt = Date.now() + SETTLE_MS;
    Date.now() < giveUpAt;
    await sleep(SETTLE_POLL_MS, undefined, { signal })
  ) {
    const readiness = await Promise.all(adapters.apiServers.map((server) => server.readiness()));
    if (readiness.every(({ ready }) => ready)) return;
    report('waiting for an API server that the former run left restarting');
  }
}

/** The plan that a rotation started now would follow. @throws PREFLIGHT_REFUSED with every reason */
export function planFor(
  adapters: Pick<ClusterAdapters, 'name' | 'platform' | 'probePods' | 'publisher'>,
  policies: ClusterPolicies,
  facts: PreflightFacts,
): { readonly plan: Plan; readonly former: KeyRef } {
  const blockers = findBlockers(facts);
  const former = findFormer(facts);
  if (blockers.length > 0 || former === null || 'refused' in facts.drain) throw refusal(adapters.name, blockers);
  const plan = makePlan({
    capabilities: adapters.platform.capabilities,
    ...(adapters.publisher.publishes === undefined ? {} : { publishing: adapters.publisher.publishes }),
    nodes: facts.controlPlane.apiServers.map(({ node }) => node),
    relyingPartyCacheMs: policies.relyingPartyCacheMs,
    ...shorterCacheOf(facts),
    drain: facts.drain,
    probePod: adapters.probePods?.plan ?? null,
    restarts: policies.restartWorkloads,
    ...(facts.legacyTokens === null ? {} : { legacyTokens: facts.legacyTokens }),
    ...keyLayoutOf(facts),
  });
  return { plan, former: { kid: former.kid, alg: former.alg } };
}

/** Where nothing was overridden there is nothing to record. */
function shorterCacheOf(facts: PreflightFacts): Pick<PlanInput, 'shorterCacheBecause'> {
  const { allowShorter } = facts.relyingPartyCache ?? {};
  return allowShorter === undefined || servedCacheMs(facts) === null ? {} : { shorterCacheBecause: allowShorter };
}

/** A rotation keeps the layout with which it began. */
function keyLayoutOf({ record, controlPlane }: PreflightFacts): Pick<PlanInput, 'keyLayout'> {
  if (isUnfinished(record)) {
    const layout = record.layouts[0]?.keyLayout ?? FORMER_KEY_LAYOUT;
    return { keyLayout: { layout, because: 'the rotation that is taken up began with it' } };
  }
  return controlPlane.keyLayout === undefined ? {} : { keyLayout: controlPlane.keyLayout };
}

/** A refused rotation changed nothing and holds nothing. */
async function planOrGiveUp(
  adapters: ClusterAdapters,
  policies: ClusterPolicies,
  facts: PreflightFacts,
  holder: Holder,
) {
  try {
    return planFor(adapters, policies, facts);
  } catch (error) {
    await adapters.nodeAgents?.release();
    await adapters.lock.release(holder, { keepRecord: true });
    throw error;
  }
}

export function refusal(
  cluster: string,
  blockers: readonly { readonly code: string; readonly message: string }[],
): KeyturnError {
  const reasons = blockers.map(({ message }, index) => `${index + 1}. ${message}`).join('\n');
  return new KeyturnError(
    'PREFLIGHT_REFUSED',
    `The rotation of "${cluster}" may not start, for ${blockers.length} reason(s):\n${reasons}\n`,
    { subject: cluster, remedy: 'Nothing was changed. Mend all of them, then start again', details: { blockers } },
  );
}

export function withOverrides(policies: ClusterPolicies, input: RotationInput): ClusterPolicies {
  return {
    ...policies,
    relyingPartyCacheMs: input.relyingPartyCacheMs ?? policies.relyingPartyCacheMs,
    drain: input.drain ?? policies.drain,
    allowSingleApiServer: input.allowSingleApiServer ?? policies.allowSingleApiServer,
    legacyTokens:
      input.legacyTokens === undefined
        ? policies.legacyTokens
        : rulesAskedBy(input.legacyTokens, input.requestedBy ?? 'the input of the rotation', input.reason),
    gates: input.gates ?? policies.gates,
  };
}

function nextVersion(record: RotationRecord | null): number {
  if (record === null) return 2;
  return record.ended?.outcome === 'completed' ? record.keyVersion + 1 : record.keyVersion;
}

function warningsOf(plan: Plan, record: RotationRecord | null, { gates }: ClusterPolicies): readonly string[] {
  const { relyingParties, drain } = plan.waits;
  const { override, totalMs, refreshingMs } = drain;
  const warnings: string[] = [...(plan.limits ?? [])];
  if (gates.includes('each-node') && plan.steps.some(({ action }) => action.type === 'followRotation'))
    warnings.push('The gate each-node asks nowhere: the platform changes its nodes by itself.');
  if (plan.keyLayout !== undefined) warnings.push(`Key layout: ${describeKeyLayout(plan.keyLayout)}.`);
  if (record !== null) warnings.push(`Takes up the rotation ${record.rotationId} that a former run left unfinished.`);
  if (relyingParties.override !== undefined) {
    warnings.push(
      `Relying parties are given ${relyingParties.ms} ms, less than the JWKS may be cached, accepted because: ${relyingParties.override}`,
    );
  }
  if (override !== undefined) {
    warnings.push(
      `The drain of ${totalMs} ms is shorter than the computed ${refreshingMs} ms, accepted because: ${override}`,
    );
  }
  return warnings;
}
