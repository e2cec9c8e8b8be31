// Static pod manifests in the shape and formatting in which kubeadm writes them.

/** Flags without the leading dashes. */
export type Flags = Readonly<Record<string, string>>;

export interface ApiServerManifest {
  readonly port: number;
  /** Folder that the pod sees as /etc/kubernetes/pki. */
  readonly pkiDirectory: string;
  readonly etcdUrls: readonly string[];
  readonly issuer: string;
  readonly version: string;
  /** `terminationGracePeriodSeconds`, which kubeadm leaves to its default of 30. */
  readonly gracePeriodSeconds: number;
  readonly extraFlags: Flags;
}

export function apiServerManifest(manifest: ApiServerManifest): string {
  const pki = '/etc/kubernetes/pki';
  const flags: Flags = {
    'advertise-address': '127.0.0.1',
    'allow-privileged': 'true',
    'authorization-mode': 'Node,RBAC',
    'bind-address': '127.0.0.1',
    'client-ca-file': `${pki}/ca.crt`,
    'enable-admission-plugins': 'NodeRestriction',
    'enable-bootstrap-token-auth': 'true',
    'endpoint-reconciler-type': 'none',
    'etcd-servers': manifest.etcdUrls.join(),
    'kubelet-client-certificate': `${pki}/apiserver-kubelet-client.crt`,
    'kubelet-client-key': `${pki}/apiserver-kubelet-client.key`,
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
    'proxy-client-cert-file': `${pki}/front-proxy-client.crt`,
    'proxy-client-key-file': `${pki}/front-proxy-client.key`,
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-client-ca-file': `${pki}/front-proxy-ca.crt`,
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-username-headers': 'X-Remote-User',
    'secure-port': String(manifest.port),
    'service-account-issuer': manifest.issuer,
    'service-account-key-file': `${pki}/sa.pub`,
    'service-account-signing-key-file': `${pki}/sa.key`,
    'service-cluster-ip-range': '10.96.0.0/12',
    'tls-cert-file': `${pki}/apiserver.crt`,
    'tls-private-key-file': `${pki}/apiserver.key`,
    ...manifest.extraFlags,
  };
  return podManifest({
    name: 'kube-apiserver',
    annotation: `kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 127.0.0.1:${manifest.port}`,
    flags,
    version: manifest.version,
    port: manifest.port,
    cpuRequest: '250m',
    gracePeriodSeconds: manifest.gracePeriodSeconds,
    volumes: [
      { name: 'ca-certs', mountPath: '/etc/ssl/certs', hostPath: '/etc/ssl/certs', type: 'DirectoryOrCreate' },
      { name: 'k8s-certs', mountPath: pki, hostPath: manifest.pkiDirectory, type: 'DirectoryOrCreate' },
    ],
  });
}

export interface ControllerManagerManifest {
  readonly port: number;
  /** Folder that the pod sees as /etc/kubernetes/pki. */
  readonly pkiDirectory: string;
  /** File that the pod sees as /etc/kubernetes/controller-manager.conf. */
  readonly kubeconfigPath: string;
  readonly version: string;
  readonly extraFlags: Flags;
}

