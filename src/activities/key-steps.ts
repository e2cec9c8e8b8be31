// Steps on the key pair itself: made or imported at the start, removed from where it was only passing through at the end.
import { createPublicKey } from 'node:crypto';
import { KeyturnError } from '../errors.ts';
import { kidOfJwk, parseJwks } from '../jwks/jwks.ts';
import { toPublicKey } from '../keys/public-key.ts';
import { readPublic } from '../publishers/read-back.ts';
import { formerTimesOf } from '../rotation/key-age.ts';
import { FORMER_KEY_LAYOUT } from '../rotation/key-layout.ts';
import type { KeyRef, PublicKey } from '../rotation/key.ts';
import { knowsNext, type RecordWithNext, type RotationRecord } from '../rotation/record.ts';
import { isManaged } from '../platforms/port.ts';
import { rotationOf } from './managed-steps.ts';
import type { ClusterAdapters } from './cluster-adapters.ts';
import type { StepInput } from './contract.ts';
import type { StepContext, StepOutcome } from './step-frame.ts';

/**
 * Staging: the key pair in the key store, and the record in the cluster from which any later run can take the rotation up.
 * A record that this rotation wrote before is left as it is: its layouts are from before anything was changed.
 */
export async function stageKey(
  adapters: ClusterAdapters,
  input: StepInput,
  record: RotationRecord | null,
  startedAt: string,
): Promise<RecordWithNext> {
  const { kid, alg } = await adapters.keyStore.stage(adapters.name, input.rotationId);
  if (record?.rotationId === input.rotationId && knowsNext(record)) return record;
  const wrappingKeyId = await adapters.keyStore.wrappingKeyId(adapters.name);
  return {
    ...(await newRecord(adapters, input, record, startedAt)),
    next: { kid, alg },
    ...(wrappingKeyId === undefined ? {} : { wrappingKeyId }),
  };
}

/** Staging where the platform makes the key: the record alone, with what was trusted before, by which the new key will be told. */
export async function recordRotation(
  adapters: ClusterAdapters,
  input: StepInput,
  record: RotationRecord | null,
  startedAt: string,
): Promise<RotationRecord> {
  if (record?.rotationId === input.rotationId) return record;
  const trusted = await Promise.all(adapters.apiServers.map((server) => server.publishedKeys()));
  const trustedBefore = [...new Set(trusted.flat().map(({ kid }) => kid))];
  return { ...(await newRecord(adapters, input, record, startedAt)), next: null, trustedBefore };
}

async function newRecord(
  adapters: ClusterAdapters,
  { rotationId, keyVersion, former, keyLayout = FORMER_KEY_LAYOUT }: StepInput,
  before: RotationRecord | null,
  startedAt: string,
): Promise<Omit<RotationRecord, 'next'>> {
  const { platform } = adapters;
  const addresses = isManaged(platform) ? {} : { apiServerAddresses: await adapters.reads.apiServerAddresses() };
  const layouts = isManaged(platform) ? [] : (await platform.observe()).layouts;
  return {
    rotationId,
    keyVersion,
    startedAt,
    former: await readPublicKey(adapters, former),
    // The choice was made in Preflight, and stands in the plan.
    layouts: layouts.map((layout) => ({ ...layout, keyLayout })),
    ...addresses,
    milestones: {},
    formerTimes: formerTimesOf(before),
  };
}

/** What Staging tells of the key. */
export function proveStaged({ keyStore }: ClusterAdapters, { next, wrappingKeyId }: RecordWithNext): StepOutcome {
  const { kid, alg } = next;
  const holds = `${keyStore.description} holds ${kid}`;
  if (wrappingKeyId === undefined) return { changed: true, proof: holds, next: { kid, alg } };
  return { changed: true, proof: `${holds}, encrypted with ${wrappingKeyId}`, next: { kid, alg }, wrappingKeyId };
}

/** Undo of Staging: the key that nobody knows is forgotten. */
export async function discardKey(adapters: ClusterAdapters): Promise<StepOutcome> {
  const staged = await adapters.keyStore.staged(adapters.name);
  if (staged !== undefined) await adapters.keyStore.discard(adapters.name, staged.kid);
  return {
    changed: staged !== undefined,
    proof: `${adapters.keyStore.description} holds no key made for this cluster`,
  };
}

/** The public half of a key that stands in the public JWKS. */
async function readPublicKey({ publicIssuer }: ClusterAdapters, { kid }: KeyRef): Promise<PublicKey> {
  const { body } = await readPublic(publicIssuer.jwksUrl, { fetch: publicIssuer.fetch });
  const jwk = parseJwks(body, publicIssuer.jwksUrl).keys.find((key) => kidOfJwk(key) === kid);
  if (jwk === undefined) {
    throw new KeyturnError('KEY_NOT_FOUND', `${publicIssuer.jwksUrl} no longer has ${kid}, the key that signs now`, {
      subject: publicIssuer.jwksUrl,
      remedy: 'Publish it again, then retry',
    });
  }
  return toPublicKey(createPublicKey({ key: jwk, format: 'jwk' }), kid);
}

/** Retiring: nothing of the former key, and nothing temporary, is left. */
export async function retire(context: StepContext): Promise<StepOutcome> {
  const { adapters, record } = context;
  const untrustedAt = record.milestones.untrustedAt ?? context.now();
  await context.saveRecord({ milestones: { ...record.milestones, untrustedAt } });
  const proof = await retirePlatform(context);
  await adapters.keyStore.discard(adapters.name, record.next.kid);
  adapters.formerTokens.clear();
  return {
    changed: true,
    proof: `${proof}; ${adapters.keyStore.description} is empty`,
  };
}

async function retirePlatform({ adapters: { platform, policies }, record }: StepContext): Promise<string> {
  if (isManaged(platform)) return platform.retire(rotationOf(record));
  for (const layout of record.layouts) {
    await platform.retire(layout, record.next, record.rotationId, policies.backUps);
  }
  return 'no node has the former private key or a file of the rotation';
}
