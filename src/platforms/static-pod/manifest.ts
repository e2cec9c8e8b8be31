// Reads a static pod manifest as far as Keyturn needs it: the container of one component, and the words of its command line with their places.
import { isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import type { Document, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { KeyturnError } from '../../errors.ts';
import { findYamlExcess, shortFault } from '../../yaml-bounds.ts';

export type Component = 'kube-apiserver' | 'kube-controller-manager';

/** A manifest as it stands on a node. */
export interface Manifest {
  readonly source: string;
  readonly component: Component;
  /** `node:path`, for errors. */
  readonly subject: string;
}

export type ListName = 'command' | 'args';

/** One item of `command` or `args`. */
export interface Word {
  readonly text: string;
  readonly list: ListName;
  readonly index: number;
  readonly scalar: Scalar;
  /** True in `[a, b]`, false where each item has a line of its own. */
  readonly flow: boolean;
}

/** As far as parseManifest has made sure of it. */
export interface PodData {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, unknown>> | null };
  readonly spec: {
    readonly containers: readonly {
      readonly command?: string[];
      readonly args?: string[];
      readonly volumeMounts?: unknown;
    }[];
    readonly volumes?: unknown;
  };
}

export interface ParsedManifest {
  readonly manifest: Manifest;
  /** The Pod as plain data. */
  readonly pod: PodData;
  /** Position in `spec.containers`. */
  readonly containerIndex: number;
  /** All words of its command line: `command`, then `args`. */
  readonly words: readonly Word[];
  /** The words after the program's name: its flags. */
  readonly flagWords: readonly Word[];
}

/**
 * @throws MANIFEST_UNREADABLE where kubelet would not read it either: not YAML, not a Pod
 * @throws MANIFEST_UNSUPPORTED where it may be right but cannot be edited safely: several documents, aliases, a shell command line
 */
export function parseManifest(manifest: Manifest): ParsedManifest {
  const document = parseOneDocument(manifest);
  const pod = document.contents;
  if (!isMap(pod) || (pod.get('kind') as unknown) !== 'Pod') throw unreadable(manifest, 'is not a Pod');
  const spec = pod.get('spec', true);
  const containers = isMap(spec) ? spec.get('containers', true) : undefined;
  refuseReuse(manifest, 'spec.containers', spec, containers);
  if (!isSeq(containers)) throw unreadable(manifest, 'has no spec.containers');
  return findContainer(manifest, document, containers);
}

/** @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED */
export function parseOneDocument(manifest: Manifest): Document.Parsed {
  const excess = findYamlExcess(manifest.source);
  if (excess !== undefined) throw unreadable(manifest, excess);
  const documents = parseAllDocuments(manifest.source, { logLevel: 'error' });
  const [document, second] = documents;
  if (document === undefined) throw unreadable(manifest, 'is empty');
  const [error] = document.errors;
  if (error !== undefined) {
    throw unreadable(manifest, `is not valid YAML (${shortFault(error.message.split('\n')[0] ?? error.code)})`);
  }
  if (second !== undefined) {
    throw unsupported(manifest, 'holds several YAML documents', 'Keep one Pod in one file');
  }
  return document;
}

function findContainer(manifest: Manifest, document: Document.Parsed, containers: YAMLSeq): ParsedManifest {
  const { component } = manifest;
  const found: ParsedManifest[] = [];
  for (const [containerIndex, container] of containers.items.entries()) {
    refuseReuse(manifest, `spec.containers[${containerIndex}]`, container);
    if (!isMap(container)) continue;
    const words = [...readWords(manifest, container, 'command'), ...readWords(manifest, container, 'args')];
    const program = words.findIndex(({ text }) => isProgram(text, component));
    if (program < 0) {
      refuseShell(manifest, words);
      continue;
    }
    found.push({
      manifest,
      pod: toPlain(manifest, document),
      containerIndex,
      words,
      flagWords: words.slice(program + 1),
    });
  }
  const [only, second] = found;
  if (only === undefined || second !== undefined) {
    throw unsupported(
      manifest,
      `has ${only === undefined ? 'no container' : 'several containers'} whose command is ${component}`,
      `Write the command as a list whose first word is ${component}, in one container`,
    );
  }
  return only;
}

/** Wrappers stand before it with their own flags, such as `/go-runner --log-file=... kube-apiserver`. */
function isProgram(text: string, component: Component): boolean {
  return !text.startsWith('-') && !/\s/.test(text) && text.endsWith(component);
}

function refuseShell(manifest: Manifest, words: readonly Word[]): void {
  const { component } = manifest;
  if (words.every(({ text }) => !/\s/.test(text) || !text.includes(component))) return;
  throw unsupported(
    manifest,
    `starts ${component} in a shell string, in which flags cannot be told from text`,
    `Write the command as a list whose first word is ${component}`,
  );
}

function readWords(manifest: Manifest, container: YAMLMap, list: ListName): readonly Word[] {
  const items = container.get(list, true);
  if (items === undefined || (isScalar(items) && items.value === null)) return [];
  refuseReuse(manifest, list, items);
  if (!isSeq(items)) throw unreadable(manifest, `has a ${list} that is not a list`);
  return items.items.map((scalar, index) => {
    refuseReuse(manifest, `${list}[${index}]`, scalar);
    if (!isScalar(scalar) || typeof scalar.value !== 'string') {
      throw unreadable(manifest, `has a ${list} whose item ${index} is not a string`);
    }
    return { text: scalar.value, list, index, scalar, flow: items.flow === true };
  });
}

/** An edit at an anchor would change all of its aliases too. */
function refuseReuse(manifest: Manifest, where: string, ...nodes: readonly unknown[]): void {
  for (const node of nodes) {
    const anchored = (isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined;
    if (anchored || isAlias(node)) {
      throw unsupported(manifest, `uses a YAML anchor or alias at ${where}`, 'Write the value out');
    }
  }
}

function toPlain(manifest: Manifest, document: Document): PodData {
  try {
    return document.toJS() as PodData;
  } catch {
    throw unreadable(manifest, 'has an alias that cannot be resolved');
  }
}

function unreadable({ subject }: Manifest, what: string): KeyturnError {
  return new KeyturnError('MANIFEST_UNREADABLE', `${subject} ${what}`, {
    subject,
    remedy: 'Correct it on the node, so that kubelet can read it too',
  });
}

export function unsupported({ subject }: Manifest, what: string, remedy: string): KeyturnError {
  return new KeyturnError('MANIFEST_UNSUPPORTED', `${subject} ${what}`, { subject, remedy });
}
