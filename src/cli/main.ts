#!/usr/bin/env node
// The command line: one clear sentence and an exit code for whatever goes wrong.
import { EXIT } from './exit-code.ts';
import { printError } from './output.ts';
import { createProgram } from './program.ts';

const program = createProgram();
try {
  await program.parseAsync();
  // Clients keep connections open; nothing is left to do.
  process.exit(process.exitCode ?? EXIT.done);
} catch (error) {
  printError(error, program.opts());
  process.exit(EXIT.failed);
}
