// A worker with the real workflow, and activities that bring it straight to its wait: its memory is that of waiting rotations.
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Preflight, RotationInput } from '../src/activities/contract.ts';
import { computeDrain } from '../src/rotation/drain.ts';
import { comparePhases } from '../src/rotation/phase.ts';
import { makePlan } from '../src/rotation/make-plan.ts';

const tokenLifetimes = { maxTokenExpirationMs: null, extendTokenExpiration: true } as const;
function preflight({ cluster = '' }: RotationInput): Promise<Preflight> {
  const drain = computeDrain({ policy: 'refreshing' }, tokenLifetimes);
  if ('refused' in drain) throw new Error(drain.refused);
  const capabilities = { ordering: 'staged', rollBack: true } as const;
  const plan = makePlan({
    capabilities,
    nodes: ['node-1', 'node-2', 'node-3'],
    relyingPartyCacheMs: 0,
    drain,
    probePod: null,
  });
  return Promise.resolve({
    outcome: 'ready',
    cluster,
    rotationId: 'bench',
    plan,
    gates: [],
    policies: { allowSingleApiServer: false, legacyTokens: 'hold' },
    tokenLifetimes,
    former: { kid: 'former', alg: 'RS256' },
    keyVersion: 2,
    // Taken up after Verifying: what came before leaves nothing in the worker's memory.
    doneBefore: plan.steps.filter(({ phase }) => comparePhases(phase, 'Verifying') <= 0).map(({ id }) => id),
    takenUp: true,
    next: { kid: 'next', alg: 'RS256' },
    publishedAt: new Date().toISOString(),
    verifiedAt: new Date().toISOString(),
    canRollBack: true,
    startedBy: 'bench',
    warnings: [],
    searchable: false,
  });
}

const connection = await NativeConnection.connect({ address: process.env['BENCH_TEMPORAL_ADDRESS'] ?? '' });
const worker = await Worker.create({
  connection,
  taskQueue: process.env['BENCH_TASK_QUEUE'] ?? '',
  workflowsPath: fileURLToPath(new URL('../src/workflows/index.ts', import.meta.url)),
  activities: {
    preflight,
    refresh: () => Promise.resolve({ changed: false, proof: 'none', at: new Date().toISOString() }),
  },
});
await worker.run();
