// The plan that moves a cluster from one issuer of its tokens to another: accepted everywhere first, then issuing, as a key is trusted before it signs.
import { drainSummary, type DrainComputation } from './drain.ts';
import { formatDuration, HOUR_MS } from './duration.ts';
import type { Problem } from './observation.ts';
import type { Plan, Step } from './plan.ts';

/** What can be done on the way from one issuer to another. */
export type IssuerActionType =
  | 'publishIssuer'
  | 'acceptIssuer'
  | 'switchIssuer'
  | 'switchIssuerBack'
  | 'verifyIssuer'
  | 'recreateTokenSecrets'
  | 'lookForFormerTokens'
  | 'forgetFormerIssuer'
  | 'forgetNewIssuer';

export interface IssuerMigration {
  /** Whose tokens are in use when it begins. */
  readonly from: string;
  readonly to: string;
  /** The platform's own issuer, which it accepts whatever is configured. */
  readonly fromIsDefault: boolean;
  /** Accepted besides when the migration began: they stay. */
  readonly acceptedBefore: readonly string[];
}

/** Control plane and system components of a Shoot get new tokens from Gardener within this time. */
const LEAST_DRAIN_MS = 12 * HOUR_MS;

/** A drain that was chosen for rotations may be shorter than what an issuer needs. */
export function findShortIssuerDrain({ totalMs, override }: DrainComputation): readonly Problem[] {
  if (totalMs >= LEAST_DRAIN_MS || override !== undefined) return [];
  return [
    {
      code: 'PREFLIGHT_REFUSED',
      subject: 'policies.drain',
      message: `The drain of ${formatDuration(totalMs)} is shorter than the ${formatDuration(LEAST_DRAIN_MS)} after which Gardener's own components have tokens of the new issuer. Lengthen it.`,
    },
  ];
}

export function issuerMigrationPlan(input: {
  readonly migration: IssuerMigration;
  readonly relyingPartyCacheMs: number;
  readonly drain: DrainComputation;
}): Plan {
  const { migration, relyingPartyCacheMs, drain } = input;
  return {
    version: 1,
    nodes: [],
    migration,
    waits: {
      relyingParties: {
        ms: relyingPartyCacheMs,
        explanation: `relying parties may hold an answer of the new issuer's address for ${formatDuration(relyingPartyCacheMs)} (policies.relyingPartyCache)`,
      },
      drain,
    },
    // Before the switch no relying party of the new issuer can accept a token.
    probed: [
      ['Verifying', 'Refreshing'],
      ['Untrusting', 'Untrusting'],
    ],
    limits: [
      `Relying parties must trust ${migration.to} before Signing: Keyturn cannot tell them (the gate signing asks in time).`,
      'API servers stand behind one address: they are asked through it, not one by one.',
    ],
    pointOfNoReturn: 'Untrusting',
    steps: stepsOf(migration, relyingPartyCacheMs, drain),
  };
}

function stepsOf({ from, to }: IssuerMigration, cacheMs: number, drain: DrainComputation): readonly Step[] {
  return [
    {
      id: 'publish-issuer',
      phase: 'Publishing',
      summary: `Publish the cluster's keys and the discovery document of ${to}, and read them back`,
      action: { type: 'publishIssuer' },
      guards: [],
      // Documents of an issuer that no token names harm nobody.
      undo: null,
    },
    {
      id: 'wait-for-relying-parties',
      phase: 'Publishing',
      summary: `Wait ${formatDuration(cacheMs)} until every relying party can read them`,
      action: { type: 'wait', wait: 'relyingParties' },
      guards: [],
      undo: null,
    },
    {
      id: 'accept-issuer',
      phase: 'Trusting',
      summary: `Have every API server accept ${to}; ${from} goes on issuing`,
      action: { type: 'acceptIssuer' },
      guards: [],
      undo: { action: { type: 'forgetNewIssuer' }, guards: [], summary: `Have no API server accept ${to} any more` },
    },
    {
      id: 'switch-issuer',
      phase: 'Signing',
      summary: `Have every API server issue as ${to}, and accept ${from} besides`,
      action: { type: 'switchIssuer' },
      guards: [],
      undo: {
        action: { type: 'switchIssuerBack' },
        guards: [],
        summary: `Have every API server issue as ${from} again`,
      },
    },
    {
      id: 'verify-issuer',
      phase: 'Verifying',
      summary: `Prove that tokens are of ${to} and are accepted inside and outside, and that those of ${from} still are inside`,
      action: { type: 'verifyIssuer' },
      guards: [],
      undo: null,
    },
    {
      id: 'recreate-token-secrets',
      phase: 'Refreshing',
      summary: 'Have tokens in Secrets minted anew where policies.legacyTokens asks for it',
      action: { type: 'recreateTokenSecrets' },
      guards: [],
      undo: null,
    },
    {
      id: 'drain',
      phase: 'Draining',
      summary: drainSummary(drain, 'issuer'),
      action: { type: 'wait', wait: 'drain' },
      guards: [],
      undo: null,
    },
    {
      id: 'look-for-former-tokens',
      phase: 'Draining',
      summary: `Look whether anybody goes on with tokens of ${from}`,
      action: { type: 'lookForFormerTokens' },
      guards: [],
      undo: null,
    },
    {
      id: 'forget-former-issuer',
      phase: 'Untrusting',
      summary: `Have no API server accept ${from} any more`,
      action: { type: 'forgetFormerIssuer' },
      guards: [],
      undo: null,
    },
  ];
}
