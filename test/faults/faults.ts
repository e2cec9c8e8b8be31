// The faults, as data: where each is tried, what is expected there, and how it is done.
import { readFile } from 'node:fs/promises';
import { probeHttps } from '../../src/demo/https-probe.ts';
import type { FaultScene } from './fault-scene.ts';
import type { Trouble } from './faulty-front.ts';
import { canMakeImmutable, fillDisk, foreignWriter, immutable, truncateNewKeys } from './file-faults.ts';
import { isDone, MOMENT_NAMES, type Moment, type MomentName } from './moments.ts';
import type { Expectation, Fault, Trial } from './trial.ts';

const NOTHING_TO_DO = async () => undefined;
const AT_ONCE = async () => true;

function everywhere(expectation: Expectation): Fault['expected'] {
  return Object.fromEntries(MOMENT_NAMES.map((name) => [name, expectation]));
}

function at(expectation: Expectation, ...moments: readonly MomentName[]): Fault['expected'] {
  return Object.fromEntries(moments.map((name) => [name, expectation]));
}

const hasPassed = async (trial: Trial, moment: Moment): Promise<boolean> => {
  const status = await trial.rotation.status();
  return status !== undefined && isDone(status, moment.step);
};

async function restartWorker(world: FaultScene): Promise<void> {
  await world.killWorker();
  await world.startWorker();
}

const WORKER: readonly Fault[] = [
  {
    name: 'worker killed before the activity',
    how: 'the rotation is paused before the step, then SIGKILL; a new one is started, then the rotation resumed',
    expected: everywhere('goes on'),
    comesBefore: true,
    make: (trial) => ({
      begin: () => trial.rotation.pause(),
      isFelt: async () => (await trial.rotation.status())?.state === 'paused',
      mend: async () => {
        await restartWorker(trial.world);
        await trial.rotation.resume();
      },
    }),
  },
  {
    name: 'worker killed in the activity',
    how: 'SIGKILL as soon as the step runs; started again',
    expected: everywhere('goes on'),
    make: ({ world }) => ({ begin: () => world.killWorker(), isFelt: AT_ONCE, mend: () => world.startWorker() }),
  },
  {
    name: 'worker killed after the activity',
    how: 'SIGKILL as soon as the step is done; started again',
    expected: everywhere('goes on'),
    make: (trial, moment) => ({
      begin: NOTHING_TO_DO,
      isFelt: () => hasPassed(trial, moment),
      mend: () => restartWorker(trial.world),
    }),
  },
  ...(['behind', 'ahead'] as const).map((way): Fault => ({
    name: `worker's clock 10 min ${way}`,
    how: `another worker in its place whose Date is shifted by a preload (TLS and Temporal's core keep the true time), until the step is done, fails or holds`,
    // The phases with waits, and those that change who signs and who is trusted.
    expected: at('either', 'Publishing', 'Signing', 'Draining', 'Untrusting'),
    comesBefore: true,
    blindsWorker: true,
    make: (trial, moment) => ({
      begin: () => trial.world.replaceWorker(`clock 10 min ${way}`),
      isFelt: async () => (await hasPassed(trial, moment)) || (await trial.rotation.pendingFailures()).length > 0,
      mend: () => trial.world.replaceWorker('as it is'),
    }),
  })),
  {
    name: 'two workers on different versions',
    how: 'a worker whose workflow code has more steps becomes the current version while the former one runs on, to the end',
    expected: at('goes on', 'Publishing', 'Signing', 'Draining'),
    lasts: true,
    make: (trial) => ({
      begin: () => trial.world.nextVersion.takeOver(),
      isFelt: async () => (await trial.rotation.buildId()) !== undefined,
      mend: NOTHING_TO_DO,
    }),
  },
];

