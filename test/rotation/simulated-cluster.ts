// A cluster, its public JWKS and everyone who holds tokens or caches, reduced to what the order of steps can harm.
import { violations, type GuardFacts, type GuardName } from '../../src/rotation/guards.ts';
import type { Action, Plan, WaitType } from '../../src/rotation/plan.ts';
import type { Milestones } from '../../src/rotation/record.ts';
import { apiServer, FORMER, guardFacts, NEXT } from './observed-cluster.ts';

const FOREIGN = 'foreign-kid';

interface Node {
  trusted: readonly string[];
  signer: string;
  controllerManager: string;
  backedUp: boolean;
}

/** What is left when nobody looks at times: equal before a rotation and after it was taken back. */
export interface Remains {
  readonly nodes: readonly (Node & { readonly name: string })[];
  readonly jwks: readonly string[];
  readonly staged: string | null;
  readonly probePod: ProbePod | null;
}

/** Its token is as old as kubelet lets it become, which replaces it with whatever signs then. */
interface ProbePod {
  kid: string;
  mintedMs: number;
}

/** Guards that did not let a step start. */
export class Stopped extends Error {
  readonly transient: boolean;
  constructor(message: string, transient: boolean) {
    super(message);
    this.transient = transient;
  }
}
/** An invariant of the design was broken. */
export class Harm extends Error {}

export class SimulatedCluster {
  nowMs = 1_000_000_000;
  milestones: Milestones = {};
  private readonly plan: Plan;
  private readonly stepMs: number;
  /** Trusting publishes: each API server answers for itself. */
  private readonly servesItself: boolean;
  private readonly nodes: Map<string, Node>;
  private staged: string | null = null;
  private probePod: ProbePod | null = null;
  private jwks: readonly string[] = [FORMER.kid, FOREIGN];
  /** Every JWKS that was ever public, with the time until which it was. */
  private readonly outdated: { readonly jwks: readonly string[]; readonly untilMs: number }[] = [];
  private readonly lastMintedMs = new Map<string, number>();
  /** As recorded in the cluster. */
  private podWasRefreshed = false;

  /** @param stepMs how long a step takes */
  constructor(plan: Plan, stepMs = 60_000) {
    this.plan = plan;
    this.stepMs = stepMs;
    this.servesItself = plan.steps.some(({ action, phase }) => action.type === 'publishKey' && phase === 'Trusting');
    this.nodes = new Map(
      plan.nodes.map((name) => [
        name,
        { trusted: [FORMER.kid], signer: FORMER.kid, controllerManager: FORMER.kid, backedUp: false },
      ]),
    );
    this.mint();
  }

  copy(): SimulatedCluster {
    const copy = new SimulatedCluster(this.plan, this.stepMs);
    for (const [name, node] of this.nodes) copy.nodes.set(name, { ...node });
    copy.nowMs = this.nowMs;
    copy.milestones = this.milestones;
    copy.staged = this.staged;
    copy.probePod = this.probePod === null ? null : { ...this.probePod };
    copy.podWasRefreshed = this.podWasRefreshed;
    copy.jwks = this.jwks;
    copy.outdated.push(...this.outdated);
    for (const [kid, atMs] of this.lastMintedMs) copy.lastMintedMs.set(kid, atMs);
    return copy;
  }

  /** A run's own view of the waits: it begins anew with each run, from what was recorded. */
  waitsOfRun(): Partial<Record<WaitType, number>> {
    const { publishedAt, verifiedAt } = this.milestones;
    const { relyingParties, drain } = this.plan.waits;
    return {
      ...(publishedAt === undefined ? {} : { relyingParties: Date.parse(publishedAt) + relyingParties.ms }),
      ...(verifiedAt === undefined ? {} : { drain: Date.parse(verifiedAt) + drain.totalMs }),
    };
  }

  remains(): Remains {
    return {
      nodes: [...this.nodes].map(([name, node]) => ({ name, ...node })),
      jwks: [...new Set(this.views().flat())].toSorted(),
      staged: this.staged,
      probePod: this.probePod,
    };
  }

  /** As `verifyWithPod` tells it: since when the pod holds a token that kubelet has still to replace; null where it has not. */
  podTokenSince(): string | null {
    const pod = this.probePod;
    return pod === null || pod.kid === NEXT.kid ? null : new Date(pod.mintedMs).toISOString();
  }

