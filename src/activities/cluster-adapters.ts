// Everything that activities use to reach one cluster and its surroundings. Filled by the composition root.
import type { ApiServer } from '../api-servers/port.ts';
import type { ClusterLock } from '../cluster-lock/port.ts';
import type { KeyStore } from '../key-stores/port.ts';
import type { NodeAgents } from '../nodes/port.ts';
import type { Platform } from '../platforms/port.ts';
import type { ProbePods } from '../probe-pods/port.ts';
import type { JwksPublisher } from '../publishers/port.ts';
import type { DocumentFetch } from '../publishers/trusting-fetch.ts';
import type { DrainPolicy } from '../rotation/drain.ts';
import type { GateName } from '../rotation/gates.ts';
import type { GuardPolicies } from '../rotation/guards.ts';
import type { KeyAlgorithm, Kid } from '../rotation/key.ts';
import type { LegacyToken, Problem } from '../rotation/observation.ts';
import type { FormerTokens } from './former-tokens.ts';

/** Reads of the cluster as a whole. */
export interface ClusterReads {
  /** Rights that Keyturn needs and does not have. */
  missingPermissions(): Promise<readonly Problem[]>;
  legacyTokens(): Promise<readonly LegacyToken[]>;
  /** Addresses of the EndpointSlice `default/kubernetes`; empty where it says nothing. */
  apiServerAddresses(): Promise<readonly string[]>;
  /** `kid` of a legacy token that the leading controller manager makes for this question; its Secret is deleted again. */
  mintLegacyToken(): Promise<Kid>;
}

/** The issuer's documents as relying parties see them. */
export interface PublicIssuer {
  readonly jwksUrl: string;
  readonly discoveryUrl: string;
  /** Trusts the issuer's private CA, where one is configured. */
  readonly fetch: DocumentFetch;
}

export interface ClusterPolicies extends GuardPolicies {
  readonly relyingPartyCacheMs: number;
  readonly drain: DrainPolicy;
  readonly gates: readonly GateName[];
  readonly discovery: 'if-missing' | 'overwrite' | 'never';
  readonly backUps: 'remove' | 'keep-manifests';
  readonly probeIntervalMs: number;
  readonly probeReloadMs: number;
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
  readonly lock: ClusterLock;
  readonly publisher: JwksPublisher;
  readonly publicIssuer: PublicIssuer;
  readonly keyStore: KeyStore;
  /** Algorithm of the key that the key store would make; null where the user brings one. */
  readonly newKeyAlg: KeyAlgorithm | null;
  readonly formerTokens: FormerTokens;
  /** Null where none is configured. */
  readonly probePods: ProbePods | null;
}