const SERVERS: readonly Fault[] = [
  {
    name: 'Temporal killed',
    how: 'SIGKILL of the server; started again on its database file',
    expected: everywhere('goes on'),
    make: ({ world: { scene } }) => ({
      begin: () => scene.temporal.kill(),
      isFelt: AT_ONCE,
      mend: () => scene.temporal.start(),
    }),
  },
  {
    name: 'API server killed',
    how: "SIGKILL of the node's kube-apiserver; the node starts it again",
    expected: everywhere('goes on'),
    make: ({ world: { embedded } }, { node }) => {
      const before = embedded.apiServerRestarts(node).length;
      return {
        begin: () => embedded.killApiServer(node),
        isFelt: async () => embedded.apiServerRestarts(node).length > before,
        mend: NOTHING_TO_DO,
      };
    },
  },
  {
    name: 'API server hangs',
    how: 'SIGSTOP of another node’s kube-apiserver until probes outside went unanswered or the step was refused for it, then SIGCONT',
    expected: everywhere('goes on'),
    make: (trial, moment) => {
      const node = moment.node === 'node-3' ? 'node-1' : 'node-3';
      const unanswered = () => trial.counts()?.byParty[node]?.unreachable ?? 0;
      const before = unanswered();
      return {
        begin: () => trial.world.embedded.freezeApiServer(node),
        isFelt: async () => unanswered() > before + 1,
        mend: () => trial.world.embedded.thawApiServer(node),
      };
    },
  },
  {
    name: 'controller manager killed',
    how: "SIGKILL of the node's kube-controller-manager; the node starts it again",
    expected: everywhere('goes on'),
    make: ({ world: { embedded } }, { node }) => ({
      begin: () => embedded.killControllerManager(node),
      isFelt: AT_ONCE,
      mend: NOTHING_TO_DO,
    }),
  },
  {
    name: 'etcd member lost',
    how: 'SIGKILL of one of three members until the step is done without it; started again on its data',
    expected: everywhere('goes on'),
    comesBefore: true,
    make: (trial, moment) => ({
      begin: () => trial.world.embedded.killEtcd(1),
      isFelt: () => hasPassed(trial, moment),
      mend: () => trial.world.embedded.startEtcd(),
    }),
  },
  {
    name: 'etcd without quorum',
    how: 'SIGKILL of two of three members until no API server says that it is ready; started again on their data',
    expected: everywhere('goes on'),
    make: ({ world: { embedded } }) => ({
      begin: () => embedded.killEtcd(2),
      isFelt: async () => {
        const caPem = await readFile(embedded.caPath, 'utf8');
        const answers = embedded.nodes.map(({ apiServerUrl }) => probeHttps({ url: `${apiServerUrl}/readyz`, caPem }));
        return (await Promise.all(answers)).every((answer) => answer !== 200);
      },
      mend: () => embedded.startEtcd(),
    }),
  },
  {
    name: 'network to a node cut',
    how: 'a proxy between the worker and the node’s API server ends every connection until a step failed for it or was done without it',
    expected: everywhere('goes on'),
    comesBefore: true,
    make: (trial, moment) => ({
      begin: async () => trial.world.cables.get(moment.node)?.cut(),
      isFelt: async () => (await hasPassed(trial, moment)) || (await trial.rotation.pendingFailures()).length > 0,
      mend: async () => trial.world.cables.get(moment.node)?.restore(),
    }),
  },
];

const ENOUGH_TROUBLE = 6;
/** More than what one activity tries by itself. */
const LOST_RACES = 21;

function blobStore(
  name: string,
  trouble: Trouble,
  how: string,
  expected: Fault['expected'],
  enough: number = ENOUGH_TROUBLE,
): Fault {
  return {
    name,
    how: `${how}, for ${enough} requests or until the rotation holds`,
    expected,
    comesBefore: true,
    make: (trial, moment) => ({
      begin: async () => trial.world.front.begin(trouble),
      isFelt: async () =>
        trial.world.front.troubled >= enough || (trouble === 'writes answered 412' && (await hasPassed(trial, moment))),
      mend: async () => trial.world.front.end(),
    }),
  };
}

const BLOB_STORE: readonly Fault[] = [
  blobStore('Blob store away', 'away', 'connections end without an answer', everywhere('goes on')),
  blobStore('Blob store slow', 'slow', 'each answer comes 3 s late', everywhere('goes on')),
  blobStore('Blob store stale', 'stale', 'reads are answered as before', everywhere('either')),
  blobStore(
    'Blob store answers 412',
    'writes answered 412',
    'every write lost a race',
    at('goes on', 'Publishing', 'Pruning'),
    LOST_RACES,
  ),
  blobStore('Blob store answers 403', 'answered 403', 'nobody may read or write', everywhere('either')),
];

const FILES: readonly Fault[] = [
  {
    name: 'disk full on a node',
    how: 'the pki folder of the node is a file system of 1 MiB that is filled to the last byte until the rotation holds',
    expected: at('holds', 'Trusting', 'Signing', 'Untrusting'),
    comesBefore: true,
    isPossible: async ({ hasSmallDisks }) => hasSmallDisks,
    make: (trial, moment) => fillDisk(trial.world.pkiOf(moment.node), () => hasPassed(trial, moment)),
  },
  {
    name: 'manifests folder read-only',
    how: 'chattr +i on the folder of the node until the rotation holds',
    expected: at('holds', 'Trusting', 'Signing', 'Untrusting'),
    comesBefore: true,
    isPossible: ({ scene }) => canMakeImmutable(scene.directory),
    make: (trial, moment) => immutable(trial.world.manifestsOf(moment.node), () => hasPassed(trial, moment)),
  },
  {
    name: 'manifest changed by another',
    how: 'another writer adds a comment to the manifest again and again until a step was refused for it or is done',
    expected: at('goes on', 'Trusting', 'Signing', 'Untrusting'),
    make: foreignWriter,
  },
  {
    name: 'key file truncated',
    how: 'each key file that the rotation brings to the node is emptied at once, until the rotation holds',
    // An API server that has read it before it was emptied goes on.
    expected: at('either', 'Trusting', 'Signing'),
    comesBefore: true,
    make: (trial, moment) => truncateNewKeys(trial.world.pkiOf(moment.node), () => hasPassed(trial, moment)),
  },
];

export const FAULTS: readonly Fault[] = [...WORKER, ...SERVERS, ...BLOB_STORE, ...FILES];

/** @throws RangeError for a name that no fault has */
export function faultNamed(name: string): Fault {
  const fault = FAULTS.find((each) => each.name === name);
  if (fault === undefined)
    throw new RangeError(`no fault "${name}"; there are: ${FAULTS.map((each) => each.name).join(', ')}`);
  return fault;
}
