// Everything that activities use to reach one cluster and its surroundings. Filled by the composition root.
import type { ApiServer } from '../api-servers/port.ts';
import type { ClusterLock } from '../cluster-lock/port.ts';
import type { KeyStore } from '../key-stores/port.ts';
import type { NodeAgents, NodeFiles } from '../nodes/port.ts';
import type { Platform, StepControl } from '../platforms/port.ts';
import type { ProbePods } from '../probe-pods/port.ts';
import type { JwksPublisher } from '../publishers/port.ts';
import type { DocumentFetch } from '../publishers/trusting-fetch.ts';
import type { DrainPolicy } from '../rotation/drain.ts';
import type { GateName } from '../rotation/gates.ts';
import type { GuardPolicies } from '../rotation/guards.ts';
import type { KeyAlgorithm, Kid } from '../rotation/key.ts';
import type { LegacyTokenPolicies } from '../rotation/legacy-tokens.ts';
import type { LegacyToken, LegacyTokens, Problem } from '../rotation/observation.ts';
import type { StaleTokenCount } from '../rotation/slow-clients.ts';
import type { WorkloadName } from '../rotation/workload.ts';
import type { FormerTokens } from './former-tokens.ts';

/** Reads of the cluster as a whole. */
export interface ClusterReads {
  /** Rights that Keyturn needs, also for what this policy asks, and does not have. */
  missingPermissions(legacyTokens: LegacyTokenPolicies): Promise<readonly Problem[]>;
  /** @param kids who names them is looked up for tokens of these keys; default: of every key */
  legacyTokens(kids?: readonly Kid[]): Promise<LegacyTokens>;
  /** Addresses of the EndpointSlice `default/kubernetes`; empty where it says nothing. */
  apiServerAddresses(): Promise<readonly string[]>;
  /** `kid` of a legacy token that the leading controller manager makes for this question; its Secret is deleted again. */
  mintLegacyToken(): Promise<Kid>;
}

/** Has the controller manager mint tokens in Secrets. */
export interface LegacySecrets {
  /** A second Secret for the same ServiceAccount; asked twice by a rotation, it is made once. */
  mintSuccessor(of: LegacyToken, rotationId: string): Promise<{ readonly name: string; readonly kid: Kid }>;
  /**
   * Unless `wanted` signed it already, the token is taken out, which kills it, and another one is minted in its place.
   * @param mark the rotation, noted on the Secret; null takes the note off
   * @returns who signed the token that is in it now; null where the Secret is gone
   */
  remint(secret: Pick<LegacyToken, 'namespace' | 'name'>, wanted: Kid, mark: string | null): Promise<Kid | null>;
  remove(secret: Pick<LegacyToken, 'namespace' | 'name'>): Promise<void>;
}

/** An API server's audit log, on the node where it is written. */
export interface AuditLog {
  readonly node: string;
  readonly path: string;
  readonly files: NodeFiles;
}

/** What tells of clients that do not reload their tokens, and what helps them. */
export interface SlowClientAdapters {
  /** One count per API server; never throws. */
  staleTokenCounts(): Promise<readonly StaleTokenCount[]>;
  readonly auditLogs: readonly AuditLog[];
  /** Once per rotation. @throws WORKLOAD_NOT_FOUND, ROLLOUT_INCOMPLETE */
  restart(
    workload: WorkloadName,
    options: StepControl & { readonly rotationId: string; readonly timeoutMs: number },
  ): Promise<{ readonly restarted: boolean; readonly progress: string }>;
}

/** The issuer's documents as relying parties see them. */
export interface PublicIssuer {
  readonly jwksUrl: string;
  readonly discoveryUrl: string;
  /** Trusts the issuer's private CA, where one is configured. */
  readonly fetch: DocumentFetch;
}

/** A place where the issuer's documents are published, and where the public reads them. */
export interface Publication {
  readonly publisher: JwksPublisher;
  readonly publicIssuer: PublicIssuer;
}

export interface ClusterPolicies extends GuardPolicies {
  readonly relyingPartyCacheMs: number;
  /** Why it may be shorter than an API server lets its JWKS be cached. Default: it may not. */
  readonly allowShorterCache?: string;
  readonly drain: DrainPolicy;
  readonly gates: readonly GateName[];
  readonly discovery: 'if-missing' | 'overwrite' | 'never';
  readonly backUps: 'remove' | 'keep-manifests';
  readonly probeIntervalMs: number;
  readonly probeReloadMs: number;
  /** `hold`: somebody must look before Pruning where clients live on tokens that they do not reload. */
  readonly slowClients: 'report' | 'hold';
  readonly restartWorkloads: readonly WorkloadName[];
  /** For the rollout of each. */
  readonly restartTimeoutMs: number;
}

export interface ClusterAdapters {
  readonly name: string;
  readonly issuer: string;
  /** Audience of tokens for the outside. */
  readonly audience: string;
  /** Named relying parties that must accept the new key's algorithm. */
  readonly relyingParties: readonly ('azure' | 'aws' | 'google')[];
  readonly policies: ClusterPolicies;
  readonly platform: Platform;
  /** Null where nodes are reached without any. */
  readonly nodeAgents: NodeAgents | null;
  readonly apiServers: readonly ApiServer[];
  readonly reads: ClusterReads;
  readonly legacySecrets: LegacySecrets;
  readonly slowClients: SlowClientAdapters;
  readonly lock: ClusterLock;
  readonly publisher: JwksPublisher;
  readonly publicIssuer: PublicIssuer;
  /** Further places: nothing goes on until all of them agree. Default: none. */
  readonly mirrors?: readonly Publication[];
  readonly keyStore: KeyStore;
  /** Algorithm of the key that the key store would make; null where the user brings one. */
  readonly newKeyAlg: KeyAlgorithm | null;
  readonly formerTokens: FormerTokens;
  /** Null where none is configured. */
  readonly probePods: ProbePods | null;
}
