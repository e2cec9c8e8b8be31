// An issuer that API servers serve: what counts as published, since when, and what is remembered of it. The public address is a real web server.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClusterAdapters } from '../../src/activities/cluster-adapters.ts';
import {
  confirmServed,
  giveUpServed,
  keepServed,
  noteWhereNotServed,
  proveUnused,
} from '../../src/activities/served-issuer-steps.ts';
import type { StepContext } from '../../src/activities/step-frame.ts';
import { createTrustingFetch } from '../../src/publishers/trusting-fetch.ts';
import type { Milestones } from '../../src/rotation/record.ts';
import { unfinishedRecord } from '../rotation/observed-cluster.ts';
import { serveFolder, type WebServer } from '../fixtures/web-server.ts';

const NOW = '2026-02-01T00:00:00.000Z';
const BEFORE = '2026-01-31T00:00:00.000Z';

let directory: string;
let web: WebServer;
let jwksUrl: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-served-'));
  web = await serveFolder(directory);
  jwksUrl = `${web.url}/jwks`;
});
afterEach(async () => {
  await web.stop();
  await rm(directory, { recursive: true, force: true });
});

async function show(...kids: string[]): Promise<void> {
  await writeFile(path.join(directory, 'jwks'), JSON.stringify({ keys: kids.map((kid) => ({ kid })) }));
}

/** @param onWait runs each time that the step says that it waits */
function contextOf(milestones: Milestones, onWait: (words: string) => Promise<void> | void = () => undefined) {
  const record = unfinishedRecord({ milestones });
  const stopping = new AbortController();
  const saved: Milestones[] = [];
  const waits: string[] = [];
  const context = {
    adapters: {
      platform: { capabilities: { ordering: 'staged', rollBack: true } },
      publicIssuer: { jwksUrl, discoveryUrl: '', fetch: createTrustingFetch() },
    } as unknown as ClusterAdapters,
    input: {} as StepContext['input'],
    record,
    now: () => NOW,
    control: {
      signal: stopping.signal,
      report: (words: string) => {
        waits.push(words);
        void onWait(words);
      },
    },
    saveRecord: async (change: { readonly milestones?: Milestones }) => {
      saved.push(change.milestones ?? {});
    },
  } as StepContext;
  return { context, saved, waits, stopping };
}

describe('that every API server serves the new key', () => {
  test('counts from now where the public address shows it', async () => {
    await show('former-kid', 'next-kid');
    const { context, saved, waits } = contextOf({});
    expect(await confirmServed(context)).toEqual({
      changed: true,
      at: NOW,
      proof: `every API server serves next-kid, and ${jwksUrl} shows it`,
    });
    expect(saved).toEqual([{ publishedAt: NOW }]);
    expect(waits).toEqual([]);
  });

  test('counts from then where it was proven before: a second run waits no longer', async () => {
    await show('next-kid');
    const { context, saved } = contextOf({ publishedAt: BEFORE });
    expect(await confirmServed(context)).toMatchObject({ changed: false, at: BEFORE });
    expect(saved).toEqual([{ publishedAt: BEFORE }]);
  });

  test('counts anew where it was seen missing meanwhile, and that is forgotten then', async () => {
    await show('next-kid');
    const { context, saved } = contextOf({ publishedAt: BEFORE, keyMissingAt: BEFORE });
    expect(await confirmServed(context)).toMatchObject({ changed: true, at: NOW });
    expect(saved).toEqual([{ publishedAt: NOW }]);
  });

  test('is waited for behind a cache, and counts from when it shows', async () => {
    await show('former-kid');
    const { context, waits } = contextOf({ publishedAt: BEFORE }, () => show('former-kid', 'next-kid'));
    expect(await confirmServed(context)).toMatchObject({ changed: true, at: NOW });
    expect(waits).toEqual([`waiting until ${jwksUrl} shows next-kid`]);
  });

  test('is waited for until the step is stopped', async () => {
    await show('former-kid');
    const { context, saved, stopping } = contextOf({}, () => stopping.abort());
    await expect(confirmServed(context)).rejects.toMatchObject({ name: 'AbortError' });
    expect(saved).toEqual([]);
  });

  test('is not believed where the public address is closed', async () => {
    await show('next-kid');
    web.isPublic = false;
    const { context, saved } = contextOf({});
    await expect(confirmServed(context)).rejects.toMatchObject({ code: 'JWKS_NOT_PUBLIC', retryable: false });
    expect(saved).toEqual([]);
  });
});

