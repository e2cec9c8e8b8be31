// The commands of a program as plain data, for scripts that complete them.
import type { Command, Option } from 'commander';

export interface CommandWords {
  /** `/schedule/apply`; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  /** Its own, and those that every command takes. */
  readonly options: readonly OptionWords[];
  /** What its arguments may be, where that is a closed list. */
  readonly argumentChoices: readonly string[];
}

export interface OptionWords {
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  readonly value: 'none' | 'file' | 'text' | readonly string[];
}

/** The program and everything below it, parents first. */
export function readCommandTree(program: Command): readonly CommandWords[] {
  const help = program.createHelp();
  const everywhere = program.options.filter((option) => option.long !== '--version');
  return walk(program, '');

  function walk(command: Command, path: string): readonly CommandWords[] {
    const children = command.commands.length === 0 ? [] : help.visibleCommands(command);
    const options = new Set([...help.visibleOptions(command), ...everywhere]);
    const words: CommandWords = {
      path,
      commands: children.map((child) => ({ name: child.name(), description: child.description() })),
      options: [...options].map(optionOf),
      argumentChoices: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
    };
    return [words, ...command.commands.flatMap((child) => walk(child, `${path}/${child.name()}`))];
  }
}

function optionOf({ long, short, flags, description, argChoices, required, optional }: Option): OptionWords {
  const takesValue = required || optional;
  return {
    long: long ?? flags,
    short,
    description,
    value: argChoices ?? (!takesValue ? 'none' : /<file>|\[file\]/.test(flags) ? 'file' : 'text'),
  };
}
