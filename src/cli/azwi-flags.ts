// The command line of `azwi jwks` v1.6.0, read as cobra and pflag read it, with their words for what is wrong.

export type AzwiFlags =
  | { readonly kind: 'run'; readonly publicKeys: readonly string[]; readonly outputFile: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly problem: string };

type ReadValue = (value: string) => string | undefined;

interface Flag {
  /** The value of a flag that stands alone, or undefined where it needs one. */
  readonly alone?: string;
  /** As pflag names it in complaints. */
  readonly title: string;
  /** Takes a value, or gives the complaint about it. */
  readonly set: ReadValue;
}

/** What Go's strconv.ParseBool reads. */
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** @param args what stands behind `jwks` on the command line; arguments that are no flags are ignored, as azwi does it */
export function parseAzwiFlags(args: readonly string[]): AzwiFlags {
  const values = { publicKeys: [] as string[], outputFile: '', help: false };
  const flags: Readonly<Record<string, Flag>> = {
    'public-keys': {
      title: '--public-keys',
      set: (value) => {
        const paths = splitCsv(value);
        if (typeof paths === 'string') return paths;
        values.publicKeys.push(...paths);
        return undefined;
      },
    },
    'output-file': { title: '--output-file', set: (value) => void (values.outputFile = value) },
    help: { title: '-h, --help', alone: 'true', set: readBoolean((value) => (values.help = value)) },
    debug: { title: '--debug', alone: 'true', set: readBoolean(() => undefined) },
  };
  const problem = setFlags(args, flags);
  if (problem !== undefined) return { kind: 'refused', problem };
  return values.help ? { kind: 'help' } : { kind: 'run', publicKeys: values.publicKeys, outputFile: values.outputFile };
}

function setFlags(args: readonly string[], flags: Readonly<Record<string, Flag>>): string | undefined {
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined && arg !== '--'; arg = rest.shift()) {
    if (!arg.startsWith('-') || arg === '-') continue;
    const problem = arg.startsWith('--') ? setLong(arg, rest, flags) : setShort(arg, flags);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function setLong(arg: string, rest: string[], flags: Readonly<Record<string, Flag>>): string | undefined {
  const [, name = '', inline] = /^--([^=]*)(?:=([^]*))?$/.exec(arg) ?? [];
  if (name === '' || name.startsWith('-')) return `bad flag syntax: ${arg}`;
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (flag === undefined) return `unknown flag: --${name}`;
  const value = inline ?? flag.alone ?? rest.shift();
  return value === undefined ? `flag needs an argument: --${name}` : setValue(flag, value);
}

/** `-h` is the only short flag; `-hh` and `-h=true` are ways to write it. */
function setShort(arg: string, flags: Readonly<Record<string, Flag>>): string | undefined {
  const [, letters = '', inline = 'true'] = /^-(h*)(?:=([^]*))?/.exec(arg) ?? [];
  const unknown = arg.slice(1 + letters.length);
  if (unknown !== '' && !(letters !== '' && unknown.startsWith('='))) {
    return `unknown shorthand flag: '${Array.from(unknown)[0] ?? ''}' in -${unknown}`;
  }
  return flags['help'] && setValue(flags['help'], inline);
}

function setValue({ set, title }: Flag, value: string): string | undefined {
  const complaint = set(value);
  return complaint && `invalid argument ${JSON.stringify(value)} for "${title}" flag: ${complaint}`;
}

function readBoolean(set: (value: boolean) => void): ReadValue {
  return (text) => {
    if (!TRUE.has(text) && !FALSE.has(text))
      return `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
    set(TRUE.has(text));
    return undefined;
  };
}

/** One record of Go's encoding/csv, which is how a StringSlice is written; a string is its complaint. */
function splitCsv(value: string): readonly string[] | string {
  const text = value.replace(/^(?:\r?\n)+/, '');
  if (text === '') return value === '' ? [] : 'EOF';
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const [quoted, content] = /"((?:[^"]|"")*)"/y.exec(text.slice(at)) ?? [];
    const field = quoted ?? /^[^,\r\n]*/.exec(text.slice(at))?.[0] ?? '';
    const end = at + field.length;
    const next = text[end];
    if (text[at] === '"') {
      const broken = bytesIn(quoted === undefined ? text : text.slice(0, end - 1));
      const closed = quoted !== undefined && (next === undefined || ',\r\n'.includes(next));
      if (!closed) return `parse error on line 1, column ${broken + 1}: extraneous or missing " in quoted-field`;
    } else if (field.includes('"')) {
      return `parse error on line 1, column ${bytesIn(text.slice(0, at + field.indexOf('"'))) + 1}: bare " in non-quoted-field`;
    }
    fields.push(content?.replaceAll('""', '"') ?? field);
    if (next !== ',') return fields;
    at = end + 1;
  }
}

/** Go counts columns in bytes. */
function bytesIn(text: string): number {
  return new TextEncoder().encode(text).length;
}
