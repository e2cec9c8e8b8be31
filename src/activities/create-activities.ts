// Every activity that the worker offers, made from the adapters that the composition root chose.
import { cancellationSignal } from '@temporalio/activity';
import type { Holder } from '../cluster-lock/port.ts';
import type { AuditRecord } from '../rotation/audit.ts';
import type { StepControl } from '../platforms/port.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';
import { conclude } from './conclude.ts';
import type { RotationActivities, RotationInput, StepInput } from './contract.ts';
import { toFailure } from './failure.ts';
import * as migrationSteps from './issuer-migration-steps.ts';
import * as issuerSteps from './issuer-steps.ts';
import * as keySteps from './key-steps.ts';
import * as legacyTokenSteps from './legacy-token-steps.ts';
import * as managedSteps from './managed-steps.ts';
import * as nodeSteps from './node-steps.ts';
import { preflight, type PreflightOptions } from './preflight.ts';
import { prepareIssuerMigration } from './prepare-issuer-migration.ts';
import * as probePodSteps from './probe-pod-steps.ts';
import { probeTokens } from './probe-tokens.ts';
import { parseRotationInput } from './rotation-input.ts';
import * as slowClientSteps from './slow-client-steps.ts';
import { createStepFrame } from './step-frame.ts';
import { tellOperators, type NewsDesk } from './tell-operators.ts';
import * as tokenSteps from './token-steps.ts';

export interface ActivityDependencies {
  /** @throws CLUSTER_UNKNOWN; without a name: the only cluster that is configured */
  readonly findCluster: (name: string | undefined) => Promise<ClusterAdapters>;
  readonly temporalClusterId: () => Promise<string>;
  /** True where the holder's run is over, so that its lock may be taken over. */
  readonly hasEnded: (holder: Holder) => Promise<boolean>;
  /** `identity` of the client that started the run. */
  readonly startedBy: (workflowId: string, runId: string) => Promise<string>;
  readonly auditDirectory: string;
  readonly newsDesk: NewsDesk;
  /** True where Temporal knows Keyturn's search attributes. */
  readonly isSearchable: () => Promise<boolean>;
  /** ms since the epoch */
  readonly now: () => number;
}