describe('before an API server is taught the new key', () => {
  const trusting = (...kids: readonly string[]) => ({
    apiServers: [{ node: 'node-1', publishedKeys: async () => kids.map((kid) => ({ kid, alg: 'RS256' })) }],
  });
  const teach = (milestones: Milestones, adapters: object) => {
    const { context, saved } = contextOf(milestones);
    const input = { node: 'node-1' } as StepContext['input'];
    return { saved, note: noteWhereNotServed({ ...context, input, adapters: adapters as ClusterAdapters }) };
  };

  test.each<{ when: string; milestones: Milestones; kids: string[]; expected: Milestones[] }>([
    { when: 'nothing is noted the first time', milestones: {}, kids: ['former-kid'], expected: [] },
    {
      when: 'it is noted that one answered relying parties without it after it counted as public',
      milestones: { publishedAt: BEFORE },
      kids: ['former-kid'],
      expected: [{ publishedAt: BEFORE, keyMissingAt: NOW }],
    },
    {
      when: 'nothing is noted of one that has it',
      milestones: { publishedAt: BEFORE },
      kids: ['next-kid'],
      expected: [],
    },
    {
      when: 'what is noted stays',
      milestones: { publishedAt: BEFORE, keyMissingAt: BEFORE },
      kids: ['former-kid'],
      expected: [],
    },
  ])('$when', async ({ milestones, kids, expected }) => {
    const { saved, note } = teach(milestones, trusting(...kids));
    await note;
    expect(saved).toEqual(expected);
  });

  test('one that does not answer is asked again', async () => {
    const away = {
      apiServers: [{ node: 'node-1', publishedKeys: () => Promise.reject(new Error('ECONNREFUSED')) }],
    };
    const { saved, note } = teach({ publishedAt: BEFORE }, away);
    await expect(note).rejects.toThrow('ECONNREFUSED');
    expect(saved).toEqual([]);
  });
});

test('before the first API server forgets the new key it no longer counts as public', async () => {
  const { context, saved } = contextOf({ publishedAt: BEFORE, keyMissingAt: BEFORE, verifiedAt: BEFORE });
  await giveUpServed(context);
  expect(saved).toEqual([{ verifiedAt: BEFORE }]);
});

describe('Pruning', () => {
  test('is evidence alone: the JWKS is asked for nothing, and what was lost is over', async () => {
    const { context, saved } = contextOf({ publishedAt: BEFORE, keyMissingAt: BEFORE, otherSignerAt: BEFORE });
    expect(await proveUnused(context)).toEqual({
      changed: true,
      proof: `no controller manager signs legacy tokens; ${jwksUrl} forgets former-kid with the API servers`,
    });
    expect(saved).toEqual([{ publishedAt: BEFORE, prunedAt: NOW }]);
  });

  test('a second time changes nothing', async () => {
    const { context, saved } = contextOf({ prunedAt: BEFORE });
    expect(await proveUnused(context)).toMatchObject({ changed: false });
    expect(saved).toEqual([{ prunedAt: BEFORE }]);
  });

  test('taken back, no cache has to be waited out: the former key never left, and the new one counts from when it was public', async () => {
    const { context, saved } = contextOf({ publishedAt: BEFORE, prunedAt: NOW });
    expect(await keepServed(context)).toEqual({
      changed: true,
      proof: `${jwksUrl} still shows former-kid`,
      at: BEFORE,
    });
    expect(saved).toEqual([{ publishedAt: BEFORE }]);
  });
});
