// keyturn completion: prints a script that completes commands and options in bash, zsh or fish.
import { Argument, Command } from 'commander';
import { bashCompletion } from './bash-completion.ts';
import { readCommandTree, type CommandWords } from './command-tree.ts';
import { fishCompletion } from './fish-completion.ts';
import { zshCompletion } from './zsh-completion.ts';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;
type Shell = keyof typeof SHELLS;

export function completionCommand(): Command {
  return new Command('completion')
    .description('print a script that completes commands: source <(keyturn completion bash)')
    .addArgument(new Argument('<shell>').choices(Object.keys(SHELLS)))
    .action((shell: Shell, _: unknown, command: Command) => {
      process.stdout.write(renderCompletion(shell, command.parent ?? command));
    });
}

/** Written from the commands themselves: it cannot name one that does not exist, nor does it start Node when a key is pressed. */
export function renderCompletion(shell: Shell, program: Command): string {
  const tree: readonly CommandWords[] = readCommandTree(program);
  return SHELLS[shell](program.name(), tree);
}
