// `keyturn jwks` against what `azwi jwks` v1.6.0 wrote for the same arguments.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jwksCommand, renderAzwiJwks } from '../../src/cli/jwks.ts';

const vectors = new URL('../vectors/jwks/', import.meta.url).pathname;
const vector = (name: string): string => readFileSync(join(vectors, name), 'utf8');
const pem = (path: string) => ({ path, content: vector(path) });
const formerDirectory = process.cwd();
const directory = mkdtempSync(join(tmpdir(), 'keyturn-jwks-'));

beforeAll(() => {
  for (const name of [
    'rsa-a.pub',
    'rsa-a.key',
    'rsa-b.pub',
    'ec-prime256v1.pub',
    'ec-prime256v1.key',
    'rsa4096-pkcs1.pub',
  ]) {
    copyFileSync(join(vectors, name), join(directory, name));
  }
  copyFileSync(join(vectors, 'rsa-a.pub'), join(directory, 'com,ma.pub'));
  mkdirSync(join(directory, 'folder'));
  writeFileSync(join(directory, 'empty.pub'), '');
  process.chdir(directory); // complaints name files as they were given
});

afterAll(() => {
  process.chdir(formerDirectory);
  rmSync(directory, { recursive: true });
});

async function run(...args: string[]) {
  const result = { stdout: '', stderr: '', exitCode: 0 };
  const command = jwksCommand({
    stdout: (text) => (result.stdout += text),
    stderr: (text) => (result.stderr += text),
    setExitCode: (code) => (result.exitCode = code),
  });
  await new Command('keyturn')
    .option('--json')
    .addCommand(command)
    .parseAsync(['jwks', ...args], { from: 'user' });
  return result;
}

const usage = vector('azwi-rsa4096-pkcs1.stderr').replace(/^Error.*\n/, '');

describe('renderAzwiJwks', () => {
  test.each([
    ['azwi-rsa-a-rsa-b.json', ['rsa-a.pub', 'rsa-b.pub']],
    ['azwi-rsa-b-rsa-a.json', ['rsa-b.pub', 'rsa-a.pub']],
    ['azwi-bundle.json', ['bundle.pub']],
    ['azwi-ec-prime256v1.json', ['ec-prime256v1.pub']],
    ['azwi-ec-prime256v1.json', ['ec-prime256v1.key']],
    ['azwi-rsa-a-rsa-b.json', ['rsa-a.key', 'rsa-b.pub']],
    ['azwi-openshift-labelled-spki.json', ['openshift-labelled-spki.pub']],
  ])('%s byte for byte from %j', (json, files) => {
    expect(renderAzwiJwks(files.map(pem))).toBe(vector(json));
  });

  test('writes the two keys of OpenShift as they were published, but for the final newline', () => {
    const { keys } = JSON.parse(vector('openshift-two-keys.json')) as { keys: { n: string; e: string }[] };
    const pems = keys.map(({ n, e }, index) => {
      const jwk = JSON.stringify({ kty: 'RSA', n, e });
      const script = `process.stdout.write(require('crypto').createPublicKey({ key: ${jwk}, format: 'jwk' }).export({ type: 'spki', format: 'pem' }))`;
      return {
        path: `service-account-00${index + 1}.pub`,
        content: execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }),
      };
    });
    expect(`${renderAzwiJwks(pems)}\n`).toBe(vector('openshift-two-keys.json'));
  });

  const spki = { type: 'spki', format: 'pem' } as const;
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export(spki).toString();
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export(spki).toString();
  const p224 = generateKeyPairSync('ec', { namedCurve: 'secp224r1' }).publicKey.export(spki).toString();
  const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export(spki).toString();
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const none =
    'failed to read public key file: error reading public key file x: data does not contain any valid RSA or ECDSA public keys';

  test('takes keys of any size, and passes over what is no key', () => {
    const { keys } = JSON.parse(renderAzwiJwks([{ path: 'x', content: ed25519 + small + k1 }])) as { keys: unknown[] };
    expect(keys).toEqual([expect.objectContaining({ kty: 'RSA', alg: 'RS256' })]);
  });

  test.each([
    ['Ed25519', ed25519, none],
    ['secp256k1', k1, none],
    ['an EC key as PKCS#8', p256.export({ type: 'pkcs8', format: 'pem' }).toString(), none],
    [
      'P-224',
      p224,
      'failed to construct JSONWebKeySet from a list of keys: unknown private key curve, must be 256, 384, or 521',
    ],
  ])('refuses %s', (_, content, azwi) => {
    expect(() => renderAzwiJwks([{ path: 'x', content }])).toThrow(expect.objectContaining({ details: { azwi } }));
  });
});

