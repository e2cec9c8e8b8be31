// Finds where in a JSON text its values stand, so that an edit can leave every other byte alone.

/** Offsets of a value in the text: from its first character to just behind its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface MemberSpan {
  readonly name: string;
  readonly nameSpan: Span;
  readonly value: Span;
}

/**
 * The members of the object at an offset, in their order, doubles included.
 * @param json text that JSON.parse has accepted: nothing is checked here
 */
export function membersAt(json: string, objectStart: number): readonly MemberSpan[] {
  const members: MemberSpan[] = [];
  let at = skipSpace(json, objectStart + 1);
  while (json[at] !== '}' && at < json.length) {
    const nameSpan = { start: at, end: endOfValue(json, at) };
    const valueStart = skipSpace(json, skipSpace(json, nameSpan.end) + 1);
    const value = { start: valueStart, end: endOfValue(json, valueStart) };
    members.push({ name: String(JSON.parse(json.slice(nameSpan.start, nameSpan.end))), nameSpan, value });
    at = skipComma(json, value.end);
  }
  return members;
}

/** The elements of the array at an offset. @param json text that JSON.parse has accepted */
export function elementsAt(json: string, arrayStart: number): readonly Span[] {
  const elements: Span[] = [];
  let at = skipSpace(json, arrayStart + 1);
  while (json[at] !== ']' && at < json.length) {
    const element = { start: at, end: endOfValue(json, at) };
    elements.push(element);
    at = skipComma(json, element.end);
  }
  return elements;
}

export function skipSpace(json: string, from: number): number {
  let at = from;
  while (isSpace(json[at])) at += 1;
  return at;
}

/** JSON's white space, RFC 8259 section 2, and nothing else. */
function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t';
}

function skipComma(json: string, from: number): number {
  const at = skipSpace(json, from);
  return json[at] === ',' ? skipSpace(json, at + 1) : at;
}

function endOfValue(json: string, start: number): number {
  const first = json[start];
  if (first === '"') return endOfString(json, start);
  if (first === '{' || first === '[') return endOfNested(json, start);
  let at = start;
  while (at < json.length && !isSpace(json[at]) && !',]}:'.includes(json[at] ?? ',')) at += 1;
  return at;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Counts depth instead of recursing: a document of brackets must not exhaust the stack. */
function endOfNested(json: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < json.length) {
    const character = json[at];
    if (character === '"') {
      at = endOfString(json, at);
      continue;
    }
    at += 1;
    if (character === '{' || character === '[') depth += 1;
    if (character === '}' || character === ']') depth -= 1;
    if (depth === 0) break;
  }
  return at;
}
