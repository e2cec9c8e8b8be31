// What YAML may cost to read: small texts can mean huge or very deep documents, over which a parser takes minutes or its whole stack.
import { Lexer } from 'yaml';

/** 1 MiB, counted in characters: no manifest, kubeconfig or configuration comes near it. */
const MAX_LENGTH = 1_048_576;
/** Of the lexer. The parser's work grows with their square. */
const MAX_TOKENS = 20_000;
const MAX_DEPTH = 64;
/** Deeper indentation than this is nesting, too. */
const MAX_INDENTATION = 1000;
/** Of what is said of it, in characters. */
const MAX_FAULT = 1000;

/** Indicators of which each opens one more level, or decorates one more node, on the same line. */
const OPENING: ReadonlySet<string> = new Set(['-', '?', ':', '[', '{']);

/** Why a text is not worth reading, as the end of a sentence that begins with its name; undefined where it is. Linear in the text's length. */
export function findYamlExcess(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return `is larger than ${MAX_LENGTH} characters`;
  let tokens = 0;
  /** Of brackets that are open, over lines. */
  let brackets = 0;
  /** Of indicators on this line. */
  let onLine = 0;
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    if (tokens > MAX_TOKENS) return `has more than ${MAX_TOKENS} words and signs`;
    if (token.includes('\n')) onLine = 0;
    else if (nestsOnLine(token, brackets)) onLine += 1;
    if (token === '[' || token === '{') brackets += 1;
    if (token === ']' || token === '}') brackets -= 1;
    if (brackets > MAX_DEPTH || onLine > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH} levels`;
    if (token.length > MAX_INDENTATION && /^ +$/.test(token))
      return `is indented by more than ${MAX_INDENTATION} columns`;
  }
  return undefined;
}

/** What is wrong with a text, to be told: parsers and schemas repeat what they could not read, however long it is. */
export function shortFault(fault: string): string {
  return fault.length > MAX_FAULT ? `${fault.slice(0, MAX_FAULT)} ...` : fault;
}

/** Within brackets, as in JSON on one line, there are many colons, none of which opens a level. */
function nestsOnLine(token: string, brackets: number): boolean {
  if (token === '?' || token.startsWith('!') || token.startsWith('&')) return true;
  return brackets === 0 && OPENING.has(token);
}
