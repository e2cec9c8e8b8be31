// The steps with a probe pod, with real tokens and a real relying party; only the pods are not there.
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterAdapters } from '../../src/activities/cluster-adapters.ts';
import { provePodRefresh, removeProbePod, startProbePod, verifyWithPod } from '../../src/activities/probe-pod-steps.ts';
import type { StepContext, StepOutcome } from '../../src/activities/step-frame.ts';
import type { RecordWithNext } from '../../src/rotation/record.ts';
import { FakeProbePods } from '../fakes/probe-pods.ts';
import { unfinishedRecord } from '../rotation/observed-cluster.ts';

const ISSUER = 'https://issuer.example';
const HOUR = 3_600_000;

const keys = new Map<string, CryptoKey>();
let jwks: JWK[];
let nowMs: number;
let signer: string;
let audience: string;
let pods: FakeProbePods;
let record: RecordWithNext;
const given: StepOutcome[] = [];

beforeAll(async () => {
  jwks = [];
  for (const kid of ['former-kid', 'next-kid']) {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    keys.set(kid, privateKey);
    jwks.push({ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' });
  }
});

beforeEach(() => {
  nowMs = Date.now();
  signer = 'former-kid';
  audience = 'outside';
  record = unfinishedRecord();
  pods = new FakeProbePods(mint);
});

/** As an API server that signs with `signer` gives it to kubelet. */
async function mint() {
  const issuedAt = Math.floor(nowMs / 1000) * 1000;
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'RS256', kid: signer })
    .setIssuer(ISSUER)
    .setAudience(audience)
    .setIssuedAt(issuedAt / 1000)
    .setExpirationTime((issuedAt + HOUR) / 1000)
    .sign(keys.get(signer)!);
  return { token, kid: signer, issuedAt, expiresAt: issuedAt + HOUR };
}

function context(probePods: FakeProbePods | null = pods): StepContext {
  const publicIssuer = {
    jwksUrl: `${ISSUER}/openid/v1/jwks`,
    discoveryUrl: ISSUER,
    fetch: async () =>
      new Response(JSON.stringify({ keys: jwks }), { headers: { 'content-type': 'application/json' } }),
  };
  return {
    adapters: { name: 'prod', issuer: ISSUER, publicIssuer, probePods } as unknown as ClusterAdapters,
    input: {} as StepContext['input'],
    record,
    control: { signal: new AbortController().signal, report: () => undefined },
    now: () => new Date(nowMs).toISOString(),
    saveRecord: async (change) => {
      record = { ...record, ...change } as RecordWithNext;
    },
  };
}

async function run(step: (each: StepContext) => Promise<StepOutcome>): Promise<StepOutcome> {
  const outcome = await step(context());
  given.push(outcome);
  return outcome;
}
const failureOf = (step: (each: StepContext) => Promise<StepOutcome>, probePods: FakeProbePods | null = pods) =>
  step(context(probePods)).then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error as Error,
  );

describe('the whole way', () => {
  it('shows the same pod with a token of the new key, and leaves nothing', async () => {
    expect(await run(startProbePod)).toMatchObject({ changed: true });
    expect(await run(startProbePod)).toMatchObject({ changed: false });
    signer = 'next-kid';
    const verified = await run(verifyWithPod);
    expect(verified.proof).toContain('got a token of next-kid, which a relying party accepts');
    expect(verified.proof).toContain('of former-kid, is accepted too');
    expect(Date.parse(verified.podTokenSince ?? '')).toBe(Math.floor(nowMs / 1000) * 1000);
    expect([...pods.running.keys()]).toEqual(['lasting']);

    expect(await pods.refresh('lasting')).toBe('next-kid');
    expect(await run(verifyWithPod)).not.toHaveProperty('podTokenSince');
    const proven = await run(provePodRefresh);
    expect(proven.proof).toMatch(/^pod abc-lasting, which runs since 2026.* holds a token of next-kid .* by kubelet/);
    expect([...pods.running.keys()]).toEqual([]);
    for (const outcome of given) expect(JSON.stringify(outcome)).not.toContain('eyJ');
  });

  it('may die after each step: what was shown is not looked for again', async () => {
    await run(startProbePod);
    signer = 'next-kid';
    await pods.refresh('lasting');
    const first = await run(provePodRefresh);
    expect(first.changed).toBe(true);
    for (const step of [startProbePod, verifyWithPod, provePodRefresh]) await run(step);
    expect(given.at(-1)).toMatchObject({ changed: false, proof: expect.stringContaining('uid-1 was shown') });
    expect([...pods.running.keys()]).toEqual([]);
    await run(removeProbePod);
    expect(record.probePod).toEqual({ uid: 'uid-1' });
  });

  it('without a refresh needs the new pod only', async () => {
    pods.plan = { ...pods.plan, awaitRefresh: false };
    expect(await run(startProbePod)).toMatchObject({ changed: false });
    signer = 'next-kid';
    expect(await run(verifyWithPod)).not.toHaveProperty('podTokenSince');
    expect((await run(provePodRefresh)).proof).toContain('awaitRefresh');
    expect([...pods.running.keys()]).toEqual([]);
  });

  it('goes on without the refresh where that was switched off meanwhile, and removes the pod', async () => {
    await run(startProbePod);
    signer = 'next-kid';
    pods.plan = { ...pods.plan, awaitRefresh: false };
    await run(verifyWithPod);
    await run(provePodRefresh);
    expect([...pods.running.keys()]).toEqual([]);
  });
});

