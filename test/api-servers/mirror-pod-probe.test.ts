// What a mirror pod says of a controller manager. Pods as kubelet 1.37.2 writes them, shortened; test/kubelet asks a real one.
import { expect, test } from 'vitest';
import type { KubeClient } from '../../src/api-servers/kube-client.ts';
import { createMirrorPodProbe } from '../../src/api-servers/mirror-pod-probe.ts';
import { KeyturnError } from '../../src/errors.ts';

const SEEN = '2026-11-27T11:22:22.840586123Z';
const RUNNING = { ready: true, state: { running: { startedAt: '2026-11-27T11:22:38Z' } } };

type Answer = { readonly status: number; readonly body?: unknown } | KeyturnError;

function pod(
  containerStatuses?: readonly object[],
  annotations: object = { 'kubernetes.io/config.seen': SEEN },
): Answer {
  return { status: 200, body: { metadata: { annotations }, status: { containerStatuses } } };
}
const refused = (retryable: boolean) =>
  new KeyturnError('API_SERVER_FORBIDDEN', 'No', { subject: 'x', remedy: 'Allow', retryable });

/** Its start and health at each answer, one after the other. */
async function ask(...answers: readonly Answer[]): Promise<readonly (readonly [number | undefined, boolean])[]> {
  const asked: string[] = [];
  let answer: Answer;
  const call = async ({ path }: { path: string }) => {
    asked.push(path);
    if (answer instanceof KeyturnError) throw answer;
    return answer;
  };
  const probe = createMirrorPodProbe({ call } as unknown as KubeClient, 'kube-controller-manager-node-1');
  const seen: [number | undefined, boolean][] = [];
  for (answer of answers) seen.push([await probe.startTime(), await probe.healthy()]);
  expect(new Set(asked)).toEqual(new Set(['/api/v1/namespaces/kube-system/pods/kube-controller-manager-node-1']));
  return seen;
}

test('a pod that runs tells when kubelet first saw its manifest', async () => {
  expect(await ask(pod([RUNNING]))).toEqual([[Date.parse(SEEN), true]]);
});

test.each([
  ['has no container yet', pod()],
  ['is not ready', pod([{ ...RUNNING, ready: false }])],
  ['has a container that waits', pod([{ ready: true, state: { waiting: { reason: 'CrashLoopBackOff' } } }])],
  ['has two containers, of which one is away', pod([RUNNING, { ready: false, state: null }])],
])('a pod that %s is not healthy', async (_, answer) => {
  expect(await ask(answer)).toEqual([[Date.parse(SEEN), false]]);
});

test('where nothing can be known nothing speaks against it', async () => {
  const unknown = [undefined, true];
  expect(await ask({ status: 404 }, refused(false), pod([RUNNING], {}))).toEqual([unknown, unknown, unknown]);
});

test('one that is gone, or cannot be asked now, is on its way', async () => {
  const away = [undefined, false];
  expect(await ask(refused(true), pod([RUNNING]), { status: 404 })).toEqual([away, [Date.parse(SEEN), true], away]);
});