export function createActivities(dependencies: ActivityDependencies): RotationActivities {
  const { findCluster, hasEnded, startedBy, auditDirectory, newsDesk, isSearchable, now } = dependencies;
  const frame = createStepFrame(dependencies);
  const { attended, step, nodeStep, managedStep, migrationStep, holder } = frame;

  const preflightOptions = async (request: RotationInput, control: StepControl): Promise<PreflightOptions> => {
    const input = parseRotationInput(request);
    const us = await holder();
    return {
      adapters: await findCluster(input.cluster),
      input,
      holder: us,
      hasEnded,
      startedBy: await startedBy(us.workflowId, us.runId),
      searchable: await isSearchable(),
      control,
    };
  };

  return {
    preflight: (request: RotationInput) =>
      attended(async (control) => preflight(await preflightOptions(request, control))),

    prepareIssuerMigration: (request: RotationInput) =>
      attended(async (control) => prepareIssuerMigration(await preflightOptions(request, control))),
    publishIssuer: migrationStep(migrationSteps.publishIssuer),
    acceptIssuer: migrationStep(migrationSteps.acceptIssuer),
    switchIssuer: migrationStep(migrationSteps.switchIssuer),
    switchIssuerBack: migrationStep(migrationSteps.switchIssuerBack),
    verifyIssuer: migrationStep(migrationSteps.verifyIssuer),
    recreateTokenSecrets: migrationStep(migrationSteps.recreateTokenSecrets),
    lookForFormerTokens: migrationStep(migrationSteps.lookForFormerTokens),
    forgetFormerIssuer: migrationStep(migrationSteps.forgetFormerIssuer),
    forgetNewIssuer: migrationStep(migrationSteps.forgetNewIssuer),

    // The first step writes the record that the frame of all others demands, so it cannot have that frame itself.
    stageKey: (input: StepInput) =>
      attended(async () => {
        const adapters = await findCluster(input.cluster);
        const us = await holder();
        await adapters.lock.confirm(us);
        const at = new Date(now()).toISOString();
        const before = (await adapters.lock.read()).record;
        const record = await keySteps.stageKey(adapters, input, before, at);
        await adapters.lock.save(us, record);
        return { ...keySteps.proveStaged(adapters, record), at };
      }),
    // Its undo must also work where that record was never written.
    discardKey: (input: StepInput) =>
      attended(async () => {
        const adapters = await findCluster(input.cluster);
        await adapters.lock.confirm(await holder());
        const { record } = await adapters.lock.read();
        if (record?.rotationId === input.rotationId) await frame.demand(adapters, input, record);
        return { ...(await keySteps.discardKey(adapters)), at: new Date(now()).toISOString() };
      }),

    recordRotation: (input: StepInput) =>
      attended(async () => {
        const adapters = await findCluster(input.cluster);
        const us = await holder();
        await adapters.lock.confirm(us);
        const at = new Date(now()).toISOString();
        const { record: before } = await adapters.lock.read();
        const record = await keySteps.recordRotation(adapters, input, before, at);
        await adapters.lock.save(us, record);
        return { changed: true, proof: `the Lease has the rotation away from ${record.former.kid}`, at };
      }),
    beginRotation: managedStep(managedSteps.begin),
    followRotation: managedStep(managedSteps.follow),
    takeBackRotation: managedStep(managedSteps.takeBack),
    forgetNext: managedStep(managedSteps.forgetNext),
    forgetFormer: managedStep(managedSteps.forgetFormer),

    backUp: nodeStep(nodeSteps.backUp),
    removeBackUp: nodeStep(nodeSteps.removeBackUp),
    publishKey: step(issuerSteps.publishKey),
    withdrawKey: step(issuerSteps.withdrawKey),
    trust: nodeStep(nodeSteps.trust),
    distrust: nodeStep(nodeSteps.distrust),
    sign: nodeStep(nodeSteps.sign),
    signWithFormer: nodeStep(nodeSteps.signWithFormer),
    switchControllerManager: nodeStep(nodeSteps.switchControllerManager),
    restoreControllerManager: nodeStep(nodeSteps.restoreControllerManager),
    releaseNodes: step(nodeSteps.releaseNodes),
    verify: step(tokenSteps.verify),
    startProbePod: step(probePodSteps.startProbePod),
    removeProbePod: step(probePodSteps.removeProbePod),
    verifyWithPod: step(probePodSteps.verifyWithPod),
    provePodRefresh: step(probePodSteps.provePodRefresh),
    refresh: step(legacyTokenSteps.refresh),
    settleLegacyTokens: step(legacyTokenSteps.settle),
    restoreLegacyTokens: step(legacyTokenSteps.restore),
    restartWorkload: step(slowClientSteps.restart),
    pruneKey: step(issuerSteps.pruneKey),
    republishFormer: step(issuerSteps.republishFormer),
    untrust: nodeStep(nodeSteps.untrust),
    settleControllerManager: nodeStep(nodeSteps.settleControllerManager),
    retire: step(keySteps.retire),
    checkGuards: step(async () => ({ changed: false, proof: 'the guards hold' })),

    probeTokens: async (input) => {
      try {
        return await probeTokens(await findCluster(input.cluster), cancellationSignal());
      } catch (error) {
        throw toFailure(error);
      }
    },

    notify: async (notification) => {
      try {
        await tellOperators(newsDesk, notification);
      } catch (error) {
        throw toFailure(error);
      }
    },

    conclude: (input: { readonly cluster: string; readonly audit: AuditRecord }) =>
      attended(async (control) => {
        const adapters = await findCluster(input.cluster);
        return conclude({ adapters, holder: await holder(), auditDirectory, audit: input.audit, control });
      }),
  };
}
