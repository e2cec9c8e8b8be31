// Rotations to keys that the user brings, and from and to EC keys, on a real control plane.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { KubeClient } from '../../src/api-servers/kube-client.ts';
import { loadKubeConfig } from '../../src/api-servers/kube-config.ts';
import { generateKeyPair } from '../../src/keys/generate.ts';
import { toJwk } from '../../src/keys/jwk.ts';
import { parsePublicKeys } from '../../src/keys/pem.ts';
import { openScene, readPublicJwks, rotate, type Scene } from './rotation-scene.ts';

let scene: Scene | undefined;
let keys: string | undefined;
afterEach(async () => {
  await scene?.close();
  if (keys !== undefined) await rm(keys, { recursive: true, force: true });
});

test.for([
  { from: 'ec-p256', to: 'rsa-4096', alg: 'RS256' },
  { from: 'rsa-2048', to: 'ec-p384', alg: 'ES384' },
] as const)('from $from to a key that the user brings: $to', async ({ from, to, alg }) => {
  keys = await mkdtemp(path.join(tmpdir(), 'keyturn-keys-'));
  const brought = await generateKeyPair(to);
  const privateKeyFile = path.join(keys, 'new.key');
  const publicKeyFile = path.join(keys, 'new.pub');
  await writeFile(privateKeyFile, brought.privatePem, { mode: 0o600 });
  await writeFile(publicKeyFile, brought.publicPem);
  scene = await openScene({
    signingKey: from,
    clusterFields: {
      relyingParties: [],
      keyStore: { type: 'bring-your-own', privateKeyFile, publicKeyFile },
    },
  });
  await expectOwnJwksLikeTheApiServers(scene);
  await scene.startWorker();

  const audit = await (await rotate(scene)).result();

  expect(audit.outcome).toBe('completed');
  expect(audit.keys[1]).toMatchObject({ kid: brought.kid, alg, role: 'active' });
  expect(audit.probes?.rejected).toBe(0);
  expect((await readPublicJwks(scene)).kids).toEqual([brought.kid]);
});

/** kid and JWK of ours against those of kube-apiserver itself, byte for byte. */
async function expectOwnJwksLikeTheApiServers({ controlPlane }: Scene): Promise<void> {
  const client = new KubeClient(await loadKubeConfig(controlPlane.adminKubeconfigPath));
  const { pkiDirectory } = controlPlane.nodes[0]!;
  const ours = parsePublicKeys(await readFile(path.join(pkiDirectory, 'sa.pub'), 'utf8'), 'sa.pub').map(toJwk);
  expect(await client.read('/openid/v1/jwks')).toBe(JSON.stringify({ keys: ours }));
}
