// A cluster, its public JWKS and everyone who holds tokens or caches: real time, and only what the order of a rotation can harm.
import type { DrainPolicy } from '../../src/rotation/drain.ts';
import type { ProbePodPlan } from '../../src/rotation/probe-pod-plan.ts';
import type { Milestones } from '../../src/rotation/record.ts';
import { Blame, Harm } from './harm.ts';
import { FOREIGN, FORMER, NEXT, SECOND, type Keys } from './keys.ts';
import { LegacySecrets, type SecretPlan } from './legacy-secrets.ts';
import {
  makeNode,
  managerSignerOf,
  NOTHING_DONE,
  signerOf,
  trustedBy,
  type Cause,
  type Disk,
  type SimulatedNode,
} from './node.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
/** Kubernetes' own figures, not the product's: 24 h and 10 s jitter, a sync, a client that reads again after a minute. */
const RELOADED_MS = 24 * HOUR_MS + 10 * SECOND_MS + 2 * MINUTE_MS;
const YEAR_MS = 365 * 24 * HOUR_MS;
const START_MS = Date.UTC(2026, 0, 1);
/** API servers' clocks differ by so much: a token lives longer where the clock is late. */
const SERVER_SKEW_MS = MINUTE_MS;

export interface WorldOptions {
  readonly nodes: readonly string[];
  /** Of the slowest relying party that there is, ms. */
  readonly cacheMs: number;
  readonly drain: DrainPolicy;
  readonly secrets: readonly SecretPlan[];
  /** A client that never reads its token again, though the drain is for those that do. */
  readonly slowClient: boolean;
  readonly probePod: ProbePodPlan | null;
  /** How long an API server takes to come back, ms. */
  readonly restartMs: number;
  /** The API servers serve the JWKS themselves: what they trust is public. */
  readonly served: boolean;
  /** Whether nodes can join by themselves. */
  readonly nodesJoin: boolean;
  /** What happens is told here, in sentences. */
  readonly story: string[] | null;
}

/** What is kept in the cluster's Lease. */
export interface LeaseRecord {
  readonly next: Keys;
  readonly milestones: Milestones;
}

export class World {
  nowMs = START_MS;
  /** After which was looked whether anybody is harmed. */
  events = 0;
  /** Those that the rotation knows. */
  nodes: readonly SimulatedNode[];
  /** Those that have joined since it was planned. */
  strangers: readonly SimulatedNode[] = [];
  jwks: Keys = FORMER | FOREIGN;
  jwksVersion = 0;
  staged: Keys = 0;
  record: LeaseRecord | null = null;
  /** The run that holds the cluster. */
  holder: number | null = null;
  /** By key: when it signed last. */
  readonly lastSignedMs: Record<Keys, number> = {};
  tokenLifeMs = 0;
  slowClientKey: Keys;
  readonly secrets: LegacySecrets;
  /** Its token is as old as kubelet lets it become. */
  pod: { key: Keys; mintedMs: number } | null = null;
  podWasRefreshed = false;
  /** The worker's clock is off by this. */
  workerSkewMs = 0;
  readonly blame = new Blame();
  readonly options: WorldOptions;
  private outdated: { readonly keys: Keys; readonly untilMs: number }[] = [];

  constructor(options: WorldOptions) {
    this.options = options;
    this.nodes = options.nodes.map((name) => makeNode(name));
    this.slowClientKey = options.slowClient ? FORMER : 0;
    this.secrets = new LegacySecrets(options.secrets);
    this.promise(options.drain);
    this.sign();
  }

  /** Which tokens Keyturn has been told to wait for. */
  promise(drain: DrainPolicy): void {
    const lifeMs = tokenLifeUnder(drain);
    // Once it is pruned, tokens of before are waited for, or given up: only those that somebody makes from now on are left to be promised.
    const isPruned = this.record?.milestones.prunedAt !== undefined;
    this.tokenLifeMs = isPruned ? Math.min(lifeMs, this.tokenLifeMs) : lifeMs;
    // What was given up before stays given up.
    this.blame.look(this, 'theirs');
  }

  /** By the clock of the worker that does the work now, RFC 3339. */
  workerTime(): string {
    return new Date(this.nowMs + this.workerSkewMs).toISOString();
  }

  node(name: string): SimulatedNode {
    const found = this.nodes.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  }

  get everyNode(): readonly SimulatedNode[] {
    return this.strangers.length === 0 ? this.nodes : [...this.nodes, ...this.strangers];
  }

  get leader(): SimulatedNode {
    const nodes = this.everyNode;
    return nodes[this.leaderIndex % nodes.length] ?? this.node('');
  }
  leaderIndex = 0;

  get isTold(): boolean {
    return this.options.story !== null;
  }

  tell(sentence: string): void {
    this.options.story?.push(`${this.ago()} ${sentence}`);
  }

