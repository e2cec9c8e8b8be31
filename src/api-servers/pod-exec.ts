// Runs a command in a container through the API server, as `kubectl exec` does, and gives what it wrote.
import type { KubeConfig } from '@kubernetes/client-node';
import { WebSocket, type RawData } from 'ws';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import type { ApiCall } from './api-call.ts';
import { KubeClient } from './kube-client.ts';
import { presentCredentials } from './kube-credentials.ts';

export interface PodCommand {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  /** Sent to its standard input, whose end it is not told: older servers cannot. Default: it has none. */
  readonly stdin?: Buffer;
  /** From connecting to the end of the command, in ms. */
  readonly timeoutMs: number;
  /** Manifest that grants it, for errors. Default: deploy/rbac.yaml. */
  readonly grantedBy?: string;
}

/** What the command wrote may be secret. */
export interface CommandResult {
  readonly exitCode: number;
  /** Standard output as it came. */
  readonly output: Buffer;
  /** Standard output as text. */
  readonly stdout: string;
  readonly stderr: string;
}

/** https://github.com/kubernetes/kubernetes/tree/master/staging/src/k8s.io/kubelet/pkg/cri/streaming/remotecommand: first byte of each message. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3 } as const;
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
/** Of output, and of an answer that refuses: more is not what was asked for. */
const MAX_BYTES = 16 * 1024 * 1024;
const STDIN_CHUNK_BYTES = 32 * 1024;
/** Until the API server has reached the node's kubelet, in ms. */
const OPEN_TIMEOUT_MS = 15_000;

const statusSchema = z.object({
  status: z.enum(['Success', 'Failure']),
  message: z.string().optional(),
  reason: z.string().optional(),
  details: z.object({ causes: z.array(z.object({ reason: z.string(), message: z.string() })).nullish() }).nullish(),
});

/**
 * @throws API_SERVER_UNREACHABLE (retryable) where the API server or the node's kubelet is away, as while the API server of that node restarts, or
 *   where the connection ends before the command does; API_SERVER_FORBIDDEN; API_SERVER_UNEXPECTED, e.g. where there is no such pod.
 *   `details.begun` is true where the command had shown some output, and so may have done its work.
 */
export async function execInPod(kubeConfig: KubeConfig, run: PodCommand): Promise<CommandResult> {
  const { namespace, pod, container, command } = run;
  const { tls, headers } = await presentCredentials(kubeConfig);
  const client = new KubeClient(kubeConfig);
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/exec`;
  const granted = run.grantedBy === undefined ? {} : { grantedBy: run.grantedBy };
  const call: ApiCall = { verb: 'create', path, resource: 'pods/exec', object: `${namespace}/${pod}`, ...granted };
  const query = new URLSearchParams([
    ['stdout', 'true'],
    ['stderr', 'true'],
    ...(run.stdin === undefined ? [] : [['stdin', 'true'] as [string, string]]),
    ['container', container],
    ...command.map((word): [string, string] => ['command', word]),
  ]);
  const url = `${client.url.replace(/^https/, 'wss')}${path}?${query.toString()}`;
  const options = {
    ...tls,
    headers,
    perMessageDeflate: false,
    maxPayload: MAX_BYTES,
    handshakeTimeout: OPEN_TIMEOUT_MS,
  };
  const socket = new WebSocket(url, PROTOCOLS, options);
  try {
    return await converse(socket, client, call, run);
  } finally {
    socket.on('error', () => undefined);
    socket.terminate();
  }
}

function converse(socket: WebSocket, client: KubeClient, call: ApiCall, run: PodCommand): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const output: Record<1 | 2, Buffer[]> = { [CHANNEL.stdout]: [], [CHANNEL.stderr]: [] };
    let bytes = 0;
    const fail = (reason: string) => reject(interrupted(client.url, call, reason, bytes > 0));
    const timer = setTimeout(() => fail(`the command did not end within ${run.timeoutMs} ms`), run.timeoutMs);
    socket.on('open', () => {
      if (run.stdin !== undefined) void sendInput(socket, run.stdin);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.on('close', (code) => {
      clearTimeout(timer);
      fail(`the connection was closed before the command had ended (${code})`);
    });
    socket.on('unexpected-response', (_, incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', (error) => fail(error.name));
      incoming.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        client
          .refusalOf(call, { status: incoming.statusCode ?? 0, headers: incoming.headers, body })
          .then(reject, reject);
      });
    });
    socket.on('message', (data: RawData) => {
      const message = Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
      const [channel, content] = [message[0], message.subarray(1)];
      if (channel === CHANNEL.stdout || channel === CHANNEL.stderr) {
        output[channel].push(content);
        bytes += content.length;
        if (bytes > MAX_BYTES) fail(`the command wrote more than ${MAX_BYTES} bytes`);
      }
      if (channel !== CHANNEL.status) return;
      const exitCode = exitCodeOf(content.toString('utf8'));
      if (typeof exitCode === 'string') return fail(exitCode);
      const whole = Buffer.concat(output[CHANNEL.stdout]);
      // It may be a secret: of the copies one is left, which is the caller's.
      for (const chunk of output[CHANNEL.stdout]) chunk.fill(0);
      const stderr = Buffer.concat(output[CHANNEL.stderr]).toString('utf8');
      resolve({ exitCode, output: whole, stdout: whole.toString('utf8'), stderr });
    });
  });
}

/** Piece by piece, each when the one before has gone out. What breaks on the way shows by the connection's end. */
async function sendInput(socket: WebSocket, input: Buffer): Promise<void> {
  for (let sent = 0; sent < input.length && socket.readyState === WebSocket.OPEN; sent += STDIN_CHUNK_BYTES) {
    const chunk = input.subarray(sent, sent + STDIN_CHUNK_BYTES);
    const message = Buffer.concat([Buffer.of(CHANNEL.stdin), chunk]);
    await new Promise((resolve) => socket.send(message, resolve));
    message.fill(0);
  }
}

/** The exit code; or why there is none, in words of the API server or the kubelet. */
function exitCodeOf(text: string): number | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return 'the status of the command is not JSON';
  }
  const parsed = statusSchema.safeParse(json);
  if (!parsed.success) return 'the status of the command is not a Status';
  const { status, message, reason, details } = parsed.data;
  if (status === 'Success') return 0;
  const cause = details?.causes?.find((each) => each.reason === 'ExitCode');
  return reason === 'NonZeroExitCode' && cause !== undefined ? Number(cause.message) : (message ?? 'no reason given');
}

function interrupted(server: string, { object }: ApiCall, reason: string, begun: boolean): KeyturnError {
  return new KeyturnError('API_SERVER_UNREACHABLE', `No command can be run in pod ${object ?? ''} now: ${reason}`, {
    subject: object ?? server,
    remedy: "Wait until the pod's kubelet and the API server of its node answer",
    retryable: true,
    details: { reason, begun },
  });
}
