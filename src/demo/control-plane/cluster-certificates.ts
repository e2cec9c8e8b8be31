// The certificates of the embedded cluster: who trusts whom, in kubeadm's file names.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CertificateAuthority,
  type CertificatePair,
  createCertificateAuthority,
} from '../certificate-authority.ts';
import { kubeconfigText } from './kubeconfig-file.ts';
import type { SigningKeyFiles } from './signing-key-files.ts';

export interface ClusterAuthorities {
  /** Signs API servers and clients. */
  readonly cluster: CertificateAuthority;
  /** Signs the API server as a proxy that vouches for users (request headers). */
  readonly frontProxy: CertificateAuthority;
}

export async function createClusterAuthorities(): Promise<ClusterAuthorities> {
  const [cluster, frontProxy] = await Promise.all([
    createCertificateAuthority('kubernetes'),
    createCertificateAuthority('front-proxy-ca'),
  ]);
  return { cluster, frontProxy };
}

/** Fills a node's `pki` folder as `kubeadm init phase certs` does, private keys with mode 0600. */
export async function writeNodePki(
  pkiDirectory: string,
  authorities: ClusterAuthorities,
  signingKey: SigningKeyFiles,
): Promise<void> {
  await mkdir(pkiDirectory, { recursive: true });
  const serverNames = [
    '127.0.0.1',
    '10.96.0.1',
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
  ];
  const [apiServer, kubeletClient, frontProxyClient] = await Promise.all([
    authorities.cluster.issue({ commonName: 'kube-apiserver', serverNames }),
    authorities.cluster.issue({
      commonName: 'kube-apiserver-kubelet-client',
      organization: 'kubeadm:cluster-admins',
    }),
    authorities.frontProxy.issue({ commonName: 'front-proxy-client' }),
  ]);
  await Promise.all([
    writePair(pkiDirectory, 'ca', authorities.cluster),
    writePair(pkiDirectory, 'front-proxy-ca', authorities.frontProxy),
    writePair(pkiDirectory, 'apiserver', apiServer),
    writePair(pkiDirectory, 'apiserver-kubelet-client', kubeletClient),
    writePair(pkiDirectory, 'front-proxy-client', frontProxyClient),
    writeFile(join(pkiDirectory, 'sa.key'), signingKey.privatePem, { mode: 0o600 }),
    writeFile(join(pkiDirectory, 'sa.pub'), signingKey.publicPem, { mode: 0o644 }),
  ]);
}

/** Writes a kubeconfig (mode 0600) for a user, who is in `group` where one is given. */
export async function writeKubeconfig(
  file: string,
  authorities: ClusterAuthorities,
  server: string,
  user: string,
  group?: string,
): Promise<void> {
  const client = await authorities.cluster.issue({
    commonName: user,
    ...(group === undefined ? {} : { organization: group }),
  });
  const text = kubeconfigText({ server, caPem: authorities.cluster.certificatePem, user, client });
  await writeFile(file, text, { mode: 0o600 });
}

async function writePair(directory: string, name: string, pair: CertificatePair): Promise<void> {
  await writeFile(join(directory, `${name}.crt`), pair.certificatePem, { mode: 0o644 });
  await writeFile(join(directory, `${name}.key`), pair.privateKeyPem, { mode: 0o600 });
}