  /** @throws Stopped */
  demand(guards: readonly GuardName[], action: Action, waits: ReturnType<SimulatedCluster['waitsOfRun']>): void {
    const facts: GuardFacts = guardFacts({
      nowMs: this.nowMs,
      node: 'node' in action ? action.node : null,
      apiServers: [...this.nodes].map(([name, { trusted, signer }]) =>
        apiServer(name, { trusted: trusted.map((kid) => ({ kid, alg: 'RS256' as const })), signingKid: signer }),
      ),
      // Whichever API server answers: the one that a guard would rather see.
      publicKids: [...new Set(this.views().flat())],
      stagedKid: this.staged,
      relyingPartiesUntilMs: waits.relyingParties ?? null,
      drainUntilMs: waits.drain ?? null,
      drainNextUntilMs: waits.drainNext ?? null,
      policies: { allowSingleApiServer: this.plan.nodes.length === 1, legacyTokens: 'hold' },
    });
    const failed = violations(guards, facts);
    if (failed.length === 0) return;
    const reasons = failed.map(({ guard, reason }) => `${guard}: ${reason}`).join('; ');
    throw new Stopped(
      reasons,
      failed.every(({ transient }) => transient),
    );
  }

  /** Does what the step's activity does, and then looks whether anyone was harmed. @throws Harm */
  act(action: Action, waits: ReturnType<SimulatedCluster['waitsOfRun']>): void {
    this.mint();
    this.refreshPod();
    if (action.type === 'wait') {
      const { relyingParties, drain } = this.plan.waits;
      if (action.wait === 'drainNext') waits.drainNext ??= this.nowMs + drain.totalMs;
      // What has not begun is not waited for: the guards must notice.
      const until = waits[action.wait] ?? this.nowMs;
      if (until - this.nowMs > Math.max(relyingParties.ms, drain.totalMs)) throw new Error('waits longer than planned');
      this.nowMs = Math.max(this.nowMs, until);
    } else {
      this.nowMs += this.stepMs;
      const node = 'node' in action ? this.nodes.get(action.node) : undefined;
      if (node === undefined) this.changeCluster(action.type, waits);
      else {
        const shown = this.shownBy(node);
        this.changeNode(node, action.type);
        if (this.servesItself && shown.join() !== this.shownBy(node).join())
          this.outdated.push({ jwks: shown, untilMs: this.nowMs });
      }
    }
    this.mint();
    this.refreshPod();
    this.assertNobodyIsHarmed();
  }

  /** The worker dies between what the step does and what it records of it. @throws Harm */
  actHalf(action: Action, waits: ReturnType<SimulatedCluster['waitsOfRun']>): void {
    const recordsFirst = [
      'untrust',
      'signWithFormer',
      'retire',
      'removeProbePod',
      'provePodRefresh',
      ...(this.servesItself ? ['distrust'] : []),
    ].includes(action.type);
    const recorded = this.milestones;
    const nodes = new Map([...this.nodes].map(([name, node]) => [name, { ...node }]));
    const { staged, probePod } = this;
    this.act(action, waits);
    if (!recordsFirst) {
      this.milestones = recorded;
      return;
    }
    this.staged = staged;
    this.probePod = probePod;
    for (const [name, node] of nodes) this.nodes.set(name, node);
  }

  private changeNode(node: Node, type: Action['type']): void {
    const { verifiedAt: _, ...unverified } = this.milestones;
    const { publishedAt: __, ...unpublished } = this.milestones;
    switch (type) {
      case 'backUp':
        node.backedUp = true;
        break;
      case 'removeBackUp':
        node.backedUp = false;
        break;
      case 'trust':
        node.trusted = [...new Set([...node.trusted, NEXT.kid])];
        break;
      case 'distrust':
        if (this.servesItself) this.milestones = unpublished;
        node.trusted = node.trusted.filter((kid) => kid !== NEXT.kid);
        break;
      case 'sign':
        node.signer = NEXT.kid;
        break;
      case 'signWithFormer':
        this.milestones = unverified;
        node.signer = FORMER.kid;
        break;
      case 'switchControllerManager':
        node.controllerManager = NEXT.kid;
        break;
      case 'restoreControllerManager':
        node.controllerManager = FORMER.kid;
        break;
      case 'untrust':
        this.milestones = { ...this.milestones, untrustingAt: this.time() };
        node.trusted = node.trusted.filter((kid) => kid !== FORMER.kid);
        break;
      default:
    }
  }

