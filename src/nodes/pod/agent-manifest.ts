// The agent pod of one node, as it is asked for: what it may see and do there, and by what it is found again.
import { createHash } from 'node:crypto';
import { AGENT_SCRIPT } from './agent-script.ts';

export interface AgentSettings {
  /** Name in keyturn.yaml. */
  readonly cluster: string;
  readonly namespace: string;
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Names of Secrets in that namespace. */
  readonly imagePullSecrets: readonly string[];
  /** Folders of the node that the agent sees, at the same paths. */
  readonly hostPaths: readonly string[];
  /** SELinux type of the agent's process; default: the container runtime's. */
  readonly seLinuxType?: string;
  /** `read-only` for whoever only looks: `keyturn plan` and `keyturn doctor`. They have agents of their own. */
  readonly access: 'read-write' | 'read-only';
  /** Folder on the node where its watchdog looks for what it is to put back; unused by read-only agents. */
  readonly watchdogFolder: (node: string) => string;
}

export const AGENT_CONTAINER = 'agent';

/** Of agent pods, and of nothing else. */
export const AGENT_LABELS = {
  'app.kubernetes.io/name': 'keyturn',
  'app.kubernetes.io/managed-by': 'keyturn',
  'app.kubernetes.io/component': 'node-agent',
} as const;

export const CLUSTER_LABEL = 'keyturn.dev/cluster';
/** `rotation-<id>`, or which command of the CLI made it. */
export const PURPOSE_LABEL = 'keyturn.dev/purpose';
export const NODE_ANNOTATION = 'keyturn.dev/node';
/** SHA-256 of the specification: an agent of other settings, or of another version of Keyturn, is replaced. */
export const SPEC_ANNOTATION = 'keyturn.dev/spec';

/** For how long the node keeps an agent that nobody removes, in seconds. Whoever needs one for longer gets a new one. */
export const AGENT_LIFETIME_S = 3600;

/**
 * The first reads and writes what belongs to any user, as key files may; the second gives a new file the owner of its predecessor. That no
 * other capability is needed, and neither of these can be left out, is what test/nodes/shell tries.
 */
const CAPABILITIES = ['DAC_OVERRIDE', 'CHOWN'] as const;

/** A name that is the same for every worker, so that agents left behind are found and used; with `suffix`, one that is nobody else's. */
export function agentName({ cluster }: AgentSettings, node: string, suffix = ''): string {
  const words = node
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 35)
    .replaceAll(/^-|-$/g, '');
  const id = createHash('sha256').update(`${cluster}/${node}/${suffix}`).digest('hex').slice(0, 10);
  return `keyturn-agent-${words}-${id}`;
}

function agentLabels({ cluster }: Pick<AgentSettings, 'cluster'>, purpose: string): Record<string, string> {
  return { ...AGENT_LABELS, [CLUSTER_LABEL]: cluster, [PURPOSE_LABEL]: labelValue(purpose) };
}

/** Hash of everything that makes two agents of a node differ. */
export function specHash(settings: AgentSettings, node: string): string {
  return createHash('sha256')
    .update(JSON.stringify(specOf(settings, node)))
    .digest('hex')
    .slice(0, 16);
}

/** @param createdAt RFC 3339 */
export function agentPod(
  settings: AgentSettings,
  { node, name, purpose, createdAt }: Readonly<Record<'node' | 'name' | 'purpose' | 'createdAt', string>>,
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: settings.namespace,
      labels: agentLabels(settings, purpose),
      annotations: {
        [NODE_ANNOTATION]: node,
        [SPEC_ANNOTATION]: specHash(settings, node),
        'keyturn.dev/created-at': createdAt,
      },
    },
    spec: specOf(settings, node),
  };
}

function specOf(settings: AgentSettings, node: string) {
  const readOnly = settings.access === 'read-only';
  const volumes = settings.hostPaths.map((path, index) => ({ name: `host-${index}`, path }));
  return {
    // Not by the scheduler: there is no choice, and the node may be cordoned.
    nodeName: node,
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'system-node-critical',
    restartPolicy: 'Always',
    activeDeadlineSeconds: AGENT_LIFETIME_S,
    terminationGracePeriodSeconds: 5,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    hostNetwork: false,
    ...(settings.imagePullSecrets.length === 0
      ? {}
      : { imagePullSecrets: settings.imagePullSecrets.map((name) => ({ name })) }),
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      seccompProfile: { type: 'RuntimeDefault' },
      ...(settings.seLinuxType === undefined ? {} : { seLinuxOptions: { type: settings.seLinuxType } }),
    },
    containers: [
      {
        name: AGENT_CONTAINER,
        image: settings.image,
        imagePullPolicy: settings.imagePullPolicy,
        command: ['sh', '-c', AGENT_SCRIPT, 'keyturn-agent', ...(readOnly ? [] : [settings.watchdogFolder(node)])],
        securityContext: {
          privileged: false,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'], add: readOnly ? ['DAC_OVERRIDE'] : CAPABILITIES },
        },
        // Tells in the pod's status which commands the image lacks.
        terminationMessagePolicy: 'FallbackToLogsOnError',
        resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '128Mi' } },
        volumeMounts: volumes.map(({ name, path }) => ({ name, mountPath: path, readOnly })),
      },
    ],
    volumes: volumes.map(({ name, path }) => ({ name, hostPath: { path, type: 'Directory' } })),
  };
}

function labelValue(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}
