// Why a node could not be reached by ssh, and what to do about it.
import { KeyturnError } from '../../errors.ts';
import { lastLine } from '../shell/shell-errors.ts';
import type { SshShellOptions } from './ssh-shell.ts';

/** What no second attempt mends, in the words of the OpenSSH client. */
const LASTING = [
  {
    words: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known for/,
    remedy: (host: string) =>
      `Make sure that this is the node, then add its host key to the known hosts of the user who runs Keyturn, e.g. by \`ssh ${host}\``,
  },
  {
    words: /Permission denied \(|Too many authentication failures/,
    remedy: (host: string) =>
      `Let \`ssh -o BatchMode=yes ${host} true\` succeed for the user who runs Keyturn: a key without passphrase, or an agent`,
  },
  {
    words: /Bad configuration option|Can't open user config file|Bad owner or permissions/,
    remedy: () => 'Correct the ssh configuration that is named there',
  },
] as const;

/** @param stderr of ssh, which exited by itself with 255 */
export function refusedBySsh({ node, host }: SshShellOptions, stderr: string): KeyturnError {
  const lasting = LASTING.find(({ words }) => words.test(stderr));
  const problem = `${node} cannot be reached by ssh (host ${host}): ${lastLine(stderr)}`;
  return new KeyturnError('NODE_UNREACHABLE', problem, {
    subject: node,
    remedy:
      lasting?.remedy(host) ??
      `Check that the node is up and that nothing stops the connection: \`ssh -v ${host}\` as the user who runs Keyturn`,
    retryable: lasting === undefined,
  });
}

export function unanswered({ node, host }: SshShellOptions, timeoutMs: number): KeyturnError {
  const problem = `${node} did not finish what it was asked by ssh (host ${host}) within ${timeoutMs / 1000} s`;
  return new KeyturnError('NODE_UNREACHABLE', problem, {
    subject: node,
    remedy: 'Check the load and the disk of the node; it is tried again',
    retryable: true,
  });
}

export function refusedBySudo({ node, host }: SshShellOptions, stderr: string): KeyturnError {
  return new KeyturnError('NODE_PERMISSION_DENIED', `sudo refuses on ${node} (host ${host}): ${lastLine(stderr)}`, {
    subject: node,
    remedy: 'Let this user run `sh` as root by sudo without a password (NOPASSWD), or log in as root',
  });
}

export function notStarted({ node }: SshShellOptions, cause: Error): KeyturnError {
  return new KeyturnError('NODE_COMMAND_MISSING', `ssh cannot be started where Keyturn runs (${cause.message})`, {
    subject: node,
    remedy: 'Install the OpenSSH client there',
    cause,
  });
}
