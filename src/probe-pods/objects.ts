// The Kubernetes objects of probe pods, as they are made.
import type { ProbePodRole } from './port.ts';

/** Of everything that is made for probe pods, and of nothing else. */
export const probePodLabels = {
  'app.kubernetes.io/managed-by': 'keyturn',
  'app.kubernetes.io/component': 'probe-pod',
} as const;

export const ROTATION_LABEL = 'keyturn.dev/rotation';
const CLUSTER_LABEL = 'keyturn.dev/cluster';

export const SERVICE_ACCOUNT = 'keyturn-verify';
export const CONTAINER = 'probe';

/**
 * Volume, folder and file are those of the webhook of Azure Workload Identity: where it is installed it finds its volume there and leaves it alone,
 * so that audience and lifetime are ours.
 */
const AZURE_TOKEN = 'azure-identity-token';
const AZURE_TOKEN_FOLDER = '/var/run/secrets/azure/tokens';
const TOKEN_FILE = `${AZURE_TOKEN_FOLDER}/${AZURE_TOKEN}`;

/** As nobody: the images that have `cat` and `sleep` usually say nothing, which means root. */
const USER_ID = 65_534;

/** Kubelet ends the container then, whatever became of Keyturn. A rotation may wait at a gate for weeks. */
const DEADLINE_SECONDS = { lasting: 30 * 24 * 3600, fresh: 3600 } as const;

export interface ProbePodOptions {
  readonly cluster: string;
  readonly image: string;
  readonly namespace: string;
  readonly audience: string;
  readonly tokenLifetimeMs: number;
  /** File in the pod that somebody else, such as an admission webhook, puts a token into; default: one of ours. */
  readonly tokenFile?: string;
  /** Of the ServiceAccount and of the pods, besides ours. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** As Kubernetes writes them. */
  readonly tolerations: readonly object[];
  /** Names of Secrets in the namespace. */
  readonly imagePullSecrets: readonly string[];
}

export function tokenFileOf({ tokenFile }: ProbePodOptions): string {
  return tokenFile ?? TOKEN_FILE;
}

export function podName(rotationId: string, role: ProbePodRole): string {
  return `${SERVICE_ACCOUNT}-${rotationId}-${role}`;
}

export function namespaceObject(options: ProbePodOptions, rotationId: string) {
  const labels = { ...ourLabels(options, rotationId), 'pod-security.kubernetes.io/enforce': 'restricted' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: options.namespace, labels } };
}

export function serviceAccountObject(options: ProbePodOptions, rotationId: string) {
  const labels = { ...options.labels, ...ourLabels(options, rotationId) };
  const metadata = { name: SERVICE_ACCOUNT, labels, annotations: options.annotations };
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata, automountServiceAccountToken: false };
}

/** Fits the Pod Security standard `restricted`, and has no access to the API. */
export function podObject(options: ProbePodOptions, rotationId: string, role: ProbePodRole) {
  const deadlineSeconds = DEADLINE_SECONDS[role];
  const ours = options.tokenFile === undefined;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(rotationId, role),
      labels: { ...options.labels, ...ourLabels(options, rotationId) },
      annotations: options.annotations,
    },
    spec: {
      serviceAccountName: SERVICE_ACCOUNT,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      // A pod that runs has then never been restarted.
      restartPolicy: 'Never',
      activeDeadlineSeconds: deadlineSeconds,
      terminationGracePeriodSeconds: 1,
      nodeSelector: options.nodeSelector,
      tolerations: options.tolerations,
      imagePullSecrets: options.imagePullSecrets.map((name) => ({ name })),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER_ID,
        runAsGroup: USER_ID,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: CONTAINER,
          image: options.image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', String(deadlineSeconds)],
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '32Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: ours ? [{ name: AZURE_TOKEN, mountPath: AZURE_TOKEN_FOLDER, readOnly: true }] : [],
        },
      ],
      volumes: ours ? [tokenVolume(options)] : [],
    },
  };
}

function tokenVolume({ audience, tokenLifetimeMs }: ProbePodOptions) {
  const serviceAccountToken = { path: AZURE_TOKEN, audience, expirationSeconds: Math.round(tokenLifetimeMs / 1000) };
  return { name: AZURE_TOKEN, projected: { sources: [{ serviceAccountToken }] } };
}

function ourLabels({ cluster }: ProbePodOptions, rotationId: string): Readonly<Record<string, string>> {
  return { ...probePodLabels, [CLUSTER_LABEL]: cluster, [ROTATION_LABEL]: rotationId };
}
