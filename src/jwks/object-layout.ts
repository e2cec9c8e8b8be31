// How a JSON document is laid out, learnt from its own text, so that what is added looks like what is there.
import { membersAt, skipSpace } from './json-spans.ts';
import type { Span } from './json-spans.ts';

/** The white space (and the colon) of an object's members. */
export interface ObjectLayout {
  readonly afterOpen: string;
  readonly afterComma: string;
  readonly colon: string;
  readonly beforeClose: string;
}

/** How the elements of an array and their members are laid out. */
export interface ElementLayout {
  readonly object: ObjectLayout;
  readonly beforeElement: string;
  readonly afterElement: string;
}

/** The layout of the object at an offset, or undefined where it is empty. */
export function layoutOfObject(json: string, { start, end }: Span): ObjectLayout | undefined {
  const members = membersAt(json, start);
  const [first, second] = members;
  const last = members.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const afterOpen = json.slice(start + 1, first.nameSpan.start);
  return {
    afterOpen,
    afterComma: second === undefined ? afterOpen : spaceBehindComma(json.slice(first.value.end, second.nameSpan.start)),
    colon: json.slice(first.nameSpan.end, first.value.start),
    beforeClose: json.slice(last.value.end, end - 1),
  };
}

/**
 * The layout for the first element of an empty array that is a member of the document's outermost object: on lines of their own
 * where the document has lines, with its indentation (two spaces, four, tabs, none) and line ends; else on the same line.
 */
export function layoutForFirstElement(json: string): ElementLayout {
  const start = skipSpace(json, 0);
  const outermost = layoutOfObject(json, { start, end: json.trimEnd().length });
  const { afterOpen = '', colon = ':' } = outermost ?? {};
  const newline = /\r?\n/.exec(afterOpen)?.[0];
  if (newline === undefined) {
    const afterComma = colon.endsWith(' ') ? ' ' : '';
    return { object: { afterOpen: '', afterComma, colon, beforeClose: '' }, beforeElement: '', afterElement: '' };
  }
  const indent = afterOpen.slice(afterOpen.lastIndexOf('\n') + 1);
  const line = (depth: number): string => newline + indent.repeat(depth);
  return {
    object: { afterOpen: line(3), afterComma: line(3), colon, beforeClose: line(2) },
    beforeElement: line(2),
    afterElement: line(1),
  };
}

/** Writes a flat object of strings. */
export function renderObject(object: object, { afterOpen, afterComma, colon, beforeClose }: ObjectLayout): string {
  const members = Object.entries(object).map(
    ([name, value]) => `${JSON.stringify(name)}${colon}${JSON.stringify(value)}`,
  );
  return `{${afterOpen}${members.join(`,${afterComma}`)}${beforeClose}}`;
}

/** What follows the comma in a text of white space and one comma. */
export function spaceBehindComma(separator: string): string {
  return separator.slice(separator.indexOf(',') + 1);
}
