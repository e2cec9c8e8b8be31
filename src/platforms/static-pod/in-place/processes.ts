// The two components that read the keys, and what each of them shows of the files that it has read.
import { parsePrivateKey, parsePublicKeys } from '../../../keys/pem.ts';
import { whenReady } from '../effects.ts';
import type { HostKeyFiles } from '../key-files.ts';
import { readKeyFile } from '../key-files.ts';
import type { ControlPlaneNode } from '../node-manifests.ts';
import type { Effect } from '../change-manifest.ts';
import type { ComponentProcess } from './began-after.ts';

/** It publishes the keys of its files, neither more nor fewer, in their order, and signs with the key of its signing key file. */
export function apiServerProcess(node: ControlPlaneNode, keyFiles: HostKeyFiles): ComponentProcess {
  const { apiServer } = node;
  return {
    component: 'kube-apiserver',
    keyFiles: [...new Set([...keyFiles.trusted, keyFiles.signing])],
    startTime: () => apiServer.startTime(),
    silent: 'lasting',
    runs: whenReady(node, async () => {
      const { kid } = await apiServer.mintToken();
      const isTrusted = (await apiServer.publishedKeys()).some((key) => key.kid === kid);
      return isTrusted ? { proof: `publishes ${kid} and signs with it` } : { missing: `does not publish ${kid}` };
    }),
    serves: whenReady(node, async () => {
      const expected: string[] = [];
      for (const path of keyFiles.trusted) {
        const { content } = await readKeyFile(node, path);
        expected.push(...parsePublicKeys(content, `${node.name}:${path}`).map(({ kid }) => kid));
      }
      const published = (await apiServer.publishedKeys()).map(({ kid }) => kid);
      if (published.join() !== expected.join()) {
        return { missing: `publishes ${published.join(', ')}, while its files hold ${expected.join(', ')}` };
      }
      const signer = parsePrivateKey((await readKeyFile(node, keyFiles.signing)).content, keyFiles.signing).kid;
      const { kid } = await apiServer.mintToken();
      if (kid !== signer) return { missing: `signs with ${kid}, while its file holds ${signer}` };
      return { proof: `publishes ${published.join(', ')} and signs with ${kid}, as its files do` };
    }),
  };
}

/** It shows no key: that it began later than its key file is all that can be seen from here. */
export function controllerManagerProcess(node: ControlPlaneNode, keyFile: string): ComponentProcess {
  const probe = node.controllerManager;
  const unasked = `the manifest of ${node.name} is as asked; its controller manager cannot be asked from here since when it runs, so Pruning proves the leader by a minted Secret`;
  const serves: Effect = async () => {
    if (probe === undefined) return { proof: unasked };
    if (!(await probe.healthy())) return { missing: 'the controller manager does not answer' };
    const isSilent = (await probe.startTime()) === undefined;
    return { proof: isSilent ? unasked : `the controller manager of ${node.name} is healthy` };
  };
  return {
    component: 'kube-controller-manager',
    keyFiles: [keyFile],
    startTime: async () => probe?.startTime(),
    silent: 'at-once',
    serves,
    runs: serves,
  };
}
