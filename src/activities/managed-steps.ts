// Steps on a platform that orders trust and signing itself: hand over or ask, follow, take back, have a key forgotten.
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../errors.ts';
import type { Advance, ManagedRotation } from '../platforms/port.ts';
import { violations } from '../rotation/guards.ts';
import type { KeyRef } from '../rotation/key.ts';
import type { RotationRecord } from '../rotation/record.ts';
import { gatherFacts } from './gather-facts.ts';
import { NextKeyWatch } from './next-key-watch.ts';
import type { ManagedStepContext, StepOutcome } from './step-frame.ts';

export function rotationOf({ rotationId, startedAt, former, next }: RotationRecord): ManagedRotation {
  return { rotationId, startedAt, former, next };
}

/** From here on the platform acts by itself; that it may have begun is written down before it is told. */
export async function begin(context: ManagedStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  const { platform, keyStore } = adapters;
  if (platform.capabilities.formerKey === 'kept-until-told') await keepFormerTokens(context);
  const begunAt = record.milestones.begunAt ?? context.now();
  await context.saveRecord({ milestones: { ...record.milestones, begunAt } });
  const isSupplied = platform.capabilities.newKey === 'supplied';
  const key = isSupplied && record.next !== null ? await keyStore.load(adapters.name, record.next.kid) : null;
  return untilProven(context, () => platform.begin(rotationOf(record), key, control));
}

/** Done when the platform says so and every API server signs with the new key; where it was not public before, also when it is. */
export async function follow(context: ManagedStepContext): Promise<StepOutcome> {
  const { adapters, control } = context;
  const watch = new NextKeyWatch(context);
  const outcome = await untilProven(context, async () => {
    await watch.look();
    const advance = await adapters.platform.advance(rotationOf(watch.record), control);
    if ('waitingFor' in advance) return advance;
    const missing = watch.missing ?? (await notYet(context, watch.record, 'everyoneSignsWithNext'));
    return missing === null ? advance : { waitingFor: missing };
  });
  return { ...outcome, ...watch.outcome() };
}

/** Undo of follow. From here on the recorded proof that everyone signs with the new key is no longer true. */
export async function takeBack(context: ManagedStepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  const { verifiedAt: _, otherSignerAt: _other, ...milestones } = record.milestones;
  await context.saveRecord({ milestones });
  return untilProven(context, async () => {
    const advance = await adapters.platform.takeBack(rotationOf(record), control);
    if ('waitingFor' in advance) return advance;
    const missing = await notYet(context, record, 'nobodySignsWithNext');
    return missing === null ? advance : { waitingFor: missing };
  });
}

/** Undo of begin. */
export async function forgetNext(context: ManagedStepContext): Promise<StepOutcome> {
  const { record } = context;
  if (record.next === null) return { changed: false, proof: 'no new key was ever seen' };
  const outcome = await forget(context, record.next, 'nobodyTrustsNext');
  const { begunAt: _, ...milestones } = record.milestones;
  await context.saveRecord({ milestones });
  return outcome;
}

/** Untrusting: from here on only forward. */
export async function forgetFormer(context: ManagedStepContext): Promise<StepOutcome> {
  const { record } = context;
  const untrustingAt = record.milestones.untrustingAt ?? context.now();
  await context.saveRecord({ milestones: { ...record.milestones, untrustingAt } });
  return forget(context, record.former, 'nobodyTrustsFormer');
}

function forget(
  context: ManagedStepContext,
  key: KeyRef,
  proof: 'nobodyTrustsFormer' | 'nobodyTrustsNext',
): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  return untilProven(context, async () => {
    const advance = await adapters.platform.forget(rotationOf(record), key, control);
    if ('waitingFor' in advance) return advance;
    const missing = await notYet(context, record, proof);
    return missing === null ? advance : { waitingFor: missing };
  });
}

/** What the API servers do not show yet; null where they show it. */
async function notYet(
  { adapters, input }: ManagedStepContext,
  record: RotationRecord,
  guard: 'everyoneSignsWithNext' | 'nobodySignsWithNext' | 'nobodyTrustsFormer' | 'nobodyTrustsNext',
): Promise<string | null> {
  const facts = await gatherFacts(adapters, { ...input, guards: [guard] }, record, Date.now());
  return violations([guard], facts)[0]?.reason ?? null;
}

/** What it takes to follow a platform. */
export type Patience = Pick<ManagedStepContext, 'adapters' | 'input' | 'control' | 'askedAtMs'>;

/** @throws PLATFORM_UNFINISHED where it takes longer than the platform is given; a retry gives it as long again */
export async function untilProven(context: Patience, look: () => Promise<Advance>): Promise<StepOutcome> {
  const { adapters, input, control, askedAtMs } = context;
  const { timeoutMs, pollMs } = adapters.platform.patience;
  let changed = false;
  for (;;) {
    control.signal.throwIfAborted();
    const advance = await lookOnce(look);
    if ('proof' in advance) return { ...advance, changed: changed || advance.changed };
    changed = true;
    control.report(advance.waitingFor);
    if (Date.now() >= askedAtMs + timeoutMs) throw unfinished(input.cluster, timeoutMs, advance.waitingFor);
    await sleep(pollMs, undefined, { signal: control.signal });
  }
}

/** API servers that restart are what is being waited for, and no reason to lose sight of the others. */
async function lookOnce(look: () => Promise<Advance>): Promise<Advance> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof KeyturnError && error.retryable) return { waitingFor: error.message };
    throw error;
  }
}

/** Tokens that are signed with the former key while it still signs, for Verifying. */
async function keepFormerTokens({ adapters, record }: ManagedStepContext): Promise<void> {
  for (const apiServer of adapters.apiServers) {
    const token = await apiServer.mintToken({ expirationSeconds: 3600 });
    if (token.kid === record.former.kid) adapters.formerTokens.keep(apiServer.node, token);
  }
}

function unfinished(cluster: string, timeoutMs: number, waitingFor: string): KeyturnError {
  return new KeyturnError(
    'PLATFORM_UNFINISHED',
    `The platform of cluster "${cluster}" is not there after ${Math.round(timeoutMs / 60_000)} min: ${waitingFor}`,
    { subject: cluster, remedy: 'Look what keeps it; a retry waits as long again' },
  );
}
