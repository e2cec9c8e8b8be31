// Whole rotations with OpenShift's objects: real API servers and real CustomResourceDefinitions, and an operator of ours in place of the real one.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { observeCluster } from '../../../src/activities/observe-cluster.ts';
import { planFor } from '../../../src/activities/preflight.ts';
import { findCluster, loadConfig } from '../../../src/config/load.ts';
import type { GuardedProcess } from '../../../src/demo/guarded-process.ts';
import { generateKeyPair } from '../../../src/keys/generate.ts';
import { parsePublicKeys } from '../../../src/keys/pem.ts';
import { OpenShiftPlatform } from '../../../src/platforms/openshift/openshift.ts';
import { isManaged, type ManagedPlatform } from '../../../src/platforms/port.ts';
import { composeCluster } from '../../../src/worker/compose-cluster.ts';
import { retryUpdate, rollBackUpdate } from '../../../src/workflows/messages.ts';
import { decode, PATHS } from '../../fixtures/openshift-objects.ts';
import { readPublicJwks, rotate, stepRuns, waitForStatus } from '../rotation-scene.ts';
import { openOpenShift, type OpenShiftScene } from './openshift-scene.ts';

let openShift: OpenShiftScene;
let worker: GuardedProcess;
const byAnn = { reason: 'a test', by: 'ann' };
const control = { signal: new AbortController().signal, report: () => undefined };

beforeAll(async () => {
  openShift = await openOpenShift();
  await openShift.operator.settled();
  process.env['DEMO_BLOB_CONNECTION'] = openShift.scene.blobStore.connectionString;
});
afterAll(async () => {
  delete process.env['DEMO_BLOB_CONNECTION'];
  await openShift?.close();
});

async function compose() {
  const config = await loadConfig(openShift.scene.configFile);
  return composeCluster(config, findCluster(config, undefined));
}

async function platformOf(): Promise<ManagedPlatform> {
  const { platform } = await compose();
  if (!isManaged(platform)) throw new Error('OpenShift is managed');
  return platform;
}

async function plan() {
  const adapters = await compose();
  return planFor(adapters, adapters.policies, await observeCluster(adapters, adapters.policies));
}

/** As its API servers tell it. */
async function signersAndTrust() {
  const servers = await (await platformOf()).observeApiServers();
  return servers.map(({ signingKid, trusted }) => ({ signingKid, trusted: trusted.map(({ kid }) => kid) }));
}

const patch = (object: string, body: Readonly<Record<string, unknown>>) =>
  openShift.admin.call({ verb: 'patch', path: object, resource: object, body });

