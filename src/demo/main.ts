// npm run demo: one rotation, or several, on a real highly available control plane, with workloads that notice every refused token.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { whyNoKubeletBed } from './kubelet/bed-requirements.ts';
import { runDemo } from './run-demo.ts';

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be a whole number from 1 on');
  return value;
}

const program = new Command('demo')
  .description(
    'shows a whole rotation on three real kube-apiservers; needs nothing but Node and a network for the first time',
  )
  .option('--rotations <n>', 'how many, one after the other', positiveInteger, 1)
  .option('--kubelet', 'on real nodes: kubelet, containerd and kubeadm in namespaces; Linux, as root')
  .option('--keep', 'leave everything up afterwards, until Ctrl-C');
const options = program.parse().opts<{ rotations: number; keep?: boolean; kubelet?: boolean }>();

if (options.kubelet) {
  const reason = await whyNoKubeletBed();
  if (reason !== undefined) program.error(reason);
}

const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-demo-'));
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
try {
  const succeeded = await runDemo({
    directory,
    rotations: options.rotations,
    keep: options.keep === true,
    kubelet: options.kubelet === true,
    signal: interrupted.signal,
  });
  process.exitCode = succeeded ? 0 : 1;
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  process.exitCode = 130;
} finally {
  await rm(directory, { recursive: true, force: true });
}
// Nothing of ours is left; a stray handle must not keep the terminal.
process.exit();
