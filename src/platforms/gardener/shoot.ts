// What is read of a Shoot (core.gardener.cloud/v1beta1): how its ServiceAccount tokens are made, and how far a rotation of their key is.
import { z } from 'zod';
import type { TokenLifetimeFlags } from '../../rotation/observation.ts';
import { jsonOf, parseAnswer } from '../../api-servers/answer-json.ts';
import { staleTokenBaselineSchema } from '../../api-servers/stale-token-baseline.ts';
import { parseGoDuration } from '../go-duration.ts';

const OPERATION_ANNOTATION = 'gardener.cloud/operation';
const ISSUER_ANNOTATION = 'authentication.gardener.cloud/issuer';
/** Stays for as long as a migration of the issuer is under way. */
const MIGRATION_ANNOTATION = 'keyturn.dev/issuer-migration';
const ISSUER_ADDRESS = 'service-account-issuer';

const names = z.array(z.string()).default([]);

const serviceAccountConfig = z.object({
  issuer: z.string().optional(),
  acceptedIssuers: names,
  extendTokenExpiration: z.boolean().optional(),
  maxTokenExpiration: z.string().optional(),
  /** Of Gardener up to 1.63; later ones drop it. */
  signingKeySecretName: z.object({ name: z.string().optional() }).optional(),
});
export type ServiceAccountConfig = z.output<typeof serviceAccountConfig>;

const keyRotation = z.object({
  phase: z.string().optional(),
  lastInitiationTime: z.string().optional(),
  lastInitiationFinishedTime: z.string().optional(),
  lastCompletionTriggeredTime: z.string().optional(),
  lastCompletionTime: z.string().optional(),
  pendingWorkersRollouts: z.array(z.object({ name: z.string() })).default([]),
});
export type KeyRotation = z.output<typeof keyRotation>;

const migrationMemory = z.object({
  from: z.string(),
  to: z.string(),
  fromIsDefault: z.boolean(),
  acceptedBefore: names,
  verified: z.object({ at: z.iso.datetime({ offset: true }), staleTokens: staleTokenBaselineSchema }).exactOptional(),
});

export const shootSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    resourceVersion: z.string(),
    generation: z.number(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    kubernetes: z.object({
      kubeAPIServer: z.object({ serviceAccountConfig: serviceAccountConfig.optional() }).optional(),
    }),
  }),
  status: z.object({
    observedGeneration: z.number().optional(),
    lastOperation: z
      .object({ type: z.string(), state: z.string(), progress: z.number(), description: z.string() })
      .optional(),
    lastErrors: z.array(z.object({ description: z.string() })).default([]),
    credentials: z.object({ rotation: z.object({ serviceAccountKey: keyRotation.optional() }).optional() }).optional(),
    inPlaceUpdates: z.object({ pendingWorkerUpdates: z.object({ manualInPlaceUpdate: names }).optional() }).optional(),
    advertisedAddresses: z.array(z.object({ name: z.string(), url: z.string() })).default([]),
  }),
});
export type Shoot = z.output<typeof shootSchema>;

export function titleOf({ metadata }: Pick<Shoot, 'metadata'>): string {
  return `Shoot ${metadata.namespace}/${metadata.name}`;
}

/** The operation that gardenlet has still to take up; undefined where there is none. */
export function pendingOperation({ metadata }: Shoot): string | undefined {
  return metadata.annotations[OPERATION_ANNOTATION];
}

/** A merge patch that asks for the operation, of the Shoot as it was seen, or of any where `resourceVersion` is absent. */
export function operationPatch(operation: string, resourceVersion?: string) {
  return {
    metadata: {
      annotations: { [OPERATION_ANNOTATION]: operation },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

/** Where a migration of its issuer stands, as this tool has noted it; undefined where none is under way. @throws API_SERVER_UNEXPECTED */
export function migrationOf(shoot: Shoot): z.output<typeof migrationMemory> | undefined {
  const text = shoot.metadata.annotations[MIGRATION_ANNOTATION];
  if (text === undefined) return undefined;
  return jsonOf(migrationMemory, parseAnswer(text, MIGRATION_ANNOTATION), MIGRATION_ANNOTATION);
}

/** A merge patch of issuers and of what is remembered of their migration; what is left out stays, `memory: null` forgets it. */
export function issuersPatch(change: {
  readonly settings?: { readonly issuer: string | null; readonly acceptedIssuers: readonly string[] };
  readonly memory?: object | null;
  readonly resourceVersion?: string;
}) {
  const { settings, memory, resourceVersion } = change;
  const noted = memory === null ? null : JSON.stringify(memory);
  return {
    metadata: {
      ...(memory === undefined ? {} : { annotations: { [MIGRATION_ANNOTATION]: noted } }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    ...(settings === undefined ? {} : { spec: { kubernetes: { kubeAPIServer: { serviceAccountConfig: settings } } } }),
  };
}

export function keyRotationOf({ status }: Shoot): KeyRotation | undefined {
  return status.credentials?.rotation?.serviceAccountKey;
}

/** Names of worker pools whose nodes wait for a person to update them in place. */
export function poolsUpdatedByHand({ status }: Shoot): readonly string[] {
  return status.inPlaceUpdates?.pendingWorkerUpdates?.manualInPlaceUpdate ?? [];
}

/** Gardener serves the issuer's documents itself. */
export function hasManagedIssuer({ metadata }: Shoot): boolean {
  return metadata.annotations[ISSUER_ANNOTATION] === 'managed';
}

/** Undefined as long as gardenlet has not told it. */
export function managedIssuerOf({ status }: Shoot): string | undefined {
  return status.advertisedAddresses.find(({ name }) => name === ISSUER_ADDRESS)?.url;
}

export function serviceAccountConfigOf({ spec }: Shoot): ServiceAccountConfig {
  return spec.kubernetes.kubeAPIServer?.serviceAccountConfig ?? { acceptedIssuers: [] };
}

export function tokenLifetimesOf(shoot: Shoot): TokenLifetimeFlags {
  const { extendTokenExpiration, maxTokenExpiration } = serviceAccountConfigOf(shoot);
  return {
    maxTokenExpirationMs: (maxTokenExpiration === undefined ? undefined : parseGoDuration(maxTokenExpiration)) ?? null,
    extendTokenExpiration: extendTokenExpiration ?? true,
  };
}

/** What gardenlet says of the last thing that it did or does. */
export function lastOperationInWords({ metadata, status }: Shoot): string {
  const { lastOperation: last, observedGeneration } = status;
  const seen =
    observedGeneration === undefined || observedGeneration >= metadata.generation
      ? ''
      : ` (gardenlet has seen generation ${observedGeneration} of ${metadata.generation})`;
  if (last === undefined) return `gardenlet has not done anything yet${seen}`;
  return `${last.type} ${last.state}, ${last.progress} %: ${last.description}${seen}`;
}