  private changeCluster(type: Action['type'], waits: ReturnType<SimulatedCluster['waitsOfRun']>): void {
    const { publishedAt, prunedAt: _, ...others } = this.milestones;
    const { relyingParties, drain } = this.plan.waits;
    switch (type) {
      case 'stageKey':
        this.staged = NEXT.kid;
        break;
      case 'discardKey':
        this.staged = null;
        break;
      case 'publishKey': {
        const changed = this.publish([...this.jwks, FORMER.kid, NEXT.kid]);
        this.milestones = { ...this.milestones, publishedAt: (changed ? undefined : publishedAt) ?? this.time() };
        waits.relyingParties = Date.parse(this.milestones.publishedAt ?? '') + relyingParties.ms;
        break;
      }
      case 'withdrawKey':
        this.publish(this.jwks.filter((kid) => kid !== NEXT.kid));
        this.milestones = others;
        break;
      case 'verify':
        this.milestones = { ...this.milestones, verifiedAt: this.milestones.verifiedAt ?? this.time() };
        waits.drain = Date.parse(this.milestones.verifiedAt ?? '') + drain.totalMs;
        break;
      case 'pruneKey':
        this.publish(this.jwks.filter((kid) => kid !== FORMER.kid));
        this.milestones = { ...this.milestones, prunedAt: this.time() };
        break;
      case 'republishFormer':
        this.publish([...this.jwks, FORMER.kid]);
        this.milestones = { ...others, ...(publishedAt === undefined ? {} : { publishedAt }) };
        // A former key that never left the JWKS is not waited for.
        if (!this.servesItself) waits.relyingParties = this.nowMs + relyingParties.ms;
        break;
      case 'startProbePod':
        if (!this.podWasRefreshed) this.startPod();
        break;
      case 'removeProbePod':
        this.podWasRefreshed = false;
        this.probePod = null;
        break;
      case 'verifyWithPod':
        if (this.probePod !== null && this.probePod.kid !== NEXT.kid) waits.kubelet = this.kubeletDueMs(this.probePod);
        break;
      case 'provePodRefresh':
        if (!this.podWasRefreshed && this.probePod?.kid !== NEXT.kid) {
          throw new Stopped(`kubelet has not refreshed: ${this.probePod?.kid ?? 'no pod'}`, false);
        }
        this.podWasRefreshed = true;
        this.probePod = null;
        break;
      case 'beginRotation':
        this.milestones = { ...this.milestones, begunAt: this.milestones.begunAt ?? this.time() };
        // A platform that was told to begin need not wait for anybody to follow it.
        if (this.staged !== null) this.switchAll(NEXT.kid);
        break;
      case 'followRotation':
        this.switchAll(NEXT.kid);
        if (this.publishesLate) this.publishNow(waits);
        if (!this.hasDrain) this.forgetAll(FORMER.kid);
        break;
      case 'takeBackRotation': {
        const { verifiedAt: __, ...unverified } = this.milestones;
        this.milestones = unverified;
        this.switchAll(FORMER.kid);
        break;
      }
      case 'forgetNext': {
        this.forgetAll(NEXT.kid);
        const { begunAt: __, ...unbegun } = this.milestones;
        this.milestones = unbegun;
        break;
      }
      case 'forgetFormer':
        this.milestones = { ...this.milestones, untrustingAt: this.milestones.untrustingAt ?? this.time() };
        this.forgetAll(FORMER.kid);
        break;
      case 'retire':
        this.milestones = { ...this.milestones, untrustedAt: this.time() };
        this.staged = null;
        for (const node of this.nodes.values()) node.backedUp = false;
        break;
      default:
    }
  }

  /** A platform has every API server trust the key, and then sign with it. */
  private switchAll(kid: string): void {
    for (const node of this.nodes.values()) {
      node.trusted = [...new Set([...node.trusted, kid])];
      node.signer = kid;
      node.controllerManager = kid;
    }
  }

  private forgetAll(kid: string): void {
    for (const node of this.nodes.values()) node.trusted = node.trusted.filter((trusted) => trusted !== kid);
  }

