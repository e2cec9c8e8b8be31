// `keyturn jwks`: a drop-in for `azwi jwks` v1.6.0, with its flags, bytes and errors.
import type { KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { Command } from 'commander';
import { KeyturnError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Jwk } from '../jwks/jwk.ts';
import { keyObjectToJwk } from '../keys/jwk.ts';
import { readKeysAsKubernetes } from '../keys/kubernetes-key-file.ts';
import { algorithmOfCurve } from '../keys/public-key.ts';
import { kidOf } from '../keys/kid.ts';
import { parseAzwiFlags } from './azwi-flags.ts';

export interface PemFile {
  /** As the user wrote it: it stands in complaints. */
  readonly path: string;
  readonly content: string;
}

/** Where the command writes. Default: this process. */
export interface JwksCommandOutput {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly setExitCode: (code: number) => void;
}

const DESCRIPTION =
  'This command provides the ability to generate a JSON Web Key Sets (JWKS) for the service account issuer keys';

// The words are azwi's, its name included: scripts that compare what it prints go on working.
const USAGE = `Usage:
  azwi jwks [flags]

Flags:
  -h, --help                  help for jwks
      --output-file string    The name of the file to write the JWKS to. If not provided, the default output is stdout
      --public-keys strings   List of public keys to include in the JWKS

Global Flags:
      --debug   Enable debug logging
`;

const THIS_PROCESS: JwksCommandOutput = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  setExitCode: (code) => void (process.exitCode = code),
};

/**
 * The JWKS of all keys of the files, in their order and with doubles, byte for byte as `azwi jwks` v1.6.0 writes it: two spaces, no
 * final newline. Keys of any size are taken, and what is no RSA or EC key is passed over, as azwi does it.
 *
 * @param pems read one by one, so that the first bad file is the one that is complained about
 * @throws KEY_MALFORMED where a file holds no key; KEY_UNSUPPORTED for P-224. `details.azwi` has azwi's words
 */
export function renderAzwiJwks(pems: Iterable<PemFile>): string {
  const keys: KeyObject[] = [];
  for (const { path, content } of pems) {
    const found = readKeysAsKubernetes(content);
    if (found.length === 0) {
      const problem = `error reading public key file ${path}: data does not contain any valid RSA or ECDSA public keys`;
      throw refusal('KEY_MALFORMED', path, `failed to read public key file: ${problem}`);
    }
    keys.push(...found);
  }
  return JSON.stringify({ keys: keys.map(toAzwiJwk) }, null, 2);
}

/** @param output default: this process */
export function jwksCommand(output: JwksCommandOutput = THIS_PROCESS): Command {
  const command = new Command('jwks').description('write the JWKS of public key files, exactly as `azwi jwks` does');
  // Commander only hands the arguments over: cobra's way to read them is part of what scripts rely on.
  command.allowUnknownOption().allowExcessArguments().helpOption(false);
  command.configureHelp({ formatHelp: () => `${DESCRIPTION}\n\n${USAGE}` });
  return command.action(() => runJwks(command.args, output));
}

function runJwks(args: readonly string[], { stdout, stderr, setExitCode }: JwksCommandOutput): void {
  const flags = parseAzwiFlags(args);
  if (flags.kind === 'help') return stdout(`${DESCRIPTION}\n\n${USAGE}`);
  const complain = (problem: string): void => {
    stderr(`Error: ${problem}\n${USAGE}\n`);
    setExitCode(1);
  };
  if (flags.kind === 'refused') return complain(flags.problem);
  if (flags.publicKeys.length === 0) return complain('no public keys provided');
  try {
    const jwks = renderAzwiJwks(readFiles(flags.publicKeys));
    if (flags.outputFile === '') stdout(jwks);
    else writeOutput(flags.outputFile, jwks);
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const { azwi } = error.details;
    complain(typeof azwi === 'string' ? azwi : error.message);
  }
}

function toAzwiJwk(key: KeyObject): Jwk {
  const alg = key.asymmetricKeyType === 'rsa' ? 'RS256' : algorithmOfCurve(key);
  if (alg === undefined) {
    const problem = 'unknown private key curve, must be 256, 384, or 521';
    throw refusal('KEY_UNSUPPORTED', 'key', `failed to construct JSONWebKeySet from a list of keys: ${problem}`);
  }
  return keyObjectToJwk(key, kidOf(key.export({ type: 'spki', format: 'der' })), alg);
}

function* readFiles(paths: readonly string[]): Generator<PemFile> {
  for (const path of paths) {
    yield { path, content: attempt(path, 'failed to read public key file', () => readFileSync(path, 'latin1')) };
  }
}

function writeOutput(path: string, jwks: string): void {
  attempt(path, 'failed to write JWKS to file', () => writeFileSync(path, jwks, { mode: 0o600 }));
}

function attempt<T>(path: string, failure: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const { syscall = 'open', errno = 0, code } = error as NodeJS.ErrnoException;
    const reason = code === 'EISDIR' ? 'is a directory' : getSystemErrorMessage(errno);
    throw refusal('FILE_UNREADABLE', path, `${failure}: ${syscall} ${path}: ${reason}`);
  }
}

function refusal(code: ErrorCode, subject: string, azwi: string): KeyturnError {
  const remedy = 'Name files that hold RSA or EC keys as PEM, and that can be read, and a writable output file';
  return new KeyturnError(code, azwi, { subject, remedy, details: { azwi } });
}
