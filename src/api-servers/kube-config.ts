// Loads a kubeconfig file, and says what is wrong with it before it is used.
import { access, constants, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import { findYamlExcess } from '../yaml-bounds.ts';

/** What is read here; the rest is for client-node. */
const named = z.looseObject({ name: z.string().min(1) });
const kubeConfigFile = z.looseObject({
  clusters: z.array(named.extend({ cluster: z.looseObject({ server: z.string().min(1) }) })),
  contexts: z.array(named.extend({ context: z.looseObject({ cluster: z.string(), user: z.string() }) })),
  users: z.array(named.extend({ user: z.looseObject({ tokenFile: z.string().optional() }).nullish() })),
  'current-context': z.string().optional(),
});

/**
 * @param path of the kubeconfig file
 * @param context name of one of its contexts; default: its `current-context`
 * @throws FILE_UNREADABLE for the file and the certificates and keys it names; CONFIG_INVALID for what is in it
 */
export async function loadKubeConfig(path: string, context?: string): Promise<KubeConfig> {
  const { kubeConfig, files } = parseKubeConfig(path, await readKubeConfig(path), context);
  for (const needed of files) await requireReadable(needed, `kubeconfig ${path} names`);
  return kubeConfig;
}

/**
 * @param path where the text comes from: relative paths in it start there
 * @returns also the files that it names: certificates, keys, tokens
 * @throws CONFIG_INVALID, in which nothing of the text stands: there may be a key or a token in it
 */
export function parseKubeConfig(
  path: string,
  text: string,
  context?: string,
): { readonly kubeConfig: KubeConfig; readonly files: readonly string[] } {
  const file = parseShape(path, text);
  const chosen = context ?? file['current-context'];
  const names = file.contexts.map(({ name }) => name);
  if (chosen === undefined || !names.includes(chosen)) {
    const what = chosen === undefined || chosen === '' ? 'names no current-context' : `has no context ${chosen}`;
    throw invalid(path, `${what}; it has ${names.join(', ') || 'none'}`);
  }

  const kubeConfig = new KubeConfig();
  try {
    // As we have read it: another YAML parser could read something else, and its errors quote the lines around.
    kubeConfig.loadFromString(JSON.stringify(file));
  } catch {
    throw invalid(path, 'is not a kubeconfig');
  }
  kubeConfig.makePathsAbsolute(dirname(resolve(path)));
  kubeConfig.setCurrentContext(chosen);
  const user = kubeConfig.getCurrentUser();
  const cluster = kubeConfig.getCurrentCluster();
  const { cluster: clusterName = '', user: userName = '' } = kubeConfig.getContextObject(chosen) ?? {};
  if (cluster === null) throw invalid(path, `has no cluster ${clusterName}, which context ${chosen} names`);
  if (user === null) throw invalid(path, `has no user ${userName}, which context ${chosen} names`);
  requireHttps(path, cluster.server);

  // client-node ignores `tokenFile`; its file authenticator reads a token again every minute, as client-go does.
  const tokenFile = file.users.find(({ name }) => name === userName)?.user?.tokenFile;
  const absoluteTokenFile = tokenFile === undefined ? undefined : absolute(path, tokenFile);
  if (absoluteTokenFile !== undefined && !user.token) {
    Object.assign(user, { authProvider: { name: 'tokenFile', config: { tokenFile: absoluteTokenFile } } });
  }
  const files = [cluster.caFile, user.certFile, user.keyFile, absoluteTokenFile];
  return { kubeConfig, files: files.flatMap((needed) => (needed ? [needed] : [])) };
}

/** The same credentials, authority and `tls-server-name`, for another server of the cluster. @throws CONFIG_INVALID */
export function kubeConfigFor(kubeConfig: KubeConfig, url: string): KubeConfig {
  const cluster = kubeConfig.getCurrentCluster();
  requireHttps(url, url);
  const derived = new KubeConfig();
  derived.loadFromOptions({
    clusters: [{ ...cluster, server: url.replace(/\/+$/, '') }],
    users: [kubeConfig.getCurrentUser()],
    contexts: [kubeConfig.getContextObject(kubeConfig.getCurrentContext())],
    currentContext: kubeConfig.getCurrentContext(),
  });
  return derived;
}

async function readKubeConfig(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, 'kubeconfig', error);
  }
}

function parseShape(path: string, text: string): z.infer<typeof kubeConfigFile> {
  const excess = findYamlExcess(text);
  if (excess !== undefined) throw invalid(path, excess);
  let document: unknown;
  try {
    // No warnings: they are printed, with the line.
    document = parse(text, { logLevel: 'error' });
  } catch (error) {
    // Not the parser's own message: it quotes the line, in which there may be a key or a token.
    const line = (error as { linePos?: readonly { line: number }[] }).linePos?.[0]?.line;
    throw invalid(path, `is not YAML${line === undefined ? '' : ` (line ${line})`}`);
  }
  const result = kubeConfigFile.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(path, `is not a kubeconfig: ${issue?.path.join('.')} is missing or not what it should be`);
}

/** Over anything else our credentials and every probe token would be readable on the way. */
function requireHttps(subject: string, server: string): void {
  if (URL.canParse(server) && new URL(server).protocol === 'https:') return;
  throw new KeyturnError('CONFIG_INVALID', `The API server address ${server} is not an https URL`, {
    subject,
    remedy: 'Give the address as https://host:port',
  });
}

async function requireReadable(file: string, why: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    throw unreadable(file, `a file that ${why},`, error);
  }
}

function absolute(kubeConfigPath: string, file: string): string {
  return isAbsolute(file) ? file : join(dirname(resolve(kubeConfigPath)), file);
}

function invalid(path: string, problem: string): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', `Kubeconfig ${path} ${problem}`, {
    subject: path,
    remedy: 'Correct it, or name another kubeconfig or context for this cluster in keyturn.yaml',
  });
}

function unreadable(path: string, what: string, cause: unknown): KeyturnError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  return new KeyturnError('FILE_UNREADABLE', `Cannot read ${what} ${path}: ${code}`, {
    subject: path,
    remedy: 'Check the path and its permissions',
  });
}
