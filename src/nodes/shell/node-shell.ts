// How a script gets to a node: all that a way of access has to bring.

/** What a script left behind. */
export interface ShellAnswer {
  readonly exitCode: number;
  readonly stdout: Buffer;
  /** Text for people; never holds content of files. */
  readonly stderr: string;
}

/** A POSIX shell on one node, as the user whom Keyturn works as there. */
export interface NodeShell {
  readonly node: string;

  /**
   * Runs `sh -c script` with these arguments as `$1`, `$2`, ... What is secret goes in by `stdin` only. Standard input is not always closed at
   * its end: the script must know how much it has to read.
   * @throws NODE_UNREACHABLE where the script could not be started, or the connection broke before its end was known: it may have done its work
   * @throws NODE_PERMISSION_DENIED, NODE_COMMAND_MISSING, CONFIG_INVALID where this way of access cannot work as it is set up
   */
  run(script: string, args: readonly string[], stdin?: Buffer): Promise<ShellAnswer>;
}
