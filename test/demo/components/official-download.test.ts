// officialDownload against a server that behaves well, badly, or not at all.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { officialDownload } from '../../../src/demo/components/official-download.ts';

const program = '#!/bin/sh\necho hello\n';
const programSha256 = createHash('sha256').update(program).digest('hex');

let directory: string;
let server: Server;
let base: string;
let answers: Record<string, string | Buffer>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-download-'));
  await mkdir(join(directory, 'work'));
  answers = { '/frob': program };
  server = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    if (answer === undefined) response.writeHead(404).end();
    else response.end(answer);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

const fetchTo = (download: Parameters<typeof officialDownload>[0]): Promise<void> =>
  officialDownload(download).fetch(join(directory, 'frob'), join(directory, 'work'), () => undefined);

describe('officialDownload', () => {
  it('accepts a file whose published checksum fits, and makes it executable', async () => {
    answers['/frob.sha256'] = programSha256;
    await fetchTo({ url: `${base}/frob`, checksumUrl: `${base}/frob.sha256` });
    expect(await readFile(join(directory, 'frob'), 'utf8')).toBe(program);
    expect((await stat(join(directory, 'frob'))).mode & 0o777).toBe(0o755);
  });

  it('refuses a file whose checksum is another', async () => {
    answers['/frob.sha256'] = '0'.repeat(64);
    await expect(fetchTo({ url: `${base}/frob`, checksumUrl: `${base}/frob.sha256` })).rejects.toThrow(
      `checksum mismatch: frob has SHA-256 ${programSha256}, published is ${'0'.repeat(64)}`,
    );
    await expect(stat(join(directory, 'frob'))).rejects.toThrow('ENOENT');
  });

  it('finds the line of the file in a list of checksums', async () => {
    answers['/SHA256SUMS'] = `${'0'.repeat(64)}  other-frob\n${programSha256}  frob\n`;
    await fetchTo({ url: `${base}/frob`, checksumUrl: `${base}/SHA256SUMS` });
    expect(await readFile(join(directory, 'frob'), 'utf8')).toBe(program);
  });

  it('refuses where the list has no line for the file', async () => {
    answers['/SHA256SUMS'] = `${'0'.repeat(64)}  other\n${'1'.repeat(64)}  another\n`;
    await expect(fetchTo({ url: `${base}/frob`, checksumUrl: `${base}/SHA256SUMS` })).rejects.toThrow(
      'SHA256SUMS has no checksum of frob',
    );
  });

  it('takes the program out of a tarball', async () => {
    await mkdir(join(directory, 'frob-1.2.3'));
    await writeFile(join(directory, 'frob-1.2.3', 'frob'), program);
    execFileSync('tar', ['-czf', join(directory, 'frob.tar.gz'), '-C', directory, 'frob-1.2.3']);
    answers['/frob.tar.gz'] = await readFile(join(directory, 'frob.tar.gz'));
    await fetchTo({ url: `${base}/frob.tar.gz`, programInArchive: 'frob' });
    expect(await readFile(join(directory, 'frob'), 'utf8')).toBe(program);
  });

  it('says the status of a file that is not there', async () => {
    await expect(fetchTo({ url: `${base}/missing` })).rejects.toThrow(`${base}/missing answered 404`);
  });

  it('fails fast, with the reason, where nothing listens', async () => {
    server.close();
    await expect(fetchTo({ url: `${base}/frob` })).rejects.toThrow('ECONNREFUSED');
  });
});