describe('it is held where', () => {
  it('a relying party refuses the pod for its audience, before anything was changed', async () => {
    audience = 'somebody-else';
    expect(await failureOf(startProbePod)).toMatchObject({ code: 'TOKEN_REJECTED', retryable: false });
    expect(record.probePod).toBeUndefined();
  });

  it('the pod is started when the new key signs already', async () => {
    signer = 'next-kid';
    expect(await failureOf(startProbePod)).toMatchObject({ code: 'PROBE_POD_LOST' });
  });

  it('a new pod gets a token of the former key; the new pod is removed all the same', async () => {
    await run(startProbePod);
    expect(await failureOf(verifyWithPod)).toMatchObject({
      code: 'EFFECT_MISSING',
      details: { kid: 'former-kid', expectedKid: 'next-kid' },
    });
    expect([...pods.running.keys()]).toEqual(['lasting']);
  });

  it('a relying party does not have the new key', async () => {
    signer = 'next-kid';
    const complete = jwks;
    jwks = jwks.filter(({ kid }) => kid !== 'next-kid');
    const error = await failureOf(verifyWithPod);
    jwks = complete;
    expect(error).toMatchObject({ code: 'TOKEN_REJECTED' });
    expect(error.message).toContain('ERR_JWKS_NO_MATCHING_KEY');
    expect(error.message).not.toContain('eyJ');
  });

  it.each([
    ['is gone', () => pods.running.delete('lasting'), 'it is gone'],
    [
      'is another one of the same name',
      () => void (record = { ...record, probePod: { uid: 'uid-of-before' } }),
      'it is not the pod that was started before',
    ],
  ])('the pod from before %s', async (_, change, why) => {
    await run(startProbePod);
    signer = 'next-kid';
    change();
    for (const step of [verifyWithPod, provePodRefresh]) {
      const error = await failureOf(step);
      expect(error).toMatchObject({ code: 'PROBE_POD_LOST', retryable: false });
      expect(error.message).toContain(why);
      expect(error.message).toContain('verification.pod.awaitRefresh');
    }
  });

  // 80 % of 1 h, 10 s and 90 s; and 5 min for clocks that differ.
  it.each([
    ['asked again while clocks may differ', 49 * 60_000 + 40_000 + 299_000, true],
    ['told to a person after that', 49 * 60_000 + 40_000 + 301_000, false],
  ])('kubelet has not brought a new token: %s', async (_, laterMs, retryable) => {
    await run(startProbePod);
    const minted = Math.floor(nowMs / 1000) * 1000;
    signer = 'next-kid';
    nowMs = minted + laterMs;
    const error = await failureOf(provePodRefresh);
    expect(error).toMatchObject({
      code: 'TOKEN_NOT_REFRESHED',
      retryable,
      details: { kid: 'former-kid', due: new Date(minted + 2_980_000).toISOString() },
    });
    expect([...pods.running.keys()]).toEqual(['lasting']);
  });

  it('no probe pod is configured any more, since what was made could not be found', async () => {
    for (const step of [startProbePod, removeProbePod, verifyWithPod, provePodRefresh]) {
      expect(await failureOf(step, null)).toMatchObject({ code: 'CONFIG_INVALID', subject: 'verification.pod' });
    }
  });
});
