// How `ssh` is called: nothing is asked of a person, nothing of the user's own configuration is weakened.

/** Where a node is and as whom it is worked on. What is absent is as the user's ssh configuration says. */
export interface SshTarget {
  /** Name or address, or a `Host` of the ssh configuration. */
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
  /** Path of an ssh configuration that takes the place of the user's (`ssh -F`). */
  readonly configFile?: string;
  /** Work as root by `sudo -n`: without a password. Default false. */
  readonly sudo?: boolean;
}

/**
 * Private keys go over this connection: a host whose key is not known is refused, even where the configuration would accept it. What a
 * configuration has for people who log in (forwardings, a command, an escape character) is switched off.
 */
const OPTIONS = [
  'BatchMode=yes',
  'StrictHostKeyChecking=yes',
  'ConnectTimeout=10',
  'ServerAliveInterval=5',
  'ServerAliveCountMax=3',
  'ClearAllForwardings=yes',
  'ForwardAgent=no',
  'ForwardX11=no',
  'PermitLocalCommand=no',
  'RemoteCommand=none',
  'RequestTTY=no',
  'EscapeChar=none',
  'LogLevel=ERROR',
] as const;

export function sshArguments(target: SshTarget, script: string, args: readonly string[]): readonly string[] {
  const { host, user, port, configFile, sudo = false } = target;
  const words = [...(sudo ? ['sudo', '-n', '--'] : []), 'sh', '-c', script, 'keyturn', ...args];
  return [
    ...(configFile === undefined ? [] : ['-F', configFile]),
    ...OPTIONS.flatMap((option) => ['-o', option]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '--',
    host,
    `exec ${words.map(quote).join(' ')}`,
  ];
}

/** ssh hands one line to the login shell of the user on the node. */
function quote(word: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
