// What keeps a rotation from starting: pure checks over everything that was observed, each named for what it finds, all reported at once.
import type { ManagedCapabilities } from './capabilities.ts';
import { apiServersDisagree } from './disagreement.ts';
import type { DrainComputation, DrainRefusal } from './drain.ts';
import { formatDuration, MINUTE_MS } from './duration.ts';
import type { LegacyTokenReport } from './legacy-token-report.ts';
import type { KeyAlgorithm, KeyRef, Kid } from './key.ts';
import type { ControlPlaneObservation, Problem } from './observation.ts';
import {
  findFullKeySets,
  findMirrorProblems,
  findOtherServer,
  findShortCacheWait,
  type CacheWait,
  type KeyLimit,
  type MirrorFacts,
  type Serving,
} from './publication-checks.ts';
import { isUnfinished, type RotationRecord } from './record.ts';

/** The drain's arithmetic allows for clocks that differ by this. */
const MAX_CLOCK_SKEW_MS = 5 * MINUTE_MS;

/** Everything that Preflight looked at. What could not be observed is null and stands in `observationProblems`. */
export interface PreflightFacts {
  readonly controlPlane: ControlPlaneObservation;
  /** Trouble while observing the rest: publisher, key store, permissions. */
  readonly observationProblems: readonly Problem[];
  readonly issuer: string;
  /** Issuer in the public discovery document; null where there is no document. */
  readonly publicIssuer: string | null;
  /** `jwks_uri` in it. */
  readonly publicJwksUri: string | null;
  /** Keys at the public URL; null where they could not be read. */
  readonly publicKids: readonly Kid[] | null;
  readonly publicUrl: string;
  /** Default: none. */
  readonly mirrors?: readonly MirrorFacts[];
  /** How the JWKS is served where it could be read, the issuer's own place first. Default: not looked at. */
  readonly servings?: readonly Serving[];
  readonly relyingPartyCache?: CacheWait;
  /** Default: documents are written. */
  readonly publishing?: 'by-trusting';
  /** Of the named relying parties. Default: none. */
  readonly keyLimits?: readonly KeyLimit[];
  /** Addresses in the EndpointSlice `default/kubernetes`; empty where it says nothing. */
  readonly endpointAddresses: readonly string[];
  readonly clockSkewMs: Readonly<Record<string, number>>;
  readonly record: RotationRecord | null;
  /** The key in the key store; null where none is staged yet. */
  readonly staged: KeyRef | null;
  /** Algorithm that the new key will have; null where the key could not be read. */
  readonly nextAlg: KeyAlgorithm | null;
  /** Named relying parties that refuse `nextAlg`. */
  readonly refusedBy: readonly string[];
  readonly drain: DrainComputation | DrainRefusal;
  readonly allowSingleApiServer: boolean;
  /** Default `supplied`. */
  readonly newKey?: ManagedCapabilities['newKey'];
  /** Default `each`. */
  readonly apiServers?: ManagedCapabilities['apiServers'];
  /** Null where they could not be looked for. */
  readonly legacyTokens: LegacyTokenReport | null;
}

type Check = (facts: PreflightFacts) => readonly Problem[];

/** Every reason why the rotation must not start; empty where it may. */
export function findBlockers(facts: PreflightFacts): readonly Problem[] {
  return [...facts.controlPlane.problems, ...facts.observationProblems, ...CHECKS.flatMap((check) => check(facts))];
}

/** The key that signs now: the one that is going to be retired. Null where the API servers do not agree. */
export function findFormer({ controlPlane, record }: Pick<PreflightFacts, 'controlPlane' | 'record'>): KeyRef | null {
  if (isUnfinished(record)) return record.former;
  const [first, ...others] = controlPlane.apiServers;
  if (first?.signingKid == null || others.some(({ signingKid }) => signingKid !== first.signingKid)) return null;
  return first.trusted.find(({ kid }) => kid === first.signingKid) ?? null;
}

