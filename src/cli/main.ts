#!/usr/bin/env node
// The command line: one clear sentence and an exit code for whatever goes wrong.
import { CommanderError, type Command } from 'commander';
import { EXIT } from './exit-code.ts';
import { printError } from './output.ts';
import { createProgram } from './program.ts';

const program = createProgram();
for (const command of allCommands(program)) command.exitOverride();
try {
  await program.parseAsync();
  // Clients keep connections open; nothing is left to do.
  process.exit(process.exitCode ?? EXIT.done);
} catch (error) {
  // Commander has told what was wrong with the words, or has shown the help that was asked for.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage);
  printError(error, program.opts());
  process.exit(EXIT.failed);
}

function allCommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}