describe('keyturn jwks', () => {
  test('a refused key file: standard error byte for byte', async () => {
    const result = await run('--public-keys', 'rsa4096-pkcs1.pub');
    expect(result).toEqual({ stdout: '', stderr: vector('azwi-rsa4096-pkcs1.stderr'), exitCode: 1 });
  });

  test.each([
    [['--public-keys', 'rsa-a.pub', '--public-keys', 'rsa-b.pub']],
    [['--public-keys', 'rsa-a.pub,rsa-b.pub']],
    [['--public-keys=rsa-a.pub', '--debug', 'extra', '--public-keys=rsa-b.pub']],
    [['--public-keys', '"com,ma.pub",rsa-b.pub']],
    [['--public-keys', 'rsa-a.pub,rsa-b.pub', '--output-file=', '--help=false']],
  ])('%j writes the two keys to standard output', async (args) => {
    expect(await run(...args)).toEqual({ stdout: vector('azwi-rsa-a-rsa-b.json'), stderr: '', exitCode: 0 });
  });

  test('writes the output file, readable by its owner only, and nothing else', async () => {
    expect(await run('--public-keys', 'ec-prime256v1.pub', '--output-file', 'out.json')).toEqual({
      stdout: '',
      stderr: '',
      exitCode: 0,
    });
    expect(readFileSync('out.json', 'utf8')).toBe(vector('azwi-ec-prime256v1.json'));
    expect(statSync('out.json').mode & 0o777).toBe(0o600);
  });

  test.each([['-h'], ['--help'], ['--help=true']])('%s prints the help to standard output', async (flag) => {
    const { stdout, ...rest } = await run(flag, '--public-keys', 'nope');
    expect(rest).toEqual({ stderr: '', exitCode: 0 });
    expect(`${stdout}\n`.endsWith(`\n\n${usage}`)).toBe(true);
  });

  test.each([
    [[], 'no public keys provided'],
    [['--public-keys', ''], 'no public keys provided'],
    [['--public-keys'], 'flag needs an argument: --public-keys'],
    [['--public-keys', 'rsa-a.pub', '--output-file'], 'flag needs an argument: --output-file'],
    [['--public-keys', 'nope.pub'], 'failed to read public key file: open nope.pub: no such file or directory'],
    [['--public-keys', 'folder'], 'failed to read public key file: read folder: is a directory'],
    [['--public-keys', 'rsa-a.pub/x'], 'failed to read public key file: open rsa-a.pub/x: not a directory'],
    [['--public-keys', 'rsa-a.pub,'], 'failed to read public key file: open : no such file or directory'],
    [['--public-keys', ' rsa-a.pub'], 'failed to read public key file: open  rsa-a.pub: no such file or directory'],
    [
      ['--public-keys', 'empty.pub,nope'],
      'failed to read public key file: error reading public key file empty.pub: data does not contain any valid RSA or ECDSA public keys',
    ],
    [
      ['--public-keys', 'a"b'],
      'invalid argument "a\\"b" for "--public-keys" flag: parse error on line 1, column 2: bare " in non-quoted-field',
    ],
    [
      ['--public-keys', 'é"x'],
      'invalid argument "é\\"x" for "--public-keys" flag: parse error on line 1, column 3: bare " in non-quoted-field',
    ],
    [
      ['--public-keys', '"a'],
      'invalid argument "\\"a" for "--public-keys" flag: parse error on line 1, column 3: extraneous or missing " in quoted-field',
    ],
    [
      ['--public-keys', '"a"b'],
      'invalid argument "\\"a\\"b" for "--public-keys" flag: parse error on line 1, column 3: extraneous or missing " in quoted-field',
    ],
    [['--public-keys', '\n'], 'invalid argument "\\n" for "--public-keys" flag: EOF'],
    [['--public-key', 'rsa-a.pub'], 'unknown flag: --public-key'],
    [['-x'], "unknown shorthand flag: 'x' in -x"],
    [['-hx'], "unknown shorthand flag: 'x' in -x"],
    [['--=x'], 'bad flag syntax: --=x'],
    [['---x'], 'bad flag syntax: ---x'],
    [
      ['--debug=maybe'],
      'invalid argument "maybe" for "--debug" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [
      ['--help=maybe'],
      'invalid argument "maybe" for "-h, --help" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [
      ['--public-keys', 'rsa-a.pub', '--output-file', 'no/where'],
      'failed to write JWKS to file: open no/where: no such file or directory',
    ],
    [
      ['--public-keys', 'rsa-a.pub', '--output-file', 'folder'],
      'failed to write JWKS to file: open folder: is a directory',
    ],
  ])('%j: %s', async (args, problem) => {
    expect(await run(...args)).toEqual({ stdout: '', stderr: `Error: ${problem}\n${usage}`, exitCode: 1 });
  });
});
