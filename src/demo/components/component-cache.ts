// Where fetched components are kept, outside of the project's tree, and how they get there in one step.
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Component } from './component.ts';

/** `$XDG_CACHE_HOME/keyturn/components`, else `~/.cache/keyturn/components`. */
export function defaultCacheDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'keyturn', 'components');
}

/** The place of a component in the cache, whether it is there or not. */
export function cachedFile(cacheDirectory: string, component: Component): string {
  return join(cacheDirectory, `${component.name}-${component.version}`, component.name);
}

/**
 * Lets `fetch` make the program in a temporary folder and, once `fetch` returns, renames it into the cache:
 * nobody ever sees a part of it.
 */
export async function installIntoCache(
  cacheDirectory: string,
  component: Component,
  fetch: (file: string, workDirectory: string) => Promise<void>,
): Promise<string> {
  await mkdir(cacheDirectory, { recursive: true });
  const temporary = await mkdtemp(join(cacheDirectory, '.fetching-'));
  try {
    const workDirectory = join(temporary, 'work');
    const result = join(temporary, `${component.name}-${component.version}`);
    await Promise.all([mkdir(workDirectory), mkdir(result)]);
    await fetch(join(result, component.name), workDirectory);
    const target = join(cacheDirectory, `${component.name}-${component.version}`);
    await rm(target, { recursive: true, force: true });
    await rename(result, target);
    return cachedFile(cacheDirectory, component);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
