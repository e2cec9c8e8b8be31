// Sets, replaces and removes one annotation of a manifest in its source text, so that every other byte stays.
import { isDeepStrictEqual } from 'node:util';
import { isMap, isScalar } from 'yaml';
import type { Node, Pair, Scalar, YAMLMap } from 'yaml';
import { parseManifest, parseOneDocument, unsupported } from './manifest.ts';
import type { Manifest, PodData } from './manifest.ts';

/** What needs no escapes between double quotes, in YAML and in JSON. */
const PLAIN = /^[A-Za-z0-9._/-]+$/;

/** Its value; null where there is none. @throws MANIFEST_UNREADABLE MANIFEST_UNSUPPORTED */
export function readAnnotation(manifest: Manifest, name: string): string | null {
  const pair = pairOf(annotationsOf(manifest, metadataOf(manifest)), name);
  return isScalar(pair?.value) ? String(pair.value.value) : null;
}

/**
 * The source with the annotation; with `null`, without it: byte for byte what it was before this function added it.
 * @throws MANIFEST_UNREADABLE
 * @throws MANIFEST_UNSUPPORTED where that cannot be done without touching anything else
 */
export function setAnnotation(manifest: Manifest, name: string, value: string | null): string {
  for (const text of [name, value ?? name]) if (!PLAIN.test(text)) throw new TypeError(`not plain: ${text}`);
  const present = readAnnotation(manifest, name);
  if (present === value) return manifest.source;
  const metadata = metadataOf(manifest);
  const annotations = annotationsOf(manifest, metadata);
  const source =
    value === null
      ? removeFrom(manifest, metadata, annotations, name)
      : present === null
        ? addTo(manifest, metadata, annotations, `${quoteOf(annotations ?? metadata)(name)}: "${value}"`)
        : replaceIn(manifest, pairOf(annotations, name), value);
  refuseUnlessMeant(manifest, source, name, value);
  return source;
}

function addTo(manifest: Manifest, metadata: YAMLMap, annotations: YAMLMap | undefined, entry: string): string {
  if (annotations !== undefined) return insertFirst(manifest, annotations, [entry]);
  if (metadata.flow === true)
    return insertFirst(manifest, metadata, [`${quoteOf(metadata)('annotations')}: {${entry}}`]);
  return insertFirst(manifest, metadata, ['annotations:', `  ${entry}`]);
}

/** Before the first entry: the place that no comment at the end of a list, or a last line without its end, can spoil. */
function insertFirst(manifest: Manifest, map: YAMLMap, lines: readonly string[]): string {
  const { source } = manifest;
  if (map.flow === true) {
    const start = (map.range?.[0] ?? 0) + 1;
    return splice(source, start, start, map.items.length === 0 ? lines.join(' ') : `${lines.join(' ')}, `);
  }
  const key = keyStart(map.items[0]);
  const start = lineStart(source, key);
  const indent = source.slice(start, key);
  if (!/^ *$/.test(indent)) throw oddPlace(manifest);
  return splice(source, start, start, lines.map((line) => `${indent}${line}${eolOf(source)}`).join(''));
}

function removeFrom(manifest: Manifest, metadata: YAMLMap, annotations: YAMLMap | undefined, name: string): string {
  const { source } = manifest;
  const pair = pairOf(annotations, name);
  if (annotations === undefined || pair === undefined) return source;
  const isOnly = annotations.items.length === 1;
  const parent = pairOf(metadata, 'annotations');
  if (annotations.flow === true) {
    // Where all of it is ours the whole goes, unless metadata has a line for it: that one was there before.
    const whole = isOnly && metadata.flow === true && parent !== undefined;
    const start = keyStart(whole ? parent : pair);
    const end = valueEnd(whole ? parent : pair);
    const after = /^\s*,[ \t]?/.exec(source.slice(end))?.[0] ?? '';
    return splice(source, start, end + after.length, '');
  }
  const start = lineStart(source, keyStart(isOnly ? parent : pair));
  const end = lineEnd(source, valueEnd(pair));
  const lines = source.slice(start, end).split('\n').length;
  // A comment that somebody put between stays: then it cannot be done.
  if (lines !== (isOnly ? 3 : 2)) throw oddPlace(manifest);
  return splice(source, start, end, '');
}

function replaceIn(manifest: Manifest, pair: Pair | undefined, value: string): string {
  const range = (pair?.value as Scalar | undefined)?.range;
  if (range == null) throw oddPlace(manifest);
  return splice(manifest.source, range[0], range[1], `"${value}"`);
}

/** An edit that does anything else than what is meant never leaves this file. */
function refuseUnlessMeant(manifest: Manifest, source: string, name: string, value: string | null): void {
  const expected = parseManifest(manifest).pod;
  const { [name]: _, ...others } = expected.metadata?.annotations ?? {};
  const annotations = value === null ? others : { ...others, [name]: value };
  const found = parseManifest({ ...manifest, source }).pod;
  const isMeant =
    isDeepStrictEqual(found.metadata?.annotations ?? {}, annotations) &&
    isDeepStrictEqual(withoutAnnotations(found), withoutAnnotations(expected));
  if (!isMeant) throw oddPlace(manifest);
}

function withoutAnnotations(pod: PodData): unknown {
  const { annotations: _, ...metadata } = pod.metadata ?? {};
  return { ...pod, metadata };
}

function metadataOf(manifest: Manifest): YAMLMap {
  parseManifest(manifest);
  const pod = parseOneDocument(manifest).contents;
  const metadata = isMap(pod) ? pod.get('metadata', true) : undefined;
  if (isMap(metadata) && metadata.items.length > 0 && metadata.anchor === undefined) return metadata;
  throw unsupported(manifest, 'has no plain metadata', 'Give the pod its name in metadata, without anchors or aliases');
}

/** undefined where there are none yet. */
function annotationsOf(manifest: Manifest, metadata: YAMLMap): YAMLMap | undefined {
  const annotations = metadata.get('annotations', true) as Node | undefined;
  if (annotations === undefined) return undefined;
  if (isMap(annotations) && annotations.anchor === undefined) return annotations;
  throw unsupported(manifest, 'has annotations that are empty or an alias', 'Write them out, or take that line away');
}

function pairOf(map: YAMLMap | undefined, name: string): Pair | undefined {
  return map?.items.find(({ key }) => isScalar(key) && key.value === name);
}

/** Inside of `{}` a key is quoted as JSON wants it. */
function quoteOf(map: YAMLMap): (key: string) => string {
  return map.flow === true ? (key) => `"${key}"` : (key) => key;
}

function keyStart(pair: Pair | undefined): number {
  return (pair?.key as Node | undefined)?.range?.[0] ?? 0;
}

function valueEnd(pair: Pair | undefined): number {
  return (pair?.value as Node | undefined)?.range?.[1] ?? 0;
}

function lineStart(source: string, position: number): number {
  return source.lastIndexOf('\n', position - 1) + 1;
}

function lineEnd(source: string, position: number): number {
  const end = source.indexOf('\n', position);
  return end < 0 ? source.length : end + 1;
}

function eolOf(source: string): '\n' | '\r\n' {
  return source.includes('\r\n') ? '\r\n' : '\n';
}

function splice(source: string, start: number, end: number, text: string): string {
  return source.slice(0, start) + text + source.slice(end);
}

function oddPlace(manifest: Manifest): Error {
  return unsupported(
    manifest,
    'is written in a way in which an annotation cannot be set without touching anything else',
    'Write metadata and its annotations with a line for each entry',
  );
}
