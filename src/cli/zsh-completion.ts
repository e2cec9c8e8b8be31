// Completion for zsh, with descriptions.
import type { CommandWords, OptionWords } from './command-tree.ts';

export function zshCompletion(program: string, tree: readonly CommandWords[]): string {
  const withValue = tree.flatMap(({ options }) => options).filter(({ value }) => value !== 'none');
  const distinct = [...new Map(withValue.map((option) => [option.long, option])).values()];
  return `#compdef ${program}
# ${program} completion for zsh: source <(${program} completion zsh), or keep it as _${program} in a folder of $fpath
_${program}() {
  local at='' word
  local -i i
  local -a entries flags
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    case "$word" in
      ${distinct.flatMap(flagsOf).join('|')}) ((i++)); continue ;;
    esac
    case "$at/$word" in
      ${tree
        .slice(1)
        .map(({ path }) => path)
        .join('|')}) at="$at/$word" ;;
    esac
  done
  case "\${words[CURRENT-1]}" in
${distinct.map(valueCase).join('\n')}
  esac
  case "$at" in
${tree.map(wordsCase).join('\n')}
  esac
  if [[ "\${words[CURRENT]}" != -* ]] && (( \${#entries} )); then
    _describe command entries
  else
    _describe -o option flags
  fi
}
if [[ "\${funcstack[1]}" == _${program} ]]; then _${program} "$@"; else compdef _${program} ${program}; fi
`;
}

function flagsOf({ short, long }: OptionWords): readonly string[] {
  return short === undefined ? [long] : [short, long];
}

function valueCase(option: OptionWords): string {
  const flags = flagsOf(option).join('|');
  switch (option.value) {
    case 'file':
      return `    ${flags}) _files; return ;;`;
    case 'none':
    case 'text':
      return `    ${flags}) _message ${quote(option.description)}; return ;;`;
    default:
      return `    ${flags}) compadd -- ${option.value.join(' ')}; return ;;`;
  }
}

function wordsCase({ path, commands, options, argumentChoices }: CommandWords): string {
  const entries = [
    ...commands.map(({ name, description }) => entry(name, description)),
    ...argumentChoices.map((choice) => quote(choice)),
  ];
  const flags = options.map(({ long, description }) => entry(long, description));
  return `    '${path}') entries=(${entries.join(' ')}); flags=(${flags.join(' ')}) ;;`;
}

/** `_describe` takes what stands after the first colon as the description. */
function entry(word: string, description: string): string {
  return quote(`${word.replaceAll(':', '\\:')}:${description}`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
