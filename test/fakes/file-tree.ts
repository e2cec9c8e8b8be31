// Everything below a folder, as data: for comparing what was with what is.
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface TreeEntry {
  /** null for a directory */
  readonly content: string | null;
  readonly mode: string;
  readonly owner: string;
}

/** By path relative to the folder. Names of temporary files are entries like any other. */
export async function readTree(directory: string, under = ''): Promise<Readonly<Record<string, TreeEntry>>> {
  const tree: Record<string, TreeEntry> = {};
  for (const name of (await readdir(join(directory, under))).toSorted()) {
    const path = join(under, name);
    const stats = await lstat(join(directory, path));
    const mode = (stats.mode & 0o777).toString(8);
    const owner = `${stats.uid}:${stats.gid}`;
    if (stats.isDirectory())
      Object.assign(tree, { [path]: { content: null, mode, owner } }, await readTree(directory, path));
    else tree[path] = { content: await readFile(join(directory, path), 'utf8'), mode, owner };
  }
  return tree;
}
