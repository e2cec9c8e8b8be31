// What doctor asks a cluster: may it be rotated, how old its key is, and what an earlier run left.
import { observeCluster } from '../activities/observe-cluster.ts';
import type { Held } from '../cluster-lock/port.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { formatDuration } from '../rotation/duration.ts';
import { judgeKeyAge, judgeLastRotation, keyAges, lastRotationEndedAt, type AgeVerdict } from '../rotation/key-age.ts';
import { summarizeLegacyTokens, type LegacyTokenReport } from '../rotation/legacy-token-report.ts';
import { findBlockers, findFormer, type PreflightFacts } from '../rotation/preflight.ts';
import { servedAsOtherThanJson } from '../rotation/publication-checks.ts';
import { isUnfinished, type RotationRecord } from '../rotation/record.ts';
import { composeReads } from '../worker/compose-reads.ts';
import { examineAgents } from './examine-agents.ts';
import { describeStaged } from './examine-key-store.ts';
import { examineProbePods } from './examine-probe-pods.ts';
import { check, fail, ok, warn, type Finding } from './finding.ts';
import { lookAtCluster } from './look-at-cluster.ts';

export interface ClusterExamination {
  readonly findings: readonly Finding[];
  /** When a rotation last came to its end, ms since the epoch; null where none is on record or the cluster does not answer. */
  readonly lastRotationMs: number | null;
}

/** Each part for itself: a cluster that cannot be rotated still tells how old its key is. */
export async function examineCluster(
  config: LoadedConfig,
  cluster: ClusterConfig,
  nowMs: number,
): Promise<ClusterExamination> {
  const what = `cluster ${cluster.name}`;
  let record: RotationRecord | null = null;
  const readiness = await check(what, () => examineReadiness(config, cluster, what));
  const history = await check(`${what}: key age`, async () => {
    const reads = await composeReads(config, cluster);
    const state = await reads.lock.read();
    record = state.record;
    return [
      ...agesOf(record, cluster.policies.maxKeyAge, what, nowMs),
      rotationOf(state.held, record, what),
      leftoversOf(await reads.leftovers(), state.held, what),
      ...(await examineAgents(reads.nodeAgents, state.held, what, nowMs)),
    ];
  });
  const pods = await check(`${what}: probe pods`, async () => {
    const { probePods } = await composeReads(config, cluster);
    return examineProbePods(probePods, record, what, nowMs);
  });
  const endedAt = lastRotationEndedAt(record);
  return {
    findings: [...readiness, ...history, ...pods],
    lastRotationMs: endedAt === null ? null : Date.parse(endedAt),
  };
}

async function examineReadiness(
  config: LoadedConfig,
  cluster: ClusterConfig,
  what: string,
): Promise<readonly Finding[]> {
  return lookAtCluster(config, cluster, 'doctor', async (adapters) => {
    const facts = await observeCluster(adapters, adapters.policies);
    const blockers = findBlockers(facts);
    if (blockers.length > 0) return blockers.map(({ code, message }) => fail(what, `${message} [${code}]`));
    const drain = 'refused' in facts.drain ? facts.drain.refused : `drain ${formatDuration(facts.drain.totalMs)}`;
    return [
      ok(what, `${facts.controlPlane.apiServers.length} API servers agree; ready to rotate; ${drain}`),
      ok(`${what}: signing key`, findFormer(facts)?.kid ?? 'unknown'),
      ...legacyTokensOf(facts.legacyTokens, what),
      ...publicJwksOf(facts, what),
      await describeStaged(adapters.keyStore, cluster.name, facts.staged, isUnfinished(facts.record)),
    ];
  });
}

/** That it can be read by everyone, and by those who look at the content type. */
function publicJwksOf({ publicUrl, publicKids, servings = [] }: PreflightFacts, what: string): readonly Finding[] {
  const title = `${what}: public JWKS`;
  return [
    ok(title, `${publicUrl} has ${publicKids?.length ?? 0} key(s)`),
    ...servedAsOtherThanJson(servings).map(({ url, contentType }) =>
      warn(
        title,
        `${url} is served as ${contentType ?? 'nothing in particular'}, not as application/json: some relying parties refuse to read it; set Content-Type where it is served`,
      ),
    ),
  ];
}

function legacyTokensOf(report: LegacyTokenReport | null, what: string): readonly Finding[] {
  if (report === null) return [];
  const title = `${what}: legacy tokens`;
  if (report.secrets.length === 0) return [ok(title, `none of the signing key, ${report.total} of others`)];
  return [warn(title, `${summarizeLegacyTokens(report)}; keyturn plan shows them`)];
}

function agesOf(record: RotationRecord | null, maxKeyAgeMs: number, what: string, nowMs: number): readonly Finding[] {
  const ages = keyAges(record, maxKeyAgeMs, nowMs);
  return [
    ageFinding(`${what}: active key`, judgeKeyAge(ages)),
    ageFinding(`${what}: last rotation`, judgeLastRotation(ages)),
  ];
}

function ageFinding(what: string, { verdict, sentence }: AgeVerdict): Finding {
  switch (verdict) {
    case 'fresh':
      return ok(what, sentence);
    case 'unknown':
      return warn(what, sentence);
    case 'overdue':
      return fail(what, sentence);
  }
}

function rotationOf(held: Held | null, record: RotationRecord | null, what: string): Finding {
  if (held !== null) return ok(`${what}: lock`, `held by ${held.holder.workflowId} since ${held.since}`);
  if (!isUnfinished(record)) return ok(`${what}: lock`, 'free');
  return warn(
    `${what}: lock`,
    `free, but rotation ${record.rotationId} of ${record.startedAt} was left unfinished: keyturn rotate takes it up`,
  );
}

function leftoversOf(names: readonly string[], held: Held | null, what: string): Finding {
  if (names.length === 0) return ok(`${what}: leftovers`, 'none');
  if (held !== null)
    return ok(`${what}: leftovers`, `none that are known: the rotation uses Secret ${names.join(', ')}`);
  return warn(`${what}: leftovers`, `Secret ${names.join(', ')} in Keyturn's namespace: delete with kubectl`);
}
