// Publishes the issuer's documents as files: in the folder of a web server, or in a Git checkout that something else pushes.
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, chown, mkdir, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { KeyturnError } from '../errors.ts';
import { systemCodeOf, toFilePublisherError } from './file-errors.ts';
import { syncDirectory } from '../sync-directory.ts';
import { withFileLock } from './file-lock.ts';
import type { IssuerDocument, JwksPublisher, Precondition, StoredDocument } from './port.ts';
import { assertSize, decodeUtf8 } from './stored-content.ts';
import { CHANGED, toKeyturnError } from './store-verdict.ts';

export interface FilePublisherOptions {
  /** Must be there: a mount that is missing is not filled. */
  readonly directory: string;
  /** Path of the JWKS in it. Default `openid/v1/jwks`. */
  readonly jwksPath?: string;
  /** Path of the discovery document in it. Default `.well-known/openid-configuration`. */
  readonly discoveryPath?: string;
}

/** For the web server to read; the umask takes away what it must. */
const NEW_FILE_MODE = 0o644;

export class FilePublisher implements JwksPublisher {
  readonly description: string;
  readonly #options: FilePublisherOptions;

  constructor(options: FilePublisherOptions) {
    this.#options = options;
    this.description = `file ${options.directory}`;
  }

  /** @throws PUBLISHER_CONTAINER_MISSING PUBLISHER_ACCESS_DENIED PUBLISHER_UNREACHABLE; JWKS_MALFORMED where it is not UTF-8 or too large */
  async read(document: IssuerDocument): Promise<StoredDocument | undefined> {
    const file = this.#file(document);
    try {
      await stat(this.#options.directory);
      return await readStored(file);
    } catch (error) {
      throw toFilePublisherError(error, file);
    }
  }

  /**
   * As `read`, and JWKS_CHANGED. A reader sees the former document or the new one, never a part. Keeps mode and owner of the file, and
   * follows a symbolic link. Content type and cache control are the web server's.
   */
  async write(document: IssuerDocument, body: string, precondition: Precondition): Promise<void> {
    const named = this.#file(document);
    try {
      await stat(this.#options.directory);
      await mkdir(path.dirname(named), { recursive: true });
      const file = await realpath(named).catch(() => named);
      const lock = path.join(path.dirname(file), `.${path.basename(file)}.keyturn-lock`);
      const done = await withFileLock(lock, async () => {
        const present = await readStored(file);
        if (present?.etag !== (precondition === 'absent' ? undefined : precondition.etag)) return false;
        await replace(file, body);
        return true;
      });
      if (done?.result !== true) throw changed(named, done === undefined ? 'locked' : 'other content');
    } catch (error) {
      throw toFilePublisherError(error, named);
    }
  }

  /** A folder has no precondition of its own that could be tried. */
  async assertWritable(): Promise<void> {
    const file = this.#file('jwks');
    try {
      // The first write makes the folders below.
      const folder = await realpath(path.dirname(file)).catch(() => realpath(this.#options.directory));
      await access(folder, constants.W_OK);
    } catch (error) {
      throw toFilePublisherError(error, file);
    }
  }

  #file(document: IssuerDocument): string {
    const {
      directory,
      jwksPath = 'openid/v1/jwks',
      discoveryPath = '.well-known/openid-configuration',
    } = this.#options;
    return path.join(directory, document === 'jwks' ? jwksPath : discoveryPath);
  }
}

async function readStored(file: string): Promise<StoredDocument | undefined> {
  try {
    assertSize((await stat(file)).size, file);
    const content = await readFile(file);
    return { body: decodeUtf8(content, file), etag: createHash('sha256').update(content).digest('hex') };
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Another file takes the name in one go, once its content is on the disk. */
async function replace(file: string, body: string): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.keyturn-${randomUUID()}`);
  try {
    const handle = await open(temporary, 'wx', NEW_FILE_MODE);
    try {
      await handle.writeFile(body);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await keepOwner(file, temporary);
    await rename(temporary, file);
    await syncDirectory(path.dirname(file));
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

async function keepOwner(file: string, successor: string): Promise<void> {
  const former = await stat(file).catch(() => undefined);
  if (former === undefined) return;
  // Only root may give a file away: elsewhere the writer owns what it writes.
  await chown(successor, former.uid, former.gid).catch(() => undefined);
  await chmod(successor, former.mode & 0o777);
}

function changed(file: string, reason: string): KeyturnError {
  return toKeyturnError(CHANGED, { status: undefined, reason }, file);
}