const apiServersNotReady: Check = ({ controlPlane }) =>
  controlPlane.apiServers
    .filter(({ ready }) => !ready)
    .map((server) => ({
      code: 'API_SERVER_UNREACHABLE',
      subject: server.url,
      message: `The API server of ${server.node} (${server.url}) is not ready: ${server.unreadyReason ?? 'no answer'}. Bring it back first: a rotation needs all of them.`,
    }));

const noApiServer: Check = ({ controlPlane }) =>
  controlPlane.apiServers.length > 0
    ? []
    : [
        {
          code: 'PREFLIGHT_REFUSED',
          subject: 'control plane',
          message: 'No API server was observed. Name every control-plane node in the configuration.',
        },
      ];

const singleApiServer: Check = ({ controlPlane, allowSingleApiServer, apiServers }) =>
  controlPlane.apiServers.length === 1 && !allowSingleApiServer && apiServers !== 'behind-one-address'
    ? [
        {
          code: 'PREFLIGHT_REFUSED',
          subject: 'control plane',
          message:
            'There is one API server only: the cluster would be without an API while it restarts. Add control-plane nodes, or accept it with allowSingleApiServer.',
        },
      ]
    : [];

const signerUnknown: Check = ({ controlPlane }) =>
  controlPlane.apiServers
    .filter(({ ready, signingKid }) => ready && signingKid === null)
    .map((server) => ({
      code: 'API_SERVER_UNEXPECTED',
      subject: server.url,
      message: `The API server of ${server.node} (${server.url}) minted no token when asked, so its signing key is not known. Find out why (its log, the worker's permission to create serviceaccounts/token).`,
    }));

const signerNotTrusted: Check = ({ controlPlane }) =>
  controlPlane.apiServers
    .filter(
      ({ ready, signingKid, trusted }) =>
        ready && signingKid !== null && trusted.every(({ kid }) => kid !== signingKid),
    )
    .map((server) => ({
      code: 'PREFLIGHT_REFUSED',
      subject: server.url,
      message: `The API server of ${server.node} signs with ${server.signingKid} but does not trust it: its tokens are refused already. Add the public key to its --service-account-key-file.`,
    }));

const issuerDiffers: Check = ({ controlPlane, issuer, publicIssuer }) => {
  const problems = controlPlane.apiServers
    .filter((server) => server.issuer !== null && server.issuer !== issuer)
    .map((server) => ({
      code: 'PREFLIGHT_REFUSED',
      subject: server.url,
      message: `The API server of ${server.node} issues tokens as ${server.issuer}, the configuration says ${issuer}. Correct the configuration: Keyturn never changes an issuer.`,
    }));
  if (publicIssuer !== null && publicIssuer !== issuer) {
    problems.push({
      code: 'PREFLIGHT_REFUSED',
      subject: issuer,
      message: `The public discovery document names the issuer ${publicIssuer}, the configuration says ${issuer}. Correct the one that is wrong: Keyturn never changes an issuer.`,
    });
  }
  return problems;
};

const relyingPartiesLookElsewhere: Check = ({ publicJwksUri, publicUrl }) =>
  publicJwksUri === null || publicJwksUri === publicUrl
    ? []
    : [
        {
          code: 'PREFLIGHT_REFUSED',
          subject: publicUrl,
          message: `The public discovery document sends relying parties to ${publicJwksUri}, but the JWKS is published at ${publicUrl}. Correct publisher.jwksPath or the document.`,
        },
      ];

const activeKeyNotPublic: Check = (facts) => {
  const former = findFormer(facts);
  if (former === null || facts.publicKids === null || isUnfinished(facts.record)) return [];
  if (facts.publicKids.includes(former.kid)) return [];
  return [
    {
      code: 'PREFLIGHT_REFUSED',
      subject: facts.publicUrl,
      message: `The public JWKS ${facts.publicUrl} lacks ${former.kid}, the key that signs now: tokens are refused outside already. Publish it first (keyturn jwks makes the document).`,
    },
  ];
};

