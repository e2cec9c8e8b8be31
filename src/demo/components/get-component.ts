// Gets a component: from a setting, the PATH, the cache, or the first of its sources that works.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyturnError } from '../../errors.ts';
import { cachedFile, defaultCacheDirectory, installIntoCache } from './component-cache.ts';
import type { Component, OnProgress } from './component.ts';
import { findOnPath } from './find-on-path.ts';
import { withLock } from './lock-file.ts';
import { probeVersion } from './probe-version.ts';

export interface GetComponentOptions {
  /** Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Default: `$XDG_CACHE_HOME/keyturn/components`, else `~/.cache/keyturn/components`. */
  readonly cacheDirectory?: string;
  /** Default: says nothing. */
  readonly onProgress?: OnProgress;
}

/** The variable that names a component's program, e.g. `KEYTURN_KUBE_APISERVER`. */
function settingName(component: Component): string {
  return `KEYTURN_${component.name.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * The path of the component's program, which has been run once to see its version.
 * @throws COMPONENT_UNAVAILABLE with everything that was tried, or where the setting names a program that does not run
 */
export async function getComponent(component: Component, options: GetComponentOptions = {}): Promise<string> {
  const environment = options.environment ?? process.env;
  const cacheDirectory = options.cacheDirectory ?? defaultCacheDirectory(environment);
  const onProgress = options.onProgress ?? (() => undefined);

  const setting = environment[settingName(component)];
  if (setting !== undefined && setting !== '') return checkSetting(component, setting);

  const tried: string[] = [];
  const onPath = await findOnPath(component.name, environment['PATH']);
  if (onPath === undefined) tried.push(`PATH: no ${component.name}`);
  else {
    const refusal = await refuse(component, onPath, (version) => component.suits(version));
    if (refusal === undefined) return onPath;
    tried.push(`PATH: ${onPath} ${refusal}`);
  }

  await mkdir(cacheDirectory, { recursive: true });
  const lock = join(cacheDirectory, `.${component.name}-${component.version}.lock`);
  return withLock(
    lock,
    () => takeFromCacheOrSources(component, cacheDirectory, onProgress, tried),
    (pid) => onProgress(`Waiting for process ${pid}, which is getting ${component.name} ${component.version}`),
  );
}

/** The setting is the user's word: any version will do, but it must run. */
async function checkSetting(component: Component, file: string): Promise<string> {
  const refusal = await refuse(component, file, () => true);
  if (refusal === undefined) return file;
  throw new KeyturnError('COMPONENT_UNAVAILABLE', `${settingName(component)}=${file} ${refusal}`, {
    subject: component.name,
    remedy: `Set ${settingName(component)} to a working ${component.name}, or unset it`,
  });
}

async function takeFromCacheOrSources(
  component: Component,
  cacheDirectory: string,
  onProgress: OnProgress,
  tried: string[],
): Promise<string> {
  const cached = cachedFile(cacheDirectory, component);
  const isPinned = (version: string): boolean => version === component.version;
  const refusal = await refuse(component, cached, isPinned);
  if (refusal === undefined) return cached;
  tried.push(`cache: ${cached} ${refusal}`);

  for (const source of component.sources) {
    try {
      onProgress(`Getting ${component.name} ${component.version}: ${source.description}`);
      return await installIntoCache(cacheDirectory, component, async (file, workDirectory) => {
        await source.fetch(file, workDirectory, onProgress);
        const fault = await refuse(component, file, isPinned);
        if (fault !== undefined) throw new Error(`what came ${fault}`);
      });
    } catch (error) {
      tried.push(`${source.description}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const list = tried.map((line) => `\n  - ${line}`).join('');
  throw new KeyturnError('COMPONENT_UNAVAILABLE', `No ${component.name} ${component.version} to be had:${list}\n`, {
    subject: component.name,
    remedy: `${component.remedy}, or set ${settingName(component)} to the path of the program`,
    details: { tried },
  });
}

/** Why this program will not do, or undefined where it will. */
async function refuse(
  component: Component,
  file: string,
  suits: (version: string) => boolean,
): Promise<string | undefined> {
  try {
    const version = await probeVersion(file, component.versionArguments, component.usageArguments);
    if (version === undefined || suits(version)) return undefined;
    return `has version ${version}, wanted is ${component.version}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'does not exist';
    return `does not run: ${error instanceof Error ? error.message : String(error)}`;
  }
}
