// Probe pods without a cluster: whoever starts one gets a token of the key that signs now, and a test refreshes it in kubelet's place.
import type { PodToken, ProbePod, ProbePodLeftover, ProbePodRole, ProbePods } from '../../src/probe-pods/port.ts';
import type { Kid } from '../../src/rotation/key.ts';
import type { ProbePodPlan } from '../../src/rotation/probe-pod-plan.ts';

export class FakeProbePods implements ProbePods {
  plan: ProbePodPlan = { tokenLifetimeMs: 3_600_000, awaitRefresh: true };
  readonly namespace = 'keyturn-verify';
  readonly audience = 'outside';
  readonly running = new Map<ProbePodRole, { readonly pod: ProbePod; token: PodToken }>();
  readonly #mint: () => Promise<PodToken>;
  #count = 0;

  /** @param mint what kubelet gets now */
  constructor(mint: () => Promise<PodToken>) {
    this.#mint = mint;
  }

  async missingPermissions() {
    return [];
  }

  async start(rotationId: string, role: ProbePodRole): Promise<ProbePod> {
    const found = this.running.get(role);
    if (found !== undefined) return found.pod;
    this.#count += 1;
    const name = `${rotationId}-${role}`;
    const pod = {
      name,
      description: `pod ${name}`,
      uid: `uid-${this.#count}`,
      node: 'node-1',
      createdAt: '2026-01-01T00:00:00Z',
    };
    this.running.set(role, { pod, token: await this.#mint() });
    return pod;
  }

  async find(_: string, role: ProbePodRole): Promise<ProbePod | null> {
    return this.running.get(role)?.pod ?? null;
  }

  async readToken({ uid }: ProbePod): Promise<PodToken> {
    const found = [...this.running.values()].find(({ pod }) => pod.uid === uid);
    if (found === undefined) throw new Error(`no pod ${uid}`);
    return found.token;
  }

  async refresh(role: ProbePodRole): Promise<Kid> {
    const found = this.running.get(role)!;
    found.token = await this.#mint();
    return found.token.kid;
  }

  async remove(_: string, role: ProbePodRole): Promise<void> {
    this.running.delete(role);
  }

  async removeAll(): Promise<number> {
    const { size } = this.running;
    this.running.clear();
    return size;
  }

  async leftovers(): Promise<readonly ProbePodLeftover[]> {
    return [...this.running.values()].map(({ pod }) => ({
      object: `pod/${pod.name}`,
      rotationId: 'abc',
      createdAt: pod.createdAt,
    }));
  }
}