  private publishNow(waits: ReturnType<SimulatedCluster['waitsOfRun']>): void {
    this.publish([...this.jwks, FORMER.kid, NEXT.kid]);
    this.milestones = { ...this.milestones, publishedAt: this.milestones.publishedAt ?? this.time() };
    waits.relyingParties = Date.parse(this.milestones.publishedAt ?? '') + this.plan.waits.relyingParties.ms;
  }

  /** True where the new key cannot be public before it signs: what relying parties refuse until then is no defect of the plan. */
  private get publishesLate(): boolean {
    return !this.plan.steps.some(({ action }) => action.type === 'publishKey');
  }

  private get hasDrain(): boolean {
    return this.plan.steps.some(({ action }) => action.type === 'wait' && action.wait === 'drain');
  }

  /** Some API server, of which kubelet knows one. */
  private signer(): string {
    return [...this.nodes.values()].at(-1)?.signer ?? '';
  }

  private startPod(): void {
    if (this.probePod !== null) return;
    if (this.signer() !== FORMER.kid) throw new Stopped(`the pod was started too late: ${this.signer()} signs`, false);
    this.probePod = { kid: FORMER.kid, mintedMs: this.nowMs };
  }

  private kubeletDueMs({ mintedMs }: ProbePod): number {
    return mintedMs + (this.plan.waits.kubelet?.ms ?? 0);
  }

  /** At the last moment that it may. */
  private refreshPod(): void {
    const pod = this.probePod;
    if (pod !== null && this.nowMs >= this.kubeletDueMs(pod))
      this.probePod = { kid: this.signer(), mintedMs: this.nowMs };
  }

  private shownBy({ trusted }: Node): readonly string[] {
    return [...trusted, FOREIGN];
  }

  /** What a relying party may be given now. */
  private views(): readonly (readonly string[])[] {
    return this.servesItself ? [...this.nodes.values()].map((node) => this.shownBy(node)) : [this.jwks];
  }

  private publish(kids: readonly string[]): boolean {
    if (this.servesItself) return false;
    const next = [...new Set(kids)];
    if (next.join() === this.jwks.join()) return false;
    this.outdated.push({ jwks: this.jwks, untilMs: this.nowMs });
    this.jwks = next;
    return true;
  }

  /** At every moment every API server signs something. (What controller managers sign never expires: a guard of its own looks at it.) */
  private mint(): void {
    for (const { signer } of this.nodes.values()) this.lastMintedMs.set(signer, this.nowMs);
  }

  private time(): string {
    return new Date(this.nowMs).toISOString();
  }

  private assertNobodyIsHarmed(): void {
    const { relyingParties, drain } = this.plan.waits;
    const isTheirs = (kid: string) => this.hasDrain || kid !== FORMER.kid;
    const used = [...this.lastMintedMs]
      .filter(([kid, atMs]) => this.nowMs < atMs + drain.totalMs && isTheirs(kid))
      .map(([kid]) => kid);
    const cached = this.outdated.filter(
      ({ untilMs }) => !this.publishesLate && this.nowMs < untilMs + relyingParties.ms,
    );
    for (const kid of used) {
      for (const [name, { trusted }] of this.nodes) {
        if (!trusted.includes(kid)) throw new Harm(`invariant 1: ${name} rejects a token of ${kid} that is in use`);
      }
      for (const jwks of [...this.views(), ...cached.map((former) => former.jwks)]) {
        if (!jwks.includes(kid)) throw new Harm(`invariant 1: a relying party rejects a token of ${kid}`);
      }
    }
    for (const [name, { signer, controllerManager }] of this.nodes) {
      for (const kid of [signer, controllerManager]) {
        const stranger = [...this.nodes].find(([, { trusted }]) => !trusted.includes(kid))?.[0];
        if (stranger !== undefined) throw new Harm(`invariant 2: ${name} signs with ${kid}, which ${stranger} lacks`);
        if (this.views().some((jwks) => !jwks.includes(kid)))
          throw new Harm(`invariant 2: ${name} signs with ${kid}, which is not public`);
      }
    }
    if (this.views().some((jwks) => !jwks.includes(FOREIGN))) throw new Harm('invariant 5: a foreign key was lost');
  }
}