describe('before it begins', () => {
  test('every right is named that is missing, and the file that grants it', async () => {
    for (const right of [
      'get secrets openshift-kube-apiserver-operator/next-bound-service-account-signing-key',
      'patch configmaps openshift-kube-apiserver/bound-sa-token-signing-certs',
      'patch kubeapiservers.operator.openshift.io',
      'deploy/rbac-openshift.yaml',
    ]) {
      // A busy machine may lose an answer: that is a reason of its own, and the next look has it.
      await expect.poll(() => plan().then(() => '', String), { timeout: 60_000, interval: 500 }).toContain(right);
    }
  });

  test('with these rights the plan publishes, hands over, follows, and says where the way back ends', async () => {
    await openShift.grantRights();
    await expect.poll(() => plan().then(() => 'planned', String), { timeout: 30_000, interval: 500 }).toBe('planned');
    const { plan: made } = await plan();
    expect(made.steps.map(({ id }) => id)).toEqual([
      'stage-key',
      'publish-key',
      'wait-for-relying-parties',
      'hand-over-key',
      'follow-rotation',
      'verify',
      'refresh',
      'drain',
      'settle-legacy-tokens',
      'prune-key',
      'forget-former',
      'retire',
    ]);
    expect(made).toMatchObject({ pointOfNoReturn: 'Untrusting', unpausable: ['Trusting', 'Signing'] });
  });

  test('what the operator is busy with, and an issuer that it still trusts, are reasons against a rotation', async () => {
    const status = `${PATHS.kubeApiServer}/status`;
    const former = { name: 'https://former.example', expirationTime: '2999-01-01T00:00:00Z' };
    await patch(status, { status: { serviceAccountIssuers: [former] } });
    await expect(plan()).rejects.toThrow('The former issuer https://former.example is trusted until 2999-01-01');
    await patch(status, { status: { serviceAccountIssuers: null } });
    const { issuer } = openShift.scene.controlPlane;
    await patch(PATHS.authentication, { spec: { serviceAccountIssuer: 'https://new.example' } });
    await expect(plan()).rejects.toThrow(
      `node-1 issues tokens as ${issuer}, and the operator is to bring it https://new`,
    );
    await patch(PATHS.authentication, { spec: { serviceAccountIssuer: issuer } });
    openShift.operator.failsOn = { node: 'node-2', words: 'the pod was evicted' };
    await patch(PATHS.kubeApiServer, { spec: { forceRedeploymentReason: 'somebody wanted it' } });
    await expect.poll(() => plan().then(() => '', String), { timeout: 60_000 }).toContain('the pod was evicted');
    openShift.operator.failsOn = null;
    await expect.poll(() => plan().then(() => 'planned', String), { timeout: 60_000, interval: 500 }).toBe('planned');
  });

  test('a change by somebody else in the same moment is refused by the API server, and nothing is lost', async () => {
    const platform = await platformOf();
    const former = (await openShift.read<{ data: Record<string, string> }>(PATHS.next))!.data;
    const formerKey = parsePublicKeys(decode(former['service-account.pub']!), 'former')[0]!;
    const rotation = { rotationId: 'x', startedAt: '2026-01-01T00:00:00.000Z', former: formerKey, next: null };
    await expect(platform.begin(rotation, await generateKeyPair('ec-p256'), control)).rejects.toMatchObject({
      code: 'KEY_UNSUPPORTED',
    });
    const key = await generateKeyPair('rsa-2048');
    const adapters = await compose();
    const racing = new OpenShiftPlatform({
      client: racedClient(),
      apiServers: adapters.apiServers,
      timeoutMs: 1000,
      pollMs: 100,
    });
    await expect(racing.begin(rotation, key)).rejects.toMatchObject({
      code: 'PLATFORM_CHANGED',
      retryable: true,
    });
    expect((await openShift.read<{ data: Record<string, string> }>(PATHS.next))!.data).toEqual(former);
    const foreign = { ...rotation, former: { ...formerKey, kid: 'another' } };
    await expect(platform.begin(foreign, key, control)).rejects.toMatchObject({
      code: 'PLATFORM_CHANGED',
      retryable: false,
    });
    await platform.retire(rotation);
  });
});

/** Between our look and our patch somebody touches the Secret. */
function racedClient(): OpenShiftScene['admin'] {
  const { admin } = openShift;
  return new Proxy(admin, {
    get: (target, name) => {
      if (name !== 'call') return Reflect.get(target, name, target) as unknown;
      return async (...asked: Parameters<typeof admin.call>) => {
        const [{ verb, path }] = asked;
        if (verb === 'patch' && path === PATHS.next) {
          await patch(PATHS.next, { metadata: { annotations: { touched: 'yes' } } });
        }
        return target.call(...asked);
      };
    },
  });
}

