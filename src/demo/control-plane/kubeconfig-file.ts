// A kubeconfig with everything embedded, as kubeadm writes it.
import type { CertificatePair } from '../certificate-authority.ts';

export interface KubeconfigContent {
  readonly server: string;
  readonly caPem: string;
  readonly user: string;
  readonly client: CertificatePair;
}

export function kubeconfigText(content: KubeconfigContent): string {
  const context = `${content.user}@kubernetes`;
  return `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${base64(content.caPem)}
    server: ${content.server}
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: ${content.user}
  name: ${context}
current-context: ${context}
kind: Config
preferences: {}
users:
- name: ${content.user}
  user:
    client-certificate-data: ${base64(content.client.certificatePem)}
    client-key-data: ${base64(content.client.privateKeyPem)}
`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
