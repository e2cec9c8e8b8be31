// Completion for fish, with descriptions.
import type { CommandWords, OptionWords } from './command-tree.ts';

export function fishCompletion(program: string, tree: readonly CommandWords[]): string {
  const withValue = tree.flatMap(({ options }) => options).filter(({ value }) => value !== 'none');
  const flags = [...new Set(withValue.flatMap(({ short, long }) => (short === undefined ? [long] : [short, long])))];
  const paths = tree.map(({ path }) => path).filter((path) => path !== '');
  return `# ${program} completion for fish: ${program} completion fish | source
function __${program}_at
    set -l at ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $word ${flags.join(' ')}
            set skip 1
        else if contains -- "$at/$word" ${paths.join(' ')}
            set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c ${program} -f
${tree.flatMap((words) => linesOf(program, words)).join('\n')}
`;
}

function linesOf(program: string, { path, commands, options, argumentChoices }: CommandWords): readonly string[] {
  const start = `complete -c ${program} -n ${quote(`__${program}_at '${path}'`)}`;
  return [
    ...commands.map(({ name, description }) => `${start} -a ${name} -d ${quote(description)}`),
    ...argumentChoices.map((choice) => `${start} -a ${choice}`),
    ...options.map((option) => `${start}${optionArguments(option)} -d ${quote(option.description)}`),
  ];
}

function optionArguments({ long, short, value }: OptionWords): string {
  const flags = `${short === undefined ? '' : ` -s ${short.slice(1)}`} -l ${long.slice(2)}`;
  switch (value) {
    case 'none':
      return flags;
    case 'file':
      return `${flags} -r -F`;
    case 'text':
      return `${flags} -x`;
    default:
      return `${flags} -x -a ${quote(value.join(' '))}`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", `\\'`)}'`;
}
