// Completion for bash, 3.2 or later, without the package bash-completion.
import type { CommandWords, OptionWords } from './command-tree.ts';

export function bashCompletion(program: string, tree: readonly CommandWords[]): string {
  const options = distinctOptions(tree);
  const withValue = options.filter(({ value }) => value !== 'none');
  return `# ${program} completion for bash: source <(${program} completion bash)
_${program}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at='' i word words=''
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in
      ${flagPattern(withValue)}) i=$((i + 1)); continue ;;
    esac
    case "$at/$word" in
      ${tree
        .slice(1)
        .map(({ path }) => path)
        .join(' | ')}) at="$at/$word" ;;
    esac
  done
  case "$prev" in
${withValue.map(valueCase).join('\n')}
  esac
  case "$at:$cur" in
${tree.map(wordsCase).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _${program} ${program}
`;
}

function distinctOptions(tree: readonly CommandWords[]): readonly OptionWords[] {
  return [...new Map(tree.flatMap(({ options }) => options).map((option) => [option.long, option])).values()];
}

function flagPattern(options: readonly OptionWords[]): string {
  return options.flatMap(flagsOf).join(' | ');
}

function flagsOf({ short, long }: OptionWords): readonly string[] {
  return short === undefined ? [long] : [short, long];
}

function valueCase(option: OptionWords): string {
  const flags = flagsOf(option).join(' | ');
  switch (option.value) {
    case 'file':
      return `    ${flags}) compopt -o default 2> /dev/null; return ;;`;
    case 'none':
    case 'text':
      return `    ${flags}) return ;;`;
    default:
      return `    ${flags}) COMPREPLY=($(compgen -W '${option.value.join(' ')}' -- "$cur")); return ;;`;
  }
}

/** Options once a dash is typed; else what may follow, and options only where nothing else may. */
function wordsCase({ path, commands, options, argumentChoices }: CommandWords): string {
  const flags = options.flatMap(flagsOf).join(' ');
  const names = [...commands.map(({ name }) => name), ...argumentChoices].join(' ');
  return `    '${path}':-*) words='${flags}' ;;\n    '${path}':*) words='${names === '' ? flags : names}' ;;`;
}
