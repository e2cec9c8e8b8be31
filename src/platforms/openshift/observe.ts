// What a rotation must know of the operator before it begins, and everything that speaks against one.
import { z } from 'zod';
import type { KubeClient } from '../../api-servers/kube-client.ts';
import type { ApiServer } from '../../api-servers/port.ts';
import type {
  ApiServerObservation,
  ControlPlaneObservation,
  Problem,
  TokenLifetimeFlags,
} from '../../rotation/observation.ts';
import { collectInto, observeApiServer } from '../observe-api-servers.ts';
import type { ManagedRotation } from '../port.ts';
import { CERTS, NEXT_SECRET, OPERAND_SECRET } from './names.ts';
import type { KubeApiServerObject, OperatorObjects } from './objects.ts';
import { kidsIn } from './cert-entries.ts';
import { isWhole, keyIn } from './pair.ts';
import { objectIsMissing } from './refusals.ts';
import { missingOperatorRights } from './rights.ts';
import { describeUnsettled, readRevisions } from './revisions.ts';

export interface Operator {
  readonly client: KubeClient;
  readonly objects: OperatorObjects;
  readonly apiServers: readonly ApiServer[];
}

/** @param underWay a rotation that is taken up: the operator is busy with it, and that is no reason against it */
export async function observeOperator(
  { client, objects, apiServers }: Operator,
  underWay: ManagedRotation | null,
): Promise<ControlPlaneObservation> {
  const problems: Problem[] = [];
  const attempt = collectInto(problems);
  const missing = await attempt(() => missingOperatorRights(client));
  if (missing !== undefined && missing.length > 0) {
    problems.push(...missing);
    const observed = await Promise.all(apiServers.map((server) => observeApiServer(server, problems)));
    return { apiServers: observed, layouts: [], tokenLifetimes: lifetimesOf(null), problems };
  }
  const [observed, kubeApiServer, issuer] = await Promise.all([
    Promise.all(apiServers.map((server) => observeApiServer(server, problems))),
    attempt(() => objects.kubeApiServer()),
    attempt(() => objects.issuer()),
    attempt(async () => {
      if (kidsIn((await objects.certs())?.data, CERTS).length === 0) throw objectIsMissing(`ConfigMap ${CERTS}`);
    }),
    ...(underWay === null ? [attempt(() => findUnrest(objects, problems))] : []),
  ]);
  if (kubeApiServer === null) await attempt(() => Promise.reject(objectIsMissing('KubeAPIServer cluster')));
  problems.push(...issuersToCome(issuer ?? null, observed));
  if (underWay === null && kubeApiServer != null) {
    problems.push(...formerIssuers(kubeApiServer));
    await attempt(() => unfinishedRevision(kubeApiServer, problems));
  }
  return { apiServers: observed, layouts: [], tokenLifetimes: lifetimesOf(kubeApiServer ?? null), problems };
}

/** A rotation of somebody else, or of the operator's own, must have come to its end. */
async function findUnrest(objects: OperatorObjects, problems: Problem[]): Promise<void> {
  const [next, operand] = await Promise.all([objects.nextSecret(), objects.operandSecret()]);
  if (next === null) throw objectIsMissing(`Secret ${NEXT_SECRET}`);
  if (operand === null) throw objectIsMissing(`Secret ${OPERAND_SECRET}`);
  const [nextKid, operandKid] = [keyIn(next, NEXT_SECRET)?.kid, keyIn(operand, OPERAND_SECRET)?.kid];
  if (nextKid !== operandKid || !isWhole(next, NEXT_SECRET)) {
    problems.push(
      refusal(
        NEXT_SECRET,
        `The operator is to bring ${nextKid ?? 'no key'} while ${operandKid ?? 'no key'} signs: another rotation is under way. Let it come to its end first.`,
      ),
    );
  }
  const unsettled = describeUnsettled(await objects.clusterOperator());
  if (unsettled !== null)
    problems.push(refusal('ClusterOperator kube-apiserver', `${unsettled}. Let it settle first.`));
}

function unfinishedRevision(object: KubeApiServerObject, problems: Problem[]): void {
  const { missing } = readRevisions(object);
  if (missing !== null)
    problems.push(refusal('KubeAPIServer cluster', `Of the operator, ${missing}. Wait for it first.`));
}

/** API servers that are still to get it issue as another one until then: relying parties of the new one would be left without the key. */
function issuersToCome(wanted: string | null, apiServers: readonly ApiServerObservation[]): readonly Problem[] {
  if (wanted === null) return [];
  return apiServers
    .filter(({ issuer }) => issuer !== null && issuer !== wanted)
    .map(({ node, issuer }) =>
      refusal(
        'Authentication cluster',
        `${node} issues tokens as ${issuer}, and the operator is to bring it ${wanted} (spec.serviceAccountIssuer of Authentication cluster). Wait until it has, with that issuer in the configuration.`,
      ),
    );
}

/** Their tokens are verified by documents at another place, which Keyturn does not publish to. */
function formerIssuers({ status }: KubeApiServerObject): readonly Problem[] {
  return (status?.serviceAccountIssuers ?? [])
    .filter(({ expirationTime }) => expirationTime != null)
    .map(({ name, expirationTime }) =>
      refusal(
        name,
        `The former issuer ${name} is trusted until ${expirationTime}: its relying parties would not get the new key. Wait until then.`,
      ),
    );
}

const argumentsShape = z.looseObject({ apiServerArguments: z.record(z.string(), z.array(z.string())).nullish() });

/** As the operator passes them on; without a word from it the longest that an API server may allow. */
function lifetimesOf(object: KubeApiServerObject | null): TokenLifetimeFlags {
  const parsed = argumentsShape.safeParse(object?.spec?.observedConfig);
  const given = parsed.success ? (parsed.data.apiServerArguments ?? {}) : {};
  return {
    maxTokenExpirationMs: null,
    extendTokenExpiration: given['service-account-extend-token-expiration']?.at(-1) !== 'false',
  };
}

function refusal(subject: string, message: string): Problem {
  return { code: 'PREFLIGHT_REFUSED', subject, message };
}
