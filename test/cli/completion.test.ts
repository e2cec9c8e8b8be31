// Completion: the scripts are good, and in a real shell they complete what the program has.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderCompletion } from '../../src/cli/completion.ts';
import { createProgram } from '../../src/cli/program.ts';

let directory: string;
const file = (shell: string) => join(directory, `keyturn.${shell}`);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-completion-'));
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    writeFileSync(file(shell), renderCompletion(shell, createProgram()));
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

const isInstalled = (shell: string) => spawnSync(shell, ['--version']).error === undefined;

/** What bash offers for the last word of the line, as its own completion machinery calls the function. */
function completeInBash(...words: string[]): string[] {
  const script = `source "$1"; shift
    [[ $(complete -p keyturn) == *'-F _keyturn'* ]] || exit 1
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _keyturn; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-c', script, 'bash', file('bash'), 'keyturn', ...words], {
    encoding: 'utf8',
  });
  return output.split('\n').filter((word) => word !== '');
}

const cases = [
  ['a command', ['sched'], ['schedule']],
  ['commands that share a beginning', ['re'], ['resume', 'retry']],
  ['commands below a command', ['schedule', ''], ['apply', 'list', 'trigger', 'pause', 'resume', 'help']],
  ['after an option with a value', ['--config', 'schedule', 'rota'], ['rotate']],
  ['after an option without one', ['--json', 'schedule', 'tr'], ['trigger']],
  ['an option of its own', ['schedule', 'apply', '--dr'], ['--dry-run']],
  ['an option that every command takes', ['schedule', 'list', '--js'], ['--json']],
  ['the choices of an option', ['rotate', '--gate', ''], ['signing', 'pruning', 'each-node']],
  ['the choices of an argument', ['completion', ''], ['bash', 'zsh', 'fish']],
  ['nothing for free text', ['pause', '--reason', ''], []],
] as const;

describe('bash', () => {
  test('takes the script', () => {
    execFileSync('bash', ['-n', file('bash')]);
  });

  test.for(cases)('completes %s', ([, words, offered]) => {
    expect(completeInBash(...words)).toEqual(offered);
  });

  test('completes every command of the program', () => {
    const names = createProgram().commands.map((command) => command.name());
    expect(completeInBash('')).toEqual([...names, 'help']);
  });
});

describe.skipIf(!isInstalled('fish'))('fish', () => {
  test.for(cases)('completes %s', ([, words, offered]) => {
    const line = ['keyturn', ...words].join(' ');
    const output = execFileSync('fish', ['--no-config', '-c', `source ${file('fish')}; complete -C '${line}'`], {
      encoding: 'utf8',
    });
    const found = output.split('\n').map((text) => text.split('\t')[0]);
    // In an order of its own.
    expect(new Set(found.filter((word) => word !== ''))).toEqual(new Set(offered));
  });
});

test.skipIf(!isInstalled('zsh'))('zsh takes the script', () => {
  execFileSync('zsh', ['-n', file('zsh')]);
});

test('keyturn completion prints it', () => {
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
  const output = execFileSync(process.execPath, [main, 'completion', 'bash'], { encoding: 'utf8' });
  expect(output).toBe(renderCompletion('bash', createProgram()));
});
