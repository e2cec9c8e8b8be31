// Files of a node whose disk the worker sees itself: the worker runs on that node, or has its folders mounted.
import { open, readdir, realpath, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { KeyturnError } from '../errors.ts';
import { errnoOf, fileChanged, toNodeError } from './node-errors.ts';
import { clearTemporaryFiles, renameIntoPlace } from './local-rename.ts';
import { decodeContent, sha256Of } from './file-content.ts';
import type { NodeFile, NodeFiles, WriteOptions } from './port.ts';

export class LocalNodeFiles implements NodeFiles {
  readonly node: string;

  /** @param node the name under which this machine's files are asked for; it stands in every error */
  constructor(node: string) {
    this.node = node;
  }

  async read(path: string): Promise<NodeFile | undefined> {
    try {
      return await readLocal(path);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw this.#explain(error, path);
    }
  }

  async readTail(path: string, maxBytes: number): Promise<string | undefined> {
    try {
      return await readLocalTail(path, maxBytes);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw this.#explain(error, path);
    }
  }

  /**
   * Follows a symbolic link: the link stays, what it points to is replaced. Writers of this process take turns; between other
   * processes the comparison with `expectedSha256` and the rename leave a gap of microseconds, which the cluster's Lease covers.
   */
  async write(path: string, content: string, options: WriteOptions): Promise<void> {
    try {
      const target = await followLink(path);
      await takeTurn(target, () => this.#writeTarget(target, content, options));
    } catch (error) {
      throw this.#explain(error, path);
    }
  }

  async list(directory: string): Promise<readonly string[]> {
    try {
      return (await readdir(directory)).toSorted();
    } catch (error) {
      if (isAbsent(error)) return [];
      throw this.#explain(error, directory);
    }
  }

  async remove(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true });
      await clearTemporaryFiles(dirname(path), basename(path));
    } catch (error) {
      if (isAbsent(error)) return;
      throw this.#explain(error, path);
    }
  }

  async #writeTarget(target: string, content: string, options: WriteOptions): Promise<void> {
    const refuseIfChanged = async (): Promise<void> => {
      if (options.expectedSha256 === undefined) return;
      const now = (await this.read(target))?.sha256 ?? null;
      if (now !== options.expectedSha256) throw fileChanged(`${this.node}:${target}`);
    };
    await renameIntoPlace(target, content, options, refuseIfChanged);
    const written = await this.read(target);
    if (written?.content !== content) throw fileChanged(`${this.node}:${target}`);
  }

  #explain(error: unknown, path: string): unknown {
    return error instanceof KeyturnError ? error : toNodeError(error, `${this.node}:${path}`);
  }
}

async function readLocal(path: string): Promise<NodeFile> {
  const handle = await open(path, 'r');
  try {
    const stats = await handle.stat();
    const bytes = await handle.readFile();
    try {
      return {
        content: decodeContent(bytes),
        mode: stats.mode & 0o7777,
        uid: stats.uid,
        gid: stats.gid,
        modifiedAtMs: stats.mtimeMs,
        sha256: sha256Of(bytes),
      };
    } finally {
      bytes.fill(0);
    }
  } finally {
    await handle.close();
  }
}

async function readLocalTail(path: string, maxBytes: number): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function followLink(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (isAbsent(error)) return path;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** The last write of each path that is under way. */
const turns = new Map<string, Promise<void>>();

/** So that of two writers of one process with the same expectation exactly one wins. */
async function takeTurn(path: string, write: () => Promise<void>): Promise<void> {
  const ours = (turns.get(path) ?? Promise.resolve()).then(write);
  const settled = ours.catch(() => undefined);
  turns.set(path, settled);
  try {
    await ours;
  } finally {
    if (turns.get(path) === settled) turns.delete(path);
  }
}