export function controllerManagerManifest(manifest: ControllerManagerManifest): string {
  const pki = '/etc/kubernetes/pki';
  const kubeconfig = '/etc/kubernetes/controller-manager.conf';
  const flags: Flags = {
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'client-ca-file': `${pki}/ca.crt`,
    'cluster-name': 'kubernetes',
    'cluster-signing-cert-file': `${pki}/ca.crt`,
    'cluster-signing-key-file': `${pki}/ca.key`,
    controllers: '*,bootstrapsigner,tokencleaner',
    kubeconfig,
    'leader-elect': 'true',
    'requestheader-client-ca-file': `${pki}/front-proxy-ca.crt`,
    'root-ca-file': `${pki}/ca.crt`,
    // Not in kubeadm's list (it takes the default 10257), but here three share one address.
    'secure-port': String(manifest.port),
    'service-account-private-key-file': `${pki}/sa.key`,
    'use-service-account-credentials': 'true',
    ...manifest.extraFlags,
  };
  return podManifest({
    name: 'kube-controller-manager',
    flags,
    version: manifest.version,
    port: manifest.port,
    cpuRequest: '200m',
    volumes: [
      { name: 'ca-certs', mountPath: '/etc/ssl/certs', hostPath: '/etc/ssl/certs', type: 'DirectoryOrCreate' },
      { name: 'k8s-certs', mountPath: pki, hostPath: manifest.pkiDirectory, type: 'DirectoryOrCreate' },
      { name: 'kubeconfig', mountPath: kubeconfig, hostPath: manifest.kubeconfigPath, type: 'FileOrCreate' },
    ],
  });
}

interface Volume {
  readonly name: string;
  readonly mountPath: string;
  readonly hostPath: string;
  readonly type: 'DirectoryOrCreate' | 'FileOrCreate';
}

interface Pod {
  readonly name: string;
  readonly annotation?: string;
  readonly flags: Flags;
  readonly version: string;
  readonly port: number;
  readonly cpuRequest: string;
  readonly gracePeriodSeconds?: number;
  readonly volumes: readonly Volume[];
}

function podManifest(pod: Pod): string {
  const flags = Object.entries(pod.flags).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const annotations = pod.annotation === undefined ? '' : `  annotations:\n    ${pod.annotation}\n`;
  const grace =
    pod.gracePeriodSeconds === undefined ? '' : `  terminationGracePeriodSeconds: ${pod.gracePeriodSeconds}\n`;
  const livePath = pod.name === 'kube-apiserver' ? '/livez' : '/healthz';
  return `apiVersion: v1
kind: Pod
metadata:
${annotations}  labels:
    component: ${pod.name}
    tier: control-plane
  name: ${pod.name}
  namespace: kube-system
spec:
  containers:
  - command:
    - ${pod.name}
${flags.map(([name, value]) => `    - --${name}=${value}\n`).join('')}    image: registry.k8s.io/${pod.name}:v${pod.version}
    imagePullPolicy: IfNotPresent
${probe('livenessProbe', livePath, 8, 10, 15)}    name: ${pod.name}
    ports:
    - containerPort: ${pod.port}
      name: probe-port
      protocol: TCP
${pod.name === 'kube-apiserver' ? probe('readinessProbe', '/readyz', 3, 1, 15, false) : ''}    resources:
      requests:
        cpu: ${pod.cpuRequest}
${probe('startupProbe', livePath, 24, 10, 15)}    volumeMounts:
${pod.volumes.map(mountText).join('')}  hostNetwork: true
  priority: 2000001000
  priorityClassName: system-node-critical
  securityContext:
    seccompProfile:
      type: RuntimeDefault
${grace}  volumes:
${pod.volumes.map(volumeText).join('')}status: {}
`;
}

function probe(
  name: string,
  path: string,
  failureThreshold: number,
  periodSeconds: number,
  timeoutSeconds: number,
  delayed = true,
): string {
  return `    ${name}:
      failureThreshold: ${failureThreshold}
      httpGet:
        host: 127.0.0.1
        path: ${path}
        port: probe-port
        scheme: HTTPS
${delayed ? '      initialDelaySeconds: 10\n' : ''}      periodSeconds: ${periodSeconds}
      timeoutSeconds: ${timeoutSeconds}
`;
}

function mountText(volume: Volume): string {
  return `    - mountPath: ${volume.mountPath}\n      name: ${volume.name}\n      readOnly: true\n`;
}

function volumeText(volume: Volume): string {
  return `  - hostPath:\n      path: ${volume.hostPath}\n      type: ${volume.type}\n    name: ${volume.name}\n`;
}
