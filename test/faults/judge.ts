// What must be true after a rotation under faults, whatever came: every finding is a sentence.
import { createHash, createPublicKey } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { probeHttps } from '../../src/demo/https-probe.ts';
import type { AuditRecord } from '../../src/rotation/audit.ts';
import { PrivateKeySearch } from '../fixtures/private-key-search.ts';
import { readPublicJwks, snapshotNodes } from '../integration/rotation-scene.ts';
import { directApiServers } from './outside-probes.ts';
import type { InjectionResult, Trial } from './trial.ts';

/** Fewer checks than this prove nothing. */
const ENOUGH_CHECKS = 100;
const HEALTHY_WITHIN_MS = 120_000;

export async function judge(trial: Trial, audit: AuditRecord): Promise<readonly string[]> {
  const kid = audit.outcome === 'completed' ? audit.keys[1]?.kid : audit.keys[0]?.kid;
  const [, next] = audit.keys;
  const isForward = trial.plan.ending === 'forward';
  const expected = isForward ? 'completed' : 'rolled-back';
  return [
    ...(audit.outcome === expected ? [] : [`it ended ${audit.outcome}, not ${expected}`]),
    ...rejections(trial, audit),
    ...trial.results.flatMap(unexpected),
    ...(await filesDiffer(trial, isForward ? next?.kid : undefined)),
    ...(await jwksDiffers(trial, audit)),
    ...(await leftOver(trial)),
    ...(await signersDiffer(trial, kid)),
    ...(await controllerManagersAreDown(trial)),
  ];
}

function rejections(trial: Trial, audit: AuditRecord): readonly string[] {
  const outside = trial.counts();
  const isBlind = trial.plan.injections.some(({ faults }) => faults.some(({ blindsWorker }) => blindsWorker));
  const seen = [...(outside?.rejections ?? []), ...(isBlind ? [] : (audit.probes?.rejections ?? []))];
  const checks = outside?.checks ?? 0;
  return [
    ...seen.map(({ at, mintedBy, kid, askedOf, reason }) => {
      return `${at}: a token of ${mintedBy} (${kid}) was rejected by ${askedOf}: ${reason}`;
    }),
    ...(checks >= ENOUGH_CHECKS ? [] : [`only ${checks} checks were made outside`]),
  ];
}

function unexpected({ moment, faults, expected, held, isPutBack }: InjectionResult): readonly string[] {
  const what = `${faults.join(' and ')} in ${moment}`;
  if (!isPutBack) return [`${what} held the rotation before the former manifest was back`];
  if (expected === 'goes on' && held.length > 0) return [`${what} held the rotation: ${held.join(', ')}`];
  if (expected === 'holds' && held.length === 0) return [`${what} did not hold the rotation`];
  return [];
}

/** @param next undefined where everything must be as it was */
async function filesDiffer({ world, before }: Trial, next: string | undefined): Promise<readonly string[]> {
  const after = await snapshotNodes(world.scene);
  const findings: string[] = [];
  for (const file of new Set([...before.files.keys(), ...after.keys()])) {
    const [was, is] = [before.files.get(file), after.get(file)];
    if (was === undefined || is === undefined) {
      findings.push(`${file} ${was === undefined ? 'was left over' : 'is gone'}`);
      continue;
    }
    if (was.mode !== is.mode) findings.push(`${file} has mode ${is.mode}, it had ${was.mode}`);
    const isKey = next !== undefined && /\/sa\.(key|pub)$/.test(file);
    if (isKey && kidOfPem(is.content) !== next) findings.push(`${file} does not hold the new key`);
    if (!isKey && was.content !== is.content) findings.push(`${file} has changed`);
  }
  return findings;
}

async function jwksDiffers({ world, before, plan }: Trial, audit: AuditRecord): Promise<readonly string[]> {
  const { kids, body } = await readPublicJwks(world.scene);
  const [former, next] = audit.keys;
  if (plan.ending === 'back') return body === before.jwks.body ? [] : ['the JWKS is not byte for byte what it was'];
  const expected = before.jwks.kids.map((kid) => (kid === former?.kid ? (next?.kid ?? '') : kid));
  return kids.toSorted().join() === expected.toSorted().join() ? [] : [`the JWKS holds ${kids.join(', ')}`];
}

/** The key that is used lies where it belongs, and no private key anywhere else. */
async function leftOver({ world, before, plan }: Trial): Promise<readonly string[]> {
  const { directory } = world.scene;
  const present = await readFile(path.join(world.pkiOf('node-1'), 'sa.key'), 'utf8');
  const keys = plan.ending === 'back' ? { present } : { present, former: before.privatePem };
  const found = await new PrivateKeySearch(keys).findInFolder(directory);
  const places = world.embedded.nodes.map(({ pkiDirectory }) =>
    path.relative(directory, path.join(pkiDirectory, 'sa.key')),
  );
  const inPlace = places.filter((place) => found[place]?.some((form) => form.startsWith('present')));
  return [
    ...(inPlace.length === places.length ? [] : ['the search for private keys did not even find those in use']),
    ...Object.entries(found).flatMap(([file, forms]) => {
      const wrong = places.includes(file) ? forms.filter((form) => form.startsWith('former')) : forms;
      return wrong.map((form) => `${file} holds a private key (${form})`);
    }),
    ...(await readdir(path.join(directory, 'keys'))).map((file) => `the key store still has ${file}`),
  ];
}

async function signersDiffer({ world }: Trial, kid: string | undefined): Promise<readonly string[]> {
  const findings: string[] = [];
  for (const apiServer of await directApiServers(world.scene)) {
    const look = async () => {
      const [token, published] = [await apiServer.mintToken(), await apiServer.publishedKeys()];
      const kids = published.map((key) => key.kid).join(', ');
      return token.kid === kid && kids === kid ? null : `signs with ${token.kid} and trusts ${kids}`;
    };
    const finding = await eventually(look);
    if (finding !== null) findings.push(`the API server of ${apiServer.node} ${finding}`);
  }
  return findings;
}

async function controllerManagersAreDown({ world }: Trial): Promise<readonly string[]> {
  const findings: string[] = [];
  for (const { name, controllerManagerUrl } of world.embedded.nodes) {
    const finding = await eventually(async () => {
      const answer = await probeHttps({ url: `${controllerManagerUrl}/healthz`, caPem: undefined });
      return answer === 200 ? null : `answers ${String(answer)}`;
    });
    if (finding !== null) findings.push(`the controller manager of ${name} ${finding}`);
  }
  return findings;
}

/** Null as soon as there is nothing to find: what was killed may be starting. */
async function eventually(look: () => Promise<string | null>): Promise<string | null> {
  let finding: string | null = 'was not asked';
  for (const giveUpAt = Date.now() + HEALTHY_WITHIN_MS; Date.now() < giveUpAt; await sleep(200)) {
    finding = await look().catch((error: unknown) => `cannot be asked: ${String(error)}`);
    if (finding === null) return null;
  }
  return finding;
}

/** Kubernetes' kid by its definition, not by the product's code. */
function kidOfPem(pem: string): string {
  const der = createPublicKey(pem).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64url');
}
