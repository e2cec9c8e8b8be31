// Reading and writing files on a control-plane node.

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

/** File operations on one node. Paths are absolute paths on that node. */
export interface NodeFiles {
  readonly node: string;

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
