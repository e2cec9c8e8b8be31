// Reading and writing files on a control-plane node.
import type { Problem } from '../rotation/observation.ts';

export interface NodeFile {
  readonly content: string;
  /** Permission bits, e.g. 0o600. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** When the content was written last, in ms since the epoch by the node's own clock (not the worker's). */
  readonly modifiedAtMs: number;
  /** Hex SHA-256 of the content. */
  readonly sha256: string;
}

export interface WriteOptions {
  /** Permission bits of the new file, in force from its first byte on. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Directory for the temporary file that is renamed into place, where the target's own directory is watched. Same filesystem. */
  readonly stagingDirectory?: string;
  /** Fails with FILE_CHANGED unless the file now has this SHA-256 (`null`: unless there is no file). */
  readonly expectedSha256?: string | null;
}

/** A file as it is to be again. */
export interface PutBack {
  readonly path: string;
  /** May be a secret. */
  readonly content: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** SHA-256 of what we have written, or are about to write: a file that holds anything else is left alone. */
  readonly onlyIfSha256: string;
}

/**
 * Puts files back by itself, on the node, unless it is disarmed in time: for ways of access that do not reach the node while its own API
 * server is away. What is armed survives a restart of whatever watches.
 */
export interface NodeWatchdog {
  /**
   * Puts these files back, in this order, unless disarmed within that time; takes the place of what was armed before. Settles when it is
   * sure to be watched. @throws NODE_UNREACHABLE, NODE_DISK_FULL, NODE_PERMISSION_DENIED: nothing is armed then
   */
  arm(putBacks: readonly PutBack[], afterMs: number): Promise<void>;
  /**
   * Nothing is armed and nothing is being put back afterwards.
   * @returns true where something was armed, and has not been put back; else the files tell whether something was put back, or nothing armed
   * @throws NODE_UNREACHABLE
   */
  disarm(): Promise<boolean>;
}

/** An agent that is there now. */
export interface PresentAgent {
  /** Of its pod. */
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  /** What it was made for, e.g. `rotation-1a2b3c4d`. */
  readonly purpose: string;
  /** RFC 3339 */
  readonly createdAt: string;
}

/** What a way of access has made in the cluster to reach its nodes. */
export interface NodeAgents {
  /** Rights that they take and Keyturn does not have. @throws API_SERVER_UNREACHABLE */
  missingPermissions(): Promise<readonly Problem[]>;
  /** For what they are made from now on, e.g. `rotation-1a2b3c4d`: it stands on each of them. */
  workFor(purpose: string): void;
  /**
   * Removes all of them. They are made again when they are next needed.
   * @returns names of those that were there
   * @throws API_SERVER_UNREACHABLE API_SERVER_FORBIDDEN
   */
  release(): Promise<readonly string[]>;
  /** All of the cluster, whoever made them. @throws as above */
  present(): Promise<readonly PresentAgent[]>;
}

/** File operations on one node. Paths are absolute paths on that node. */
export interface NodeFiles {
  readonly node: string;
  /** Where this way of access needs one. */
  readonly watchdog?: NodeWatchdog;

  /** `undefined` where there is no such file. @throws NODE_UNREACHABLE, NODE_PERMISSION_DENIED, FILE_UNREADABLE (a directory, or not UTF-8) */
  read(path: string): Promise<NodeFile | undefined>;

  /**
   * The last `maxBytes` of a file that may be large and grow meanwhile, such as a log; a character that the cut goes through is replaced.
   * `undefined` where there is no such file. Not every access has it. @throws NODE_UNREACHABLE, NODE_PERMISSION_DENIED, FILE_UNREADABLE
   */
  readTail?(path: string, maxBytes: number): Promise<string | undefined>;

  /**
   * Writes atomically: a reader sees the former content or the new one, never a part. What was written is read back and compared.
   * Missing parent directories are made with mode 0700.
   * @throws FILE_CHANGED, NODE_DISK_FULL, NODE_PERMISSION_DENIED, NODE_UNREACHABLE
   */
  write(path: string, content: string, options: WriteOptions): Promise<void>;

  /** Names in a directory, sorted; empty where it does not exist. */
  list(directory: string): Promise<readonly string[]>;

  /** Removes a file, or a directory with all that is in it. Nothing happens if it is gone already. */
  remove(path: string): Promise<void>;
}