  /** Time passes: what was restarted comes back, and everyone signs. @throws Harm */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      let first: SimulatedNode | undefined;
      for (const node of this.nodes) {
        if (!node.up && node.upAtMs <= untilMs && (first === undefined || node.upAtMs < first.upAtMs)) first = node;
      }
      if (first === undefined) break;
      this.nowMs = Math.max(this.nowMs, first.upAtMs);
      this.start(first);
      this.look(first.startCause);
    }
    this.nowMs = untilMs;
    this.sign();
  }

  private ago(): string {
    const minutes = Math.floor((this.nowMs - START_MS) / MINUTE_MS);
    const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
    return `${days}d ${String(hours).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
  }

  look(cause: Cause): void {
    this.events += 1;
    this.sign();
    this.blame.look(this, cause);
  }

  /** At every moment everyone who is up signs something for somebody; and kubelet does its part. */
  private sign(): void {
    for (const { up, signer } of this.everyNode) if (up) this.lastSignedMs[signer] = this.nowMs;
    if (this.options.served) this.serve();
    const { pod } = this;
    if (pod !== null && this.nowMs >= this.podDueMs(pod)) this.pod = { key: this.anySigner(), mintedMs: this.nowMs };
  }

  podDueMs({ mintedMs }: { readonly mintedMs: number }): number {
    const byFractionMs = 0.8 * (this.options.probePod?.tokenLifetimeMs ?? 0);
    return mintedMs + Math.min(byFractionMs, 24 * HOUR_MS) + 10 * SECOND_MS + MINUTE_MS;
  }

  /** Of the last one that is up: the least convenient. */
  anySigner(): Keys {
    return this.everyNode.findLast(({ up }) => up)?.signer ?? FORMER;
  }

  /** As `kubeadm join` does: the keys of another node, at the places that kubeadm knows. */
  join(from: SimulatedNode): void {
    const { pub, key } = from.disk;
    this.joined += 1;
    this.strangers = [...this.strangers, makeNode(`new-node-${this.joined}`, { ...NOTHING_DONE, pub, key })];
  }
  private joined = 0;

  /** A rotation is planned: for all that are there. */
  knowEveryNode(): void {
    this.nodes = this.everyNode;
    this.strangers = [];
  }

  write(node: SimulatedNode, change: Partial<Disk>): void {
    node.disk = { ...node.disk, ...change };
    if (!node.up) this.read(node);
    node.version += 1;
  }

  /** The API server goes down, and comes back with what it then reads. */
  restart(node: SimulatedNode, cause: Cause): void {
    node.up = false;
    this.read(node);
    node.startCause = cause;
    node.upAtMs = this.nowMs + this.options.restartMs;
  }

  /** By our doing. @throws Harm invariant 3 */
  takeDown(node: SimulatedNode): void {
    const down = this.nodes.find((other) => other !== node && !other.up);
    if (down !== undefined) throw new Harm(`invariant 3: ${node.name} is restarted while ${down.name} is down`);
    this.restart(node, 'ours');
  }

  private start(node: SimulatedNode): void {
    node.up = true;
    this.read(node);
  }

  private read(node: SimulatedNode): void {
    node.trusted = trustedBy(node.disk);
    node.signer = signerOf(node.disk);
  }

  restartManager(node: SimulatedNode): void {
    node.managerSigner = managerSignerOf(node.disk);
  }

  /** A relying party may have been answered by the API server that trusts the least. Of keys that sign: nobody else's is served. */
  private serve(): void {
    let keys = FORMER | NEXT | SECOND;
    let isServed = false;
    for (const { up, trusted } of this.everyNode) {
      if (!up) continue;
      keys &= trusted;
      isServed = true;
    }
    if (isServed) this.replaceJwks(keys | FOREIGN);
  }

  /** Whoever looks at the public URL once may be answered by the API server that trusts the most. */
  get jwksAsSeen(): Keys {
    if (!this.options.served) return this.jwks;
    let keys = FOREIGN;
    for (const { up, trusted } of this.everyNode) if (up) keys |= trusted;
    return keys;
  }

  publish(keys: Keys): void {
    if (keys === this.jwks || this.options.served) return;
    this.replaceJwks(keys);
    this.jwksVersion += 1;
  }

  private replaceJwks(keys: Keys): void {
    if (keys === this.jwks) return;
    this.outdated = this.outdated.filter(({ untilMs }) => untilMs + this.options.cacheMs > this.nowMs);
    this.outdated.push({ keys: this.jwks, untilMs: this.nowMs });
    this.jwks = keys;
  }

  /** Keys that the slowest relying party has, whenever it has read. */
  jwksKnownEverywhere(): Keys {
    let keys = this.jwks;
    for (const { keys: cached, untilMs } of this.outdated) {
      if (untilMs + this.options.cacheMs > this.nowMs) keys &= cached;
    }
    return keys;
  }

  /**
   * Tokens in Secrets never end, and a slow client's lasts a year: somebody uses them. API servers accept them, relying parties never see
   * them. Slow clients are looked for on the way forward only.
   */
  keysOfFixedTokens(): Keys {
    return this.secrets.neededKeys() | (this.slowClientKey & FORMER);
  }

  makeKey(): Keys {
    return this.staged === 0 && this.record === null ? NEXT : SECOND;
  }

  saveMilestones(change: Partial<Record<keyof Milestones, string | undefined>>): void {
    if (this.record === null) return;
    const milestones = { ...this.record.milestones, ...change };
    for (const name of Object.keys(change) as (keyof Milestones)[]) {
      if (milestones[name] === undefined) delete milestones[name];
    }
    this.record = { ...this.record, milestones: milestones as Milestones };
  }
}

function tokenLifeUnder(drain: DrainPolicy): number {
  if (drain.policy === 'expiry') return YEAR_MS + SERVER_SKEW_MS;
  if (drain.policy === 'fixed' && drain.allowShorter !== undefined) return drain.durationMs - 5 * MINUTE_MS;
  return RELOADED_MS + SERVER_SKEW_MS;
}
