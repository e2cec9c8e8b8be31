// What a rotation asks of probe pods: ordinary pods with a projected token, as workloads have it.
import type { Kid } from '../rotation/key.ts';
import type { Problem } from '../rotation/observation.ts';
import type { ProbePodPlan } from '../rotation/probe-pod-plan.ts';
import type { StepControl } from '../platforms/port.ts';

/** `lasting` is there before the change of keys and after it; `fresh` is started when everyone signs with the new key. */
export type ProbePodRole = 'lasting' | 'fresh';

/** A pod that runs. */
export interface ProbePod {
  readonly name: string;
  /** For people, e.g. `pod keyturn-verify/keyturn-verify-abc-fresh on node-1`. */
  readonly description: string;
  readonly uid: string;
  readonly node: string;
  /** RFC 3339 */
  readonly createdAt: string;
}

/** A bearer token: a secret. Never logged or returned from an activity. Times by the clock of the API server that minted it, ms since the epoch. */
export interface PodToken {
  readonly token: string;
  readonly kid: Kid;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Something that a rotation left, or still uses. */
export interface ProbePodLeftover {
  /** As kubectl takes it, e.g. `pod/keyturn-verify-abc` or `namespace/keyturn-verify`. */
  readonly object: string;
  readonly rotationId: string;
  /** RFC 3339 */
  readonly createdAt: string;
}

/** What is made carries labels by which a later call, also of another process, finds it. Every method can be called again. */
export interface ProbePods {
  readonly plan: ProbePodPlan;
  readonly namespace: string;
  /** Of the pods' tokens. */
  readonly audience: string;
  /** Rights that the probe pods need and Keyturn does not have. @throws API_SERVER_UNREACHABLE */
  missingPermissions(): Promise<readonly Problem[]>;
  /**
   * The pod of this role and rotation, running: the one that is there, or a new one. Pods of other rotations are removed.
   * @throws PROBE_POD_UNREADY where it does not run in time, API_SERVER_FORBIDDEN where it may not be made
   */
  start(rotationId: string, role: ProbePodRole, control: StepControl): Promise<ProbePod>;
  /** Null where no such pod runs. */
  find(rotationId: string, role: ProbePodRole): Promise<ProbePod | null>;
  /** The token in the pod's file. @throws PROBE_POD_UNREADY where it cannot be read in time */
  readToken(pod: ProbePod, control: StepControl): Promise<PodToken>;
  remove(rotationId: string, role: ProbePodRole, control: StepControl): Promise<void>;
  /** Everything that was made for probe pods, of whichever rotation. @returns how many objects there were */
  removeAll(control: StepControl): Promise<number>;
  /** What `removeAll` would remove. */
  leftovers(): Promise<readonly ProbePodLeftover[]>;
}
