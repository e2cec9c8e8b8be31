// Reads and validates keyturn.yaml.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { KeyturnError } from '../errors.ts';
import { findNodeProblem } from './node-access.ts';
import { invalidConfig, parseYaml } from './parse-yaml.ts';
import { findPlatformProblem } from './platform-problem.ts';
import { findRepeated } from './repeated.ts';
import { configSchema, isOn, type ClusterConfig, type Config } from './schema.ts';

export interface LoadedConfig extends Config {
  /** Absolute path of the file; relative paths in it start from its folder. */
  readonly file: string;
}

/** @throws FILE_UNREADABLE, CONFIG_INVALID with every problem at once */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  const absolute = path.resolve(file);
  let text: string;
  try {
    text = await readFile(absolute, 'utf8');
  } catch (cause) {
    throw new KeyturnError('FILE_UNREADABLE', `The configuration ${absolute} cannot be read (${codeOf(cause)})`, {
      subject: absolute,
      remedy: 'Name it with --config or KEYTURN_CONFIG; docs/configuration.md shows one to start from',
      cause,
    });
  }
  return { ...parseConfig(text, absolute), file: absolute };
}

/** @throws CONFIG_INVALID */
export function parseConfig(text: string, subject: string): Config {
  const config = parseYaml(configSchema, text, subject);
  const { clusters, schedules = [] } = config;
  for (const [what, list] of Object.entries({ clusters, schedules })) {
    const twice = findRepeated(list.map(({ name }) => name));
    if (twice !== undefined) throw invalidConfig(subject, `two ${what} are named "${twice}"`);
  }
  for (const cluster of clusters) {
    const problem =
      findPlatformProblem(cluster) ?? (isOn(cluster, 'static-pod') ? findNodeProblem(cluster) : undefined);
    if (problem !== undefined) throw invalidConfig(subject, problem);
    checkIssuer(cluster);
    if (cluster.publisher.type === 'api-server' && cluster.mirrors.length > 0)
      throw invalidConfig(
        subject,
        `cluster "${cluster.name}" serves its issuer itself (api-server), so it can have no mirrors`,
      );
  }
  for (const { cluster } of schedules) findCluster(config, cluster);
  return config;
}

/** @throws CLUSTER_UNKNOWN; also where the name is left out and several are configured */
export function findCluster(config: Config, name: string | undefined): ClusterConfig {
  const [only, ...others] = config.clusters;
  const found =
    name === undefined && others.length === 0 ? only : config.clusters.find((cluster) => cluster.name === name);
  if (found !== undefined) return found;
  const names = config.clusters.map((cluster) => cluster.name).join(', ');
  throw new KeyturnError(
    'CLUSTER_UNKNOWN',
    name === undefined ? 'No cluster was named, and several are configured' : `No cluster "${name}" is configured`,
    {
      subject: name ?? 'cluster',
      remedy: `Choose one of: ${names}`,
    },
  );
}

function checkIssuer({ name, issuer, allowInsecureIssuer }: ClusterConfig): void {
  const url = new URL(issuer);
  if (url.protocol === 'https:') return;
  const local = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url.protocol === 'http:' && local && allowInsecureIssuer) return;
  throw new KeyturnError('ISSUER_NOT_HTTPS', `The issuer ${issuer} of cluster "${name}" is not https`, {
    subject: `clusters.${name}.issuer`,
    remedy:
      'Use the https URL that the tokens carry in "iss"; only a loopback address may be http, with allowInsecureIssuer: true',
  });
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}
