// What doctor looks for in key stores: what lies there, and whether every worker reaches it.
import type { KeyStoreConfig } from '../config/key-store-schema.ts';
import type { ClusterConfig } from '../config/schema.ts';
import type { KeyStore } from '../key-stores/port.ts';
import type { KeyRef } from '../rotation/key.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

/** Temporal gives each step to any worker: one on another host does not find what the first staged on its disk. */
export function examineReach(hosts: readonly string[], clusters: readonly ClusterConfig[]): readonly Finding[] {
  if (hosts.length < 2) return [];
  return clusters.flatMap(({ name, keyStore }) => {
    const what = `cluster ${name}: key store`;
    const workers = `there are workers on ${hosts.length} hosts (${hosts.join(', ')})`;
    switch (whereIs(keyStore)) {
      case 'everywhere':
        return [];
      case 'local disk':
        return [
          fail(
            what,
            `${workers}, but staged keys lie on the disk of one: a step on another holds the rotation with KEY_NOT_FOUND. Use a kubernetes-secret (docs/key-stores.md), let workers run on one host only, or say shared: true where all hosts mount the same folder`,
          ),
        ];
      case 'your files':
        return [warn(what, `${workers}: see that each of them has the same files of your key`)];
    }
  });
}

/** What the key store holds now, in one line. */
export async function describeStaged(
  keyStore: KeyStore,
  cluster: string,
  staged: KeyRef | null,
  isUnderWay: boolean,
): Promise<Finding> {
  const what = `cluster ${cluster}: key store`;
  if (staged === null) return ok(what, `${keyStore.description}: empty`);
  const wrappingKeyId = await keyStore.wrappingKeyId(cluster);
  const encrypted = wrappingKeyId === undefined ? '' : `, encrypted with ${wrappingKeyId}`;
  const holds = `${keyStore.description} holds ${staged.kid}${encrypted}`;
  return ok(what, isUnderWay ? holds : `${holds}: the next rotation takes it`);
}

function whereIs(keyStore: KeyStoreConfig): 'everywhere' | 'local disk' | 'your files' {
  switch (keyStore.type) {
    case 'kubernetes-secret':
    case 'platform':
      return 'everywhere';
    case 'encrypted-file':
      return keyStore.shared ? 'everywhere' : 'local disk';
    case 'bring-your-own':
      return 'your files';
  }
}
