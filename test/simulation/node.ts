// One control-plane node of the simulated world: what lies on its disk, and the processes that have read it when they were started.
import { FORMER, OTHER, type Keys } from './keys.ts';

/** Files and manifests. A file that does not exist holds no key. */
export interface Disk {
  /** sa.pub */
  readonly pub: Keys;
  /** sa.key */
  readonly key: Keys;
  /** The files named by kid, beside them. */
  readonly namedPub: Keys;
  readonly namedKey: Keys;
  /** Flags of the API server that name these files. */
  readonly trustsNamed: boolean;
  readonly signsNamed: boolean;
  /** The flag of the controller manager. */
  readonly managerNamed: boolean;
  readonly backUp: boolean;
}

/** Who has to answer for what comes of a start: ours, also where a process dies by itself; or somebody else's. */
export type Cause = 'ours' | 'theirs';

export interface SimulatedNode {
  readonly name: string;
  disk: Disk;
  /** Counts writes to its disk: what was read before one is out of date. */
  version: number;
  /** Of the running API server; while it is down, what it will have. */
  trusted: Keys;
  signer: Keys;
  up: boolean;
  /** While it is down: when it is back, ms. Infinite where the node has left. */
  upAtMs: number;
  startCause: Cause;
  /** Of the running controller manager. */
  managerSigner: Keys;
  /** Others have set it back since we switched it. */
  managerIsTheirs: boolean;
  hasAgent: boolean;
  /** The API server does not come up with the next manifest that is changed. */
  refusesNext: boolean;
}

/** Of a node on which no rotation has done anything. */
export const NOTHING_DONE: Omit<Disk, 'pub' | 'key'> = {
  namedPub: 0,
  namedKey: 0,
  trustsNamed: false,
  signsNamed: false,
  managerNamed: false,
  backUp: false,
};

const AS_SET_UP: Disk = { ...NOTHING_DONE, pub: FORMER | OTHER, key: FORMER };

export function makeNode(name: string, disk: Disk = AS_SET_UP): SimulatedNode {
  return {
    name,
    disk,
    version: 0,
    trusted: trustedBy(disk),
    signer: signerOf(disk),
    up: true,
    upAtMs: 0,
    startCause: 'ours',
    managerSigner: managerSignerOf(disk),
    managerIsTheirs: false,
    hasAgent: false,
    refusesNext: false,
  };
}

/** What an API server trusts that is started now. */
export function trustedBy({ pub, namedPub, trustsNamed }: Disk): Keys {
  return trustsNamed ? pub | namedPub : pub;
}

export function signerOf({ key, namedKey, signsNamed }: Disk): Keys {
  return signsNamed ? namedKey : key;
}

export function managerSignerOf({ key, namedKey, managerNamed }: Disk): Keys {
  return managerNamed ? namedKey : key;
}

/** A manifest names a file that is not there: who is started now does not come. */
export function cannotStart(disk: Disk): boolean {
  return signerOf(disk) === 0 || managerSignerOf(disk) === 0 || (disk.trustsNamed && disk.namedPub === 0);
}

export function differs(disk: Disk, change: Partial<Disk>): boolean {
  return (Object.keys(change) as (keyof Disk)[]).some((name) => disk[name] !== change[name]);
}