/** One API server under two names would leave another one without the new key. */
const apiServerNamedTwice: Check = ({ controlPlane: { apiServers } }) =>
  apiServers
    .filter(({ url }, index) => apiServers.findIndex((other) => other.url === url) < index)
    .map(({ node, url }) => ({
      code: 'PREFLIGHT_REFUSED',
      subject: url,
      message: `The API server ${url} is configured twice, the second time as ${node}. Give each node the address of its own API server.`,
    }));

const unknownApiServer: Check = ({ controlPlane, endpointAddresses, apiServers }) => {
  const configured = controlPlane.apiServers.length;
  if (apiServers === 'behind-one-address' || endpointAddresses.length <= configured) return [];
  return [
    {
      code: 'PREFLIGHT_REFUSED',
      subject: 'EndpointSlice default/kubernetes',
      message: `The cluster has ${endpointAddresses.length} API servers (${endpointAddresses.join(', ')}), the configuration names ${configured}. Name every control-plane node: one that is left out would refuse the new tokens.`,
    },
  ];
};

const clockSkew: Check = ({ clockSkewMs }) =>
  Object.entries(clockSkewMs)
    .filter(([, skewMs]) => Math.abs(skewMs) > MAX_CLOCK_SKEW_MS)
    .map(([node, skewMs]) => ({
      code: 'PREFLIGHT_REFUSED',
      subject: node,
      message: `The worker's clock is ${formatDuration(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead of' : 'behind'} that of ${node}. Set the clocks right: the waits are counted by them.`,
    }));

const algorithmRefused: Check = ({ refusedBy, nextAlg }) =>
  refusedBy.map((relyingParty) => ({
    code: 'KEY_UNSUPPORTED',
    subject: nextAlg ?? 'new key',
    message: `The relying party ${relyingParty} refuses tokens signed with ${nextAlg ?? 'the new key'}. Choose another kind of key, or take it out of relyingParties.`,
  }));

const drainRefused: Check = ({ drain }) =>
  'refused' in drain
    ? [{ code: 'WAIT_UNBOUNDED', subject: 'policies.drain', message: `The drain is refused: ${drain.refused}.` }]
    : [];

const stagedKeySignsAlready: Check = (facts) => {
  const former = findFormer(facts);
  if (former === null || facts.staged === null || facts.staged.kid !== former.kid || isUnfinished(facts.record))
    return [];
  return [
    {
      code: 'KEY_UNSUPPORTED',
      subject: former.kid,
      message: `The key in the key store (${former.kid}) is the one that signs already. Bring another one, or empty the key store.`,
    },
  ];
};

const stagedKeyIsAnother: Check = ({ record, staged, newKey }) => {
  if (newKey === 'made-by-platform' || !isUnfinished(record) || record.next === null) return [];
  if (record.milestones.untrustedAt !== undefined || staged?.kid === record.next.kid) return [];
  return [
    {
      code: 'KEY_NOT_FOUND',
      subject: record.next.kid,
      message: `A rotation to ${record.next.kid} is under way, but the key store holds ${staged?.kid ?? 'no key'}. Put that key back, so that the rotation can be taken up.`,
    },
  ];
};

const CHECKS: readonly Check[] = [
  noApiServer,
  apiServersNotReady,
  singleApiServer,
  apiServerNamedTwice,
  unknownApiServer,
  apiServersDisagree,
  signerUnknown,
  signerNotTrusted,
  issuerDiffers,
  relyingPartiesLookElsewhere,
  activeKeyNotPublic,
  clockSkew,
  stagedKeySignsAlready,
  stagedKeyIsAnother,
  algorithmRefused,
  findFullKeySets,
  findOtherServer,
  findShortCacheWait,
  (facts) => findMirrorProblems(facts, findFormer(facts)),
  drainRefused,
];
