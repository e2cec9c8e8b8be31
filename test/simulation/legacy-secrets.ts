// Tokens in Secrets, which never end: who uses them, and what a rotation sees of that.
import type { LegacyTokenPolicies } from '../../src/rotation/legacy-tokens.ts';
import type { LegacyToken } from '../../src/rotation/observation.ts';
import { FORMER, kidOf, type Keys } from './keys.ts';

export interface SecretPlan {
  readonly policy: 'hold' | 'refresh' | 'keep';
  /** Somebody uses the token. */
  readonly used: boolean;
  /** Whoever uses it takes a successor into use, once there is one. */
  readonly moves: boolean;
}

interface Secret extends SecretPlan {
  readonly name: string;
  key: Keys;
  needed: boolean;
  readonly successorOf: string | null;
  byKeyturn: boolean;
}

export class LegacySecrets {
  private all: Secret[];

  constructor(plans: readonly SecretPlan[]) {
    this.all = plans.map((plan, index) => ({
      ...plan,
      name: `${plan.policy}-${index + 1}`,
      key: FORMER,
      needed: plan.used,
      successorOf: null,
      byKeyturn: false,
    }));
  }

  /** The rules that keyturn.yaml would have. */
  policies(): LegacyTokenPolicies {
    const overrides = this.all.map(({ name, policy }) => ({ namespace: 'default', secret: name, policy }));
    return { default: 'hold', overrides };
  }

  /** Of tokens that must not die: `keep` says that they may. */
  neededKeys(): Keys {
    let keys = 0;
    for (const { needed, policy, key } of this.all) if (needed && policy !== 'keep') keys |= key;
    return keys;
  }

  /** @param day today, when whoever uses one has used it */
  observe(day: string): readonly LegacyToken[] {
    return this.all.map(({ name, key, needed, successorOf, byKeyturn }) => ({
      namespace: 'default',
      name,
      kid: kidOf(key),
      lastUsed: needed ? day : null,
      serviceAccount: 'app',
      immutable: false,
      successorOf,
      rotationId: byKeyturn ? 'abc' : null,
      references: needed ? [{ kind: 'Deployment', name, how: 'volume', running: true }] : [],
    }));
  }

  /** Somebody makes a Secret and uses what the controller manager puts there. */
  make(key: Keys): void {
    const name = `made-${this.all.length + 1}`;
    const plan = { policy: 'hold', used: true, moves: false } as const;
    this.all.push({ ...plan, name, key, needed: true, successorOf: null, byKeyturn: false });
  }

  makeSuccessor(of: string, key: Keys): void {
    if (this.all.some(({ successorOf }) => successorOf === of)) return;
    const former = this.find(of);
    if (former === undefined) return;
    this.all.push({ ...former, name: `${of}-successor`, key, needed: false, successorOf: of, byKeyturn: true });
  }

  /** Those who move have moved by now. */
  move(): void {
    for (const successor of this.all) {
      const former = successor.successorOf === null ? undefined : this.find(successor.successorOf);
      if (former?.moves !== true || !former.needed) continue;
      former.needed = false;
      successor.needed = true;
    }
  }

  /** @param byKeyturn the note of the rotation, which the way back goes by and takes off */
  remint(name: string, key: Keys, byKeyturn: boolean): void {
    const secret = this.find(name);
    if (secret === undefined) return;
    secret.key = key;
    secret.byKeyturn = byKeyturn;
  }

  remove(name: string): void {
    this.all = this.all.filter((each) => each.name !== name);
  }

  /** Their users get other tokens, and the Secrets are deleted. */
  removeOf(key: Keys): void {
    this.all = this.all.filter((each) => each.key !== key || each.policy === 'keep');
  }

  names(): string {
    return this.all.map(({ name, key }) => `${name}=${key}`).join();
  }

  private find(name: string): Secret | undefined {
    return this.all.find((each) => each.name === name);
  }
}
