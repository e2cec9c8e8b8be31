// What publishing comes to where the API servers serve the issuer themselves: Trusting does it, and this proves it.
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../errors.ts';
import type { StepContext, StepOutcome } from './step-frame.ts';
import { readPublicKids } from './public-documents.ts';
import { proveControllerManager } from './token-steps.ts';

/** How long a cache before the API servers may take before the step is tried anew. */
const READ_BACK_MS = 30_000;
const READ_BACK_POLL_MS = 500;

/**
 * Before an API server is taught the new key, which was served already: one that joined, or was set back, has answered relying parties without
 * it. Noted before it is taught: should the step die after that, the next call would not see it.
 */
export async function noteWhereNotServed(context: StepContext): Promise<void> {
  const { adapters, input, record } = context;
  const { milestones, next } = record;
  if (milestones.publishedAt === undefined || milestones.keyMissingAt !== undefined) return;
  const keys = await adapters.apiServers.find(({ node }) => node === input.node)?.publishedKeys();
  if (keys?.some(({ kid }) => kid === next.kid)) return;
  await context.saveRecord({ milestones: { ...milestones, keyMissingAt: context.now() } });
}

/** After Trusting: every API server shows the new key (its guard), and so does the public URL. The caches of relying parties count from here. */
export async function confirmServed(context: StepContext): Promise<StepOutcome> {
  const { adapters, record, control } = context;
  const { jwksUrl } = adapters.publicIssuer;
  const { kid } = record.next;
  const { keyMissingAt, publishedAt, ...milestones } = record.milestones;
  let wasMissing = keyMissingAt !== undefined;
  for (const deadline = Date.now() + READ_BACK_MS; ;) {
    if ((await readPublicKids(adapters.publicIssuer)).includes(kid)) break;
    wasMissing = true;
    if (Date.now() >= deadline) throw notServed(jwksUrl, kid);
    control.report(`waiting until ${jwksUrl} shows ${kid}`);
    await sleep(READ_BACK_POLL_MS, undefined, { signal: control.signal });
  }
  const at = (wasMissing ? undefined : publishedAt) ?? context.now();
  await context.saveRecord({ milestones: { ...milestones, publishedAt: at } });
  return { changed: publishedAt !== at, at, proof: `every API server serves ${kid}, and ${jwksUrl} shows it` };
}

/**
 * Before the first API server forgets the new key: from here on it does not count as public. Not earlier, since that it was public tells a run
 * which takes the roll back up that tokens of the key may have been signed, and are to be waited for.
 */
export async function giveUpServed(context: StepContext): Promise<void> {
  const { publishedAt: _, keyMissingAt: _missing, ...milestones } = context.record.milestones;
  await context.saveRecord({ milestones });
}

/** Pruning: evidence alone. The JWKS forgets the key as the API servers do. */
export async function proveUnused(context: StepContext): Promise<StepOutcome> {
  const { record, adapters } = context;
  const evidence = await proveControllerManager(context);
  const { keyMissingAt: _missing, otherSignerAt: _other, ...milestones } = record.milestones;
  const prunedAt = milestones.prunedAt ?? context.now();
  await context.saveRecord({ milestones: { ...milestones, prunedAt } });
  const proof = `${evidence}; ${adapters.publicIssuer.jwksUrl} forgets ${record.former.kid} with the API servers`;
  return { changed: record.milestones.prunedAt === undefined, proof };
}

/** Undo of proveUnused. The former key never left the JWKS: no cache has to be waited out. */
export async function keepServed(context: StepContext): Promise<StepOutcome> {
  const { record, adapters } = context;
  const { prunedAt, ...milestones } = record.milestones;
  await context.saveRecord({ milestones });
  const proof = `${adapters.publicIssuer.jwksUrl} still shows ${record.former.kid}`;
  const { publishedAt } = milestones;
  return { changed: prunedAt !== undefined, proof, ...(publishedAt === undefined ? {} : { at: publishedAt }) };
}

function notServed(url: string, kid: string): KeyturnError {
  return new KeyturnError('EFFECT_MISSING', `${url} does not show ${kid}, which every API server trusts`, {
    subject: url,
    remedy: 'Look for a cache or another server behind that address; the step goes on by itself once it shows',
    retryable: true,
  });
}
