// keyturn plan: what a rotation would do now, with every change as a diff. Changes nothing.
import { createTwoFilesPatch } from 'diff';
import { Command } from 'commander';
import type { ClusterAdapters } from '../activities/cluster-adapters.ts';
import { observeCluster } from '../activities/observe-cluster.ts';
import { planFor } from '../activities/preflight.ts';
import { planIssuerMigration } from '../activities/prepare-issuer-migration.ts';
import { findCluster, loadConfig } from '../config/load.ts';
import { mergeKeys, removeKey } from '../jwks/edit-jwks.ts';
import { toJwk } from '../keys/jwk.ts';
import { isManaged } from '../platforms/port.ts';
import { formatDuration } from '../rotation/duration.ts';
import { describeKeyLayout } from '../rotation/key-layout.ts';
import type { KeyRef, PublicKey } from '../rotation/key.ts';
import { legacyTokenLines } from '../rotation/legacy-token-report.ts';
import type { Phase } from '../rotation/phase.ts';
import type { Plan } from '../rotation/plan.ts';
import { lookAtCluster } from './look-at-cluster.ts';
import { print } from './output.ts';

interface Preview {
  readonly cluster: string;
  readonly plan: Plan;
  readonly former: KeyRef;
  /** Unified diffs of each manifest during the rotation, and of the JWKS after Publishing and after Pruning. */
  readonly diffs: readonly string[];
}

export function planCommand(): Command {
  return new Command('plan')
    .description('show what a rotation would do now, with a diff of each manifest and of the JWKS; changes nothing')
    .argument('[cluster]')
    .option('--migrate-issuer', 'show what a move to the issuer in keyturn.yaml would do instead')
    .action(async (name: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<{ config: string; json?: boolean; migrateIssuer?: boolean }>();
      const config = await loadConfig(options.config);
      const look = options.migrateIssuer === true ? previewMigration : previewRotation;
      const preview = await lookAtCluster(config, findCluster(config, name), 'plan', look);
      print(preview, renderPreview(preview), options);
    });
}

/** @throws PREFLIGHT_REFUSED with every reason */
async function previewRotation(adapters: ClusterAdapters): Promise<Preview> {
  const facts = await observeCluster(adapters, adapters.policies);
  const { plan, former } = planFor(adapters, adapters.policies, facts);
  const next = (await adapters.keyStore.staged(adapters.name)) ?? notMadeYet(facts.nextAlg ?? 'RS256');
  const { platform } = adapters;
  const manifests = isManaged(platform) ? [] : await platform.preview(facts.controlPlane.layouts, next);
  return {
    cluster: adapters.name,
    plan,
    former,
    diffs: [
      ...manifests.map(({ node, path, before, after }) => diff(`${node}:${path}`, before, after)),
      ...(await previewJwks(adapters, plan, former, next)),
    ],
  };
}

/** @throws PREFLIGHT_REFUSED with every reason */
async function previewMigration(adapters: ClusterAdapters): Promise<Preview> {
  const { plan, signing } = await planIssuerMigration(adapters, adapters.policies);
  return { cluster: adapters.name, plan, former: signing, diffs: [] };
}

/** Stands for a key whose kid, as long as any, is known only once it is made. */
function notMadeYet(alg: KeyRef['alg']): KeyRef & { readonly publicPem?: undefined } {
  return { kid: 'NEW-KEY'.padEnd(43, '_'), alg };
}

async function previewJwks(
  adapters: ClusterAdapters,
  plan: Plan,
  former: KeyRef,
  next: KeyRef | PublicKey,
): Promise<readonly string[]> {
  const stored = await adapters.publisher.read('jwks');
  if (stored === undefined) return [];
  const { jwksUrl } = adapters.publicIssuer;
  const jwk =
    'publicPem' in next && next.publicPem !== undefined
      ? toJwk(next)
      : { use: 'sig' as const, kty: 'RSA' as const, kid: next.kid, alg: next.alg, n: '(made in Staging)', e: 'AQAB' };
  const published = mergeKeys(stored.body, [jwk], jwksUrl);
  const pruned = removeKey(published, former.kid, jwksUrl);
  return [
    diff(`${jwksUrl} (${publishingPhase(plan)})`, indented(stored.body), indented(published)),
    diff(
      `${jwksUrl} (${adapters.publisher.publishes === 'by-trusting' ? 'Untrusting' : 'Pruning'})`,
      indented(published),
      indented(pruned),
    ),
  ];
}

/** Where the new key becomes public. */
function publishingPhase({ steps }: Plan): Phase {
  return steps.find(({ action }) => action.type === 'wait' && action.wait === 'relyingParties')?.phase ?? 'Publishing';
}

/** One member a line, so that a diff of a compact document can be read. */
function indented(json: string): string {
  return `${JSON.stringify(JSON.parse(json), null, 2)}\n`;
}

function diff(name: string, before: string, after: string): string {
  return createTwoFilesPatch(name, name, before, after, 'now', 'then', { context: 2 });
}

function renderPreview({ cluster, plan, former, diffs }: Preview): string {
  const steps = plan.steps.map(
    ({ phase, summary }, index) => `${String(index + 1).padStart(3)}. ${phase.padEnd(11)} ${summary}`,
  );
  const { relyingParties, kubelet, drain } = plan.waits;
  return [
    plan.migration === undefined
      ? `Rotation of ${cluster}: retires ${former.kid} (${former.alg})`
      : `Migration of ${cluster} from ${plan.migration.from} to ${plan.migration.to}: no key changes`,
    '',
    ...steps,
    '',
    `Wait of ${`${publishingPhase(plan)}:`.padEnd(11)} ${formatDuration(relyingParties.ms)}: ${relyingParties.explanation}`,
    ...(kubelet === undefined
      ? []
      : [`Wait of Refreshing: ${formatDuration(kubelet.ms)} at most: ${kubelet.explanation}`]),
    `Wait of Draining:   ${formatDuration(drain.totalMs)}: ${drain.explanation}`,
    ...(plan.keyLayout === undefined ? [] : [`Key layout:         ${describeKeyLayout(plan.keyLayout)}`]),
    `No way back from ${plan.pointOfNoReturn} on.`,
    ...(plan.limits ?? []),
    '',
    ...(plan.legacyTokens === undefined ? [] : [...legacyTokenLines(plan.legacyTokens, former.kid), '']),
    ...diffs,
  ].join('\n');
}
