// The address of a node's API server, as its manifest tells it.
import { posix } from 'node:path';
import { KeyturnError } from '../../errors.ts';
import type { NodeFiles } from '../../nodes/port.ts';
import { readFlags } from './manifest-flags.ts';

/**
 * `https://<--advertise-address>:<--secure-port>`; without the flags the node's name and 6443, kube-apiserver's default port.
 * A manifest that cannot be read gives the default too: observing the node reports it together with everything else.
 * @throws NODE_UNREACHABLE and what else time may mend: a guess would stay when the node is back
 */
export async function readApiServerUrl(files: NodeFiles, manifestsDirectory: string): Promise<string> {
  const flags = await readApiServerFlags(files, posix.join(manifestsDirectory, 'kube-apiserver.yaml'));
  const address = flags.get('advertise-address')?.[0] ?? files.node;
  const port = flags.get('secure-port')?.[0] ?? '6443';
  return `https://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

async function readApiServerFlags(
  files: NodeFiles,
  path: string,
): Promise<ReadonlyMap<string, readonly (string | null)[]>> {
  try {
    const source = (await files.read(path))?.content ?? '';
    return readFlags({ source, component: 'kube-apiserver', subject: `${files.node}:${path}` });
  } catch (error) {
    if (error instanceof KeyturnError && !error.retryable) return new Map();
    throw error;
  }
}
