// Before the former issuer is forgotten: who goes on with old tokens is told, and asked about where the policy says so.
import { expect, test } from 'vitest';
import { lookForFormerTokens, type MigrationContext } from '../../src/activities/issuer-migration-steps.ts';
import type { VerifiedIssuer } from '../../src/platforms/port.ts';

const SWITCHED = '2026-06-02T12:00:00.000Z';
const NOW = '2026-06-04T12:00:00.000Z';

/** A Shoot whose API server has counted so many uses of tokens that were not reloaded. */
function contextOf(count: number, slowClients: 'report' | 'hold') {
  const shoot: { verified: VerifiedIssuer | null } = {
    verified: { at: SWITCHED, staleTokens: { at: SWITCHED, counts: [{ node: 'shoot', count: 5, startedAtMs: 1 }] } },
  };
  const context = {
    adapters: {
      policies: { slowClients },
      slowClients: { staleTokenCounts: async () => [{ node: 'shoot', count, startedAtMs: 1 }], auditLogs: [] },
    },
    issuers: {
      verified: async () => shoot.verified,
      remember: async (_: unknown, verified: VerifiedIssuer | null) => void (shoot.verified = verified),
    },
    input: { cluster: 'prod' },
    migration: { from: 'https://a.example', to: 'https://b.example', fromIsDefault: false, acceptedBefore: [] },
    control: { signal: new AbortController().signal, report: () => undefined },
    now: () => NOW,
  } as unknown as MigrationContext;
  return { context, shoot };
}

test('with nobody who goes on with old tokens it goes on', async () => {
  const { context, shoot } = contextOf(5, 'hold');
  const before = shoot.verified;
  expect(await lookForFormerTokens(context)).toMatchObject({ slowClients: { increases: [{ uses: 0 }] } });
  expect(shoot.verified).toEqual(before);
});

test('clients that do not reload are told', async () => {
  const { context } = contextOf(8, 'report');
  const { proof, slowClients } = await lookForFormerTokens(context);
  expect(proof).toMatch(/tokens that their clients did not reload.*3/);
  expect(slowClients).toMatchObject({ since: SWITCHED, increases: [{ node: 'shoot', uses: 3 }] });
});

test('with the policy hold they are asked about once, and a retry looks at what was seen since', async () => {
  const { context, shoot } = contextOf(8, 'hold');
  await expect(lookForFormerTokens(context)).rejects.toMatchObject({ code: 'SLOW_CLIENTS', subject: 'prod' });
  expect(shoot.verified).toEqual({
    at: SWITCHED,
    staleTokens: { at: NOW, counts: [{ node: 'shoot', count: 8, startedAtMs: 1 }] },
  });
  expect(await lookForFormerTokens(context)).toMatchObject({ slowClients: { increases: [{ uses: 0 }] } });
});
