// The order that Keyturn replaces: trust and sign in one edit, node by node, as the hand-written procedure does it with sed and yq.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toJwk } from '../src/keys/jwk.ts';
import { generateKeyPair } from '../src/keys/generate.ts';
import { mergeKeys } from '../src/jwks/edit-jwks.ts';
import type { Environment } from '../src/demo/environment.ts';
import { startWorkloads } from '../src/demo/workloads.ts';
import { AzureBlobPublisher } from '../src/publishers/azure-blob.ts';
import { updateDocument } from '../src/publishers/update-document.ts';
import { CLIENTS } from './rotation.ts';

/** Somebody types the next node's commands. */
const BETWEEN_NODES_MS = 2_000;
const RESTART_TIMEOUT_MS = 180_000;

export async function measureSeedOrder(environment: Environment): Promise<{ checks: number; rejected: number }> {
  const { controlPlane, blobStore } = environment;
  const key = await generateKeyPair('rsa-2048');
  for (const { pkiDirectory } of controlPlane.nodes) {
    await writeFile(path.join(pkiDirectory, 'sa-new.pub'), key.publicPem);
    await writeFile(path.join(pkiDirectory, 'sa-new.key'), key.privatePem, { mode: 0o600 });
  }
  const publisher = new AzureBlobPublisher({
    containerUrl: blobStore.containerUrl,
    credentials: { connectionString: blobStore.connectionString },
    ca: await readFile(blobStore.caPath, 'utf8'),
  });
  const workloads = await startWorkloads(environment, CLIENTS);
  await updateDocument(publisher, 'jwks', (body) => mergeKeys(body, [toJwk(key)]));
  for (const { name, manifestsDirectory } of controlPlane.nodes) {
    const restartsBefore = controlPlane.apiServerRestarts(name).length;
    await edit(path.join(manifestsDirectory, 'kube-apiserver.yaml'), (source) =>
      source
        .replace(
          /^( *- )--service-account-key-file=.*$/m,
          '$&\n$1--service-account-key-file=/etc/kubernetes/pki/sa-new.pub',
        )
        .replace(
          /--service-account-signing-key-file=.*/,
          '--service-account-signing-key-file=/etc/kubernetes/pki/sa-new.key',
        ),
    );
    await edit(path.join(manifestsDirectory, 'kube-controller-manager.yaml'), (source) =>
      source.replace(
        /--service-account-private-key-file=.*/,
        '--service-account-private-key-file=/etc/kubernetes/pki/sa-new.key',
      ),
    );
    const deadline = Date.now() + RESTART_TIMEOUT_MS;
    while (controlPlane.apiServerRestarts(name).length === restartsBefore) {
      if (Date.now() > deadline) throw new Error(`the API server of ${name} did not come back`);
      await sleep(100);
    }
    await sleep(BETWEEN_NODES_MS);
  }
  return workloads.stop();
}

async function edit(file: string, change: (source: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')));
}
