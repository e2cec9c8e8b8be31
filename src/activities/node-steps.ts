// Steps that change one node: each hands the platform what it needs and tells what was seen.
import type { NodeChange } from '../platforms/port.ts';
import { giveUpServed, noteWhereNotServed } from './served-issuer-steps.ts';
import { layoutOf, type NodeStepContext, type StepContext, type StepOutcome } from './step-frame.ts';

export async function backUp(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, input } = context;
  await adapters.platform.backUp(layoutOf(context), record.rotationId);
  return { changed: true, proof: `keys and manifests of ${input.node} are backed up on the node` };
}

export async function removeBackUp(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, input } = context;
  await adapters.platform.removeBackUp(layoutOf(context), record.rotationId);
  return { changed: true, proof: `${input.node} has no back-up of this rotation` };
}

export async function trust(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  if (adapters.publisher.publishes === 'by-trusting') await noteWhereNotServed(context);
  const { kid, alg, publicPem } = await adapters.keyStore.load(adapters.name, record.next.kid);
  return outcomeOf(await adapters.platform.trust(layoutOf(context), { kid, alg, publicPem }, control));
}

export async function distrust(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  if (adapters.publisher.publishes === 'by-trusting') await giveUpServed(context);
  return outcomeOf(await adapters.platform.distrust(layoutOf(context), record.next, control));
}

export async function sign(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  const layout = layoutOf(context);
  await keepFormerToken(context);
  const key = await adapters.keyStore.load(adapters.name, record.next.kid);
  return outcomeOf(await adapters.platform.sign(layout, record.former, key, control));
}

export async function signWithFormer(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  // From here on the recorded proof that everyone signs with the new key is no longer true.
  const { verifiedAt: _, otherSignerAt: _other, ...milestones } = record.milestones;
  await context.saveRecord({ milestones });
  return outcomeOf(await adapters.platform.signWithFormer(layoutOf(context), record.former, record.next, control));
}

export async function switchControllerManager(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  return outcomeOf(await adapters.platform.switchControllerManager(layoutOf(context), record.next, control));
}

/** Undo of switchControllerManager. */
export async function restoreControllerManager(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  return outcomeOf(await adapters.platform.restoreControllerManager(layoutOf(context), record.former, control));
}

/** The last step of Untrusting: the path of before, with the new key. */
export async function settleControllerManager(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  return outcomeOf(await adapters.platform.restoreControllerManager(layoutOf(context), record.next, control));
}

export async function untrust(context: NodeStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  const untrustingAt = record.milestones.untrustingAt ?? context.now();
  await context.saveRecord({ milestones: { ...record.milestones, untrustingAt } });
  const key = await adapters.keyStore.load(adapters.name, record.next.kid);
  return outcomeOf(await adapters.platform.untrust(layoutOf(context), record.former, key, control));
}

/** The end of a part of the rotation: nothing that was made to reach the nodes stays while nobody needs it. */
export async function releaseNodes({ adapters }: StepContext): Promise<StepOutcome> {
  const removed = (await adapters.nodeAgents?.release()) ?? [];
  const proof = removed.length === 0 ? 'no agent pod is there' : `removed agent pods ${removed.join(', ')}`;
  return { changed: removed.length > 0, proof };
}

/** A token that this API server signs with the former key while it still does, for Verifying. */
async function keepFormerToken(context: StepContext): Promise<void> {
  const { adapters, input, record } = context;
  const apiServer = adapters.apiServers.find(({ node }) => node === input.node);
  const token = await apiServer?.mintToken({ expirationSeconds: 3600 });
  if (token?.kid !== record.former.kid) return;
  if (input.node !== null) adapters.formerTokens.keep(input.node, token);
  // A rotation that is taken up, and somebody has set the signer back since it was verified.
  if (record.milestones.verifiedAt === undefined) return;
  await context.saveRecord({ milestones: { ...record.milestones, otherSignerAt: context.now() } });
}

function outcomeOf({ changed, proof, restartMs }: NodeChange): StepOutcome {
  return { changed, proof, restartMs };
}