describe('a rotation', () => {
  beforeAll(async () => {
    worker = await openShift.scene.startWorker();
  });

  test('ends with the new key alone, whatever its worker and the operator do', { timeout: 400_000 }, async () => {
    const { scene, operator } = openShift;
    const former = (await openShift.kidOf(PATHS.next))!;
    // Somebody reformatted the key: for the operator, which compares text, that is another one.
    const pem = (await openShift.read<{ data: Record<string, string> }>(PATHS.certs))!.data['service-account-001.pub']!;
    const reformatted = pem.replaceAll('RSA PUBLIC KEY', 'PUBLIC KEY');
    await patch(PATHS.certs, { data: { 'service-account-002.pub': reformatted } });
    expect(await openShift.trustedByOperator()).toEqual([former, former]);
    await operator.settled();

    const handle = await rotate(scene);
    await waitForStatus(handle, stepRuns('follow-rotation'));
    worker.signal('SIGKILL');
    await worker.exited;
    worker = await scene.startWorker();
    const audit = await handle.result();

    expect(audit.outcome).toBe('completed');
    expect(audit.holds).toEqual([]);
    const next = audit.keys.find(({ role }) => role === 'active')!.kid;
    expect(next).not.toBe(former);
    expect(await openShift.trustedByOperator()).toEqual([next]);
    expect([await openShift.kidOf(PATHS.next), await openShift.kidOf(PATHS.operand)]).toEqual([next, next]);
    expect(await signersAndTrust()).toEqual([
      { signingKid: next, trusted: [next] },
      { signingKid: next, trusted: [next] },
    ]);
    expect((await readPublicJwks(scene)).kids).toEqual([next]);
    expect(await openShift.read(PATHS.kept)).toBeNull();
    expect(audit.probes).toMatchObject({ rejected: 0, rejections: [] });
    expect(audit.probes?.checks).toBeGreaterThan(20);
    expect(audit.steps.find(({ id }) => id === 'follow-rotation')?.proof).toContain(
      `with ${next} is on every node, and a token of each of node-1, node-2 is signed with it`,
    );
    // They went on with the former key until they were started anew.
    const { spec } = (await openShift.read<{ spec: { forceRedeploymentReason: string } }>(PATHS.kubeApiServer))!;
    expect(spec.forceRedeploymentReason).toContain(`keyturn ${audit.rotationId}: ${next} is not used`);
    expect(await writersOf(PATHS.operand)).not.toContain('keyturn');
    expect(operator.defects).toEqual([]);
  });

  test(
    'that the operator fails holds in its words, and rolled back leaves all as it was',
    { timeout: 400_000 },
    async () => {
      const { scene, operator } = openShift;
      const former = (await openShift.kidOf(PATHS.next))!;
      const before = await readPublicJwks(scene);
      operator.failsOn = { node: 'node-2', words: 'installer: no space left on device' };
      const handle = await rotate(scene);
      const { held } = await waitForStatus(handle, ({ state }) => state === 'held');
      expect(held).toMatchObject({ step: 'follow-rotation', code: 'PLATFORM_FAILED' });
      expect(held?.message).toContain('to node-2: InstallerFailed; installer: no space left on device');
      operator.failsOn = null;
      await operator.settled();
      await handle.executeUpdate(rollBackUpdate, { args: [byAnn] });
      const audit = await handle.result();
      expect(audit.outcome).toBe('rolled-back');
      expect(await signersAndTrust()).toEqual([
        { signingKid: former, trusted: [former] },
        { signingKid: former, trusted: [former] },
      ]);
      expect(await openShift.trustedByOperator()).toEqual([former]);
      expect([await openShift.kidOf(PATHS.next), await openShift.kidOf(PATHS.operand)]).toEqual([former, former]);
      expect((await readPublicJwks(scene)).body).toBe(before.body);
      expect(await openShift.read(PATHS.kept)).toBeNull();
      expect(audit.probes?.rejected).toBe(0);
    },
  );

  test('whose Secret is deleted under it holds and says so; put back, it goes on', { timeout: 400_000 }, async () => {
    const { scene, operator } = openShift;
    operator.failsOn = { node: 'node-1', words: 'not yet' };
    const handle = await rotate(scene);
    await waitForStatus(handle, ({ state }) => state === 'held');
    const handedOver = (await openShift.read<{ data: Record<string, string> }>(PATHS.next))!.data;
    await openShift.admin.call({ verb: 'delete', path: PATHS.next, resource: PATHS.next });
    const isRemade = async () =>
      ![null, parsePublicKeys(decode(handedOver['service-account.pub']!), '')[0]!.kid].includes(
        await openShift.kidOf(PATHS.next),
      );
    await expect.poll(isRemade, { timeout: 30_000 }).toBe(true);
    operator.failsOn = null;
    await operator.settled();
    await handle.executeUpdate(retryUpdate, { args: [byAnn] });
    const { held } = await waitForStatus(
      handle,
      ({ state, held: by }) => state === 'held' && by?.code === 'PLATFORM_CHANGED',
    );
    expect(held?.message).toContain('next-bound-service-account-signing-key holds the key');
    await patch(PATHS.next, { data: handedOver });
    await handle.executeUpdate(retryUpdate, { args: [byAnn] });
    expect((await handle.result()).outcome).toBe('completed');
  });
});

async function writersOf(object: string): Promise<string[]> {
  const { metadata } = (await openShift.read<{ metadata: { managedFields: { manager: string }[] } }>(object))!;
  return metadata.managedFields.map(({ manager }) => manager);
}
