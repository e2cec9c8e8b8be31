// Downloads a file from a project's own site and checks it against the checksum that the site publishes.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, copyFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ComponentSource, OnProgress } from './component.ts';
import { runCommand } from './run-command.ts';

/** Until the first byte of an answer: a closed network should fail fast. */
const connectTimeoutMs = 5_000;
/** Without a single byte. */
const stallTimeoutMs = 30_000;
/** Between two progress messages. */
const reportMs = 10_000;

export interface OfficialDownload {
  readonly url: string;
  /** A file with `<sha256>` or with lines `<sha256>  <file name>`. Absent where the project publishes none. */
  readonly checksumUrl?: string;
  /** Name of the program inside a .tar.gz; absent where the file is the program. */
  readonly programInArchive?: string;
}

/** A source for a file, or a program in a .tar.gz, at a fixed address. */
export function officialDownload(download: OfficialDownload): ComponentSource {
  return {
    description: `official download ${download.url}`,
    fetch: async (file, workDirectory, onProgress) => {
      const expected = download.checksumUrl === undefined ? undefined : await publishedSha256(download);
      const downloaded = join(workDirectory, basename(new URL(download.url).pathname));
      await downloadFile(download.url, downloaded, onProgress);
      if (expected !== undefined) await checkSha256(downloaded, expected);
      if (download.programInArchive === undefined) {
        await copyFile(downloaded, file);
      } else {
        await runCommand('tar', ['-xzf', downloaded, '-C', workDirectory]);
        await copyFile(await findProgram(workDirectory, download.programInArchive), file);
      }
      await chmod(file, 0o755);
    },
  };
}

/** @throws Error where the file's SHA-256 (hex) is another */
async function checkSha256(file: string, expected: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const actual = hash.digest('hex');
  if (actual !== expected) {
    throw new Error(`checksum mismatch: ${basename(file)} has SHA-256 ${actual}, published is ${expected}`);
  }
}

/** The first file of that name below a folder. @throws Error where there is none */
export async function findProgram(directory: string, name: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isFile() && entry.name === name);
  if (found === undefined) throw new Error(`no ${name} in the archive`);
  return join(found.parentPath, found.name);
}

async function publishedSha256(download: OfficialDownload): Promise<string> {
  const response = await request(download.checksumUrl ?? '', new AbortController());
  const lines = (await response.text()).trim().split('\n');
  const fileName = basename(new URL(download.url).pathname);
  const line = lines.length === 1 ? lines[0] : lines.find((text) => text.endsWith(` ${fileName}`));
  const sha256 = /^[0-9a-f]{64}/.exec(line ?? '')?.[0];
  if (sha256 === undefined) throw new Error(`${download.checksumUrl} has no checksum of ${fileName}`);
  return sha256;
}

async function downloadFile(url: string, file: string, onProgress: OnProgress): Promise<void> {
  const abort = new AbortController();
  const response = await request(url, abort);
  if (response.body === null) throw new Error(`${url} answered without a body`);
  const totalBytes = Number(response.headers.get('content-length') ?? 0);
  let receivedBytes = 0;
  let reportedAt = Date.now();
  const stall = setTimeout(() => abort.abort(new Error(`no data for ${stallTimeoutMs / 1000} s`)), stallTimeoutMs);
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      stall.refresh();
      receivedBytes += chunk.length;
      if (Date.now() - reportedAt > reportMs) {
        reportedAt = Date.now();
        const share = totalBytes > 0 ? ` of ${megabytes(totalBytes)}` : '';
        onProgress(`Downloading ${basename(file)} ... ${megabytes(receivedBytes)}${share}`);
      }
      done(null, chunk);
    },
  });
  try {
    await pipeline(Readable.fromWeb(response.body), watch, createWriteStream(file));
  } finally {
    clearTimeout(stall);
  }
}

async function request(url: string, abort: AbortController): Promise<Response> {
  const late = new Error(`no answer within ${connectTimeoutMs / 1000} s`);
  const timer = setTimeout(() => abort.abort(late), connectTimeoutMs);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return response;
  } catch (error) {
    // fetch says only "fetch failed"; what happened is in its cause.
    throw error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
  } finally {
    clearTimeout(timer);
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
