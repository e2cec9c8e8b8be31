// Steps that change what relying parties see: the public JWKS, and the discovery document where it is missing.
import { discoveryDocument } from '../jwks/discovery.ts';
import { mergeKeys, removeKey } from '../jwks/edit-jwks.ts';
import { toJwk } from '../keys/jwk.ts';
import { KeyturnError } from '../errors.ts';
import { updateDocument } from '../publishers/update-document.ts';
import type { Kid, PublicKey } from '../rotation/key.ts';
import type { StepControl } from '../platforms/port.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';
import { confirmPublic } from './public-documents.ts';
import { changeEverywhere, publicUrlsOf, readAllPublicKids, type PublishingAdapters } from './publications.ts';
import { confirmServed, keepServed, proveUnused } from './served-issuer-steps.ts';
import type { StepContext, StepOutcome } from './step-frame.ts';
import { proveControllerManager } from './token-steps.ts';

/** Publishing: the new key beside all others; its public time counts from here, or from the first time that it was found public. */
export async function publishKey(context: StepContext): Promise<StepOutcome> {
  const { adapters, record } = context;
  if (adapters.publisher.publishes === 'by-trusting') return confirmServed(context);
  const staged = await adapters.keyStore.staged(adapters.name);
  if (staged?.kid !== record.next.kid) throw keyIsGone(record.next.kid);
  const wasMissing = await noteWhereMissing(context);
  const changed = await publishKeys(adapters, [record.former, staged], context.control);
  await publishDiscovery(adapters, [staged], context.control);
  const { keyMissingAt: _missing, publishedAt, ...milestones } = record.milestones;
  const at = (changed || wasMissing ? undefined : publishedAt) ?? context.now();
  await context.saveRecord({ milestones: { ...milestones, publishedAt: at } });
  return { changed, at, proof: `${publicUrlsOf(adapters)} shows ${staged.kid}, byte for byte as written` };
}

/**
 * A rotation that is taken up finds a key missing that it had published. Noted before it is published again: should this step die after the
 * writing, the next call would not see that it wrote.
 */
async function noteWhereMissing(context: StepContext): Promise<boolean> {
  const { adapters, record } = context;
  const { milestones, next, former } = record;
  if (milestones.publishedAt === undefined) return false;
  if (milestones.keyMissingAt !== undefined) return true;
  const { everywhere: kids } = await readAllPublicKids(adapters).catch(nothingWhereGone);
  if (kids.includes(next.kid) && kids.includes(former.kid)) return false;
  await context.saveRecord({ milestones: { ...milestones, keyMissingAt: context.now() } });
  return true;
}

/** Undo of Publishing. */
export async function withdrawKey(context: StepContext): Promise<StepOutcome> {
  const { record } = context;
  const outcome = await remove(context, record.next.kid);
  const { publishedAt: _, keyMissingAt: _missing, ...milestones } = record.milestones;
  await context.saveRecord({ milestones });
  return outcome;
}

/** Pruning: evidence first, then the removal. */
export async function pruneKey(context: StepContext): Promise<StepOutcome> {
  const { record, adapters } = context;
  if (adapters.publisher.publishes === 'by-trusting') return proveUnused(context);
  const evidence = await proveControllerManager(context);
  const outcome = await remove(context, record.former.kid);
  // The guards have seen that what was lost is there again, for as long as its waits demand.
  const { keyMissingAt: _missing, otherSignerAt: _other, ...milestones } = record.milestones;
  const prunedAt = milestones.prunedAt ?? context.now();
  await context.saveRecord({ milestones: { ...milestones, prunedAt } });
  return { ...outcome, proof: `${outcome.proof}; ${evidence}` };
}

/** Undo of Pruning: relying parties must then be given time to read it again. */
export async function republishFormer(context: StepContext): Promise<StepOutcome> {
  const { adapters, record } = context;
  if (adapters.publisher.publishes === 'by-trusting') return keepServed(context);
  const changed = await publishKeys(adapters, [record.former], context.control);
  const { prunedAt: _, ...milestones } = record.milestones;
  await context.saveRecord({ milestones });
  return { changed, proof: `${publicUrlsOf(adapters)} shows ${record.former.kid} again` };
}

/** Beside all others and in all places, read back at their public URLs; true where one of them was not there. */
export async function publishKeys(
  adapters: PublishingAdapters,
  keys: readonly PublicKey[],
  control: StepControl,
): Promise<boolean> {
  return changeEverywhere(adapters, async ({ publisher, publicIssuer }) => {
    const { jwksUrl } = publicIssuer;
    const { changed, body } = await updateDocument(publisher, 'jwks', (current) =>
      mergeKeys(current, keys.map(toJwk), jwksUrl),
    );
    await confirmPublic(jwksUrl, body, publicIssuer, control);
    return changed;
  });
}

async function remove({ adapters, control }: StepContext, kid: string): Promise<StepOutcome> {
  const changed = await changeEverywhere(adapters, async ({ publisher, publicIssuer }) => {
    const { jwksUrl } = publicIssuer;
    const update = await updateDocument(publisher, 'jwks', (current) => {
      if (current === undefined) throw documentIsGone(jwksUrl);
      return removeKey(current, kid, jwksUrl);
    });
    await confirmPublic(jwksUrl, update.body, publicIssuer, control);
    return update.changed;
  });
  return { changed, proof: `${publicUrlsOf(adapters)} no longer shows ${kid}` };
}

/**
 * The issuer stays what it is: the document is written only where it is missing, or where the configuration asks for it. Mirrors have the
 * same one: relying parties go where the issuer's own address sends them.
 */
export async function publishDiscovery(
  adapters: PublishingAdapters & Pick<ClusterAdapters, 'policies' | 'issuer'>,
  keys: readonly PublicKey[],
  control: StepControl,
): Promise<void> {
  const { policies, issuer } = adapters;
  if (policies.discovery === 'never') return;
  const wanted = discoveryDocument(
    issuer,
    adapters.publicIssuer.jwksUrl,
    keys.map(({ alg }) => alg),
  );
  await changeEverywhere(adapters, async ({ publisher, publicIssuer }) => {
    const { body, changed } = await updateDocument(publisher, 'discovery', (current) =>
      current === undefined || policies.discovery === 'overwrite' ? wanted : current,
    );
    if (changed) await confirmPublic(publicIssuer.discoveryUrl, body, publicIssuer, control);
    return changed;
  });
}

/** The document itself is gone. */
function nothingWhereGone(error: unknown): { readonly everywhere: readonly Kid[] } {
  if (error instanceof KeyturnError && error.code === 'JWKS_NOT_PUBLIC') return { everywhere: [] };
  throw error;
}

function keyIsGone(kid: string): KeyturnError {
  return new KeyturnError('KEY_NOT_FOUND', `The key store no longer holds the new key ${kid}`, {
    subject: kid,
    remedy: 'Put it back and retry, or roll back',
  });
}

function documentIsGone(url: string): KeyturnError {
  return new KeyturnError('JWKS_NOT_PUBLIC', `The JWKS ${url} is gone: tokens are refused outside`, {
    subject: url,
    remedy: 'Find out who deleted it, put it back (keyturn jwks makes the document), then retry',
  });
}
