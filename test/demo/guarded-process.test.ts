// A guarded process does not outlive the process that started it, however that one ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startGuardedProcess } from '../../src/demo/guarded-process.ts';

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'keyturn-guarded-'))));
afterEach(() => rm(directory, { recursive: true, force: true }));

const modulePath = new URL('../../src/demo/guarded-process.ts', import.meta.url).href;

/** A zombie is not: who collects an orphan's remains, and when, is the machine's affair. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('startGuardedProcess', () => {
  it.each(['SIGKILL', 'SIGTERM', 'uncaught exception'])('leaves no orphan after %s of its parent', async (end) => {
    const script = `
      import { startGuardedProcess } from ${JSON.stringify(modulePath)};
      const child = await startGuardedProcess('sleep', ['600'], { logFile: ${JSON.stringify(join(directory, 'log'))} });
      console.log(child.pid);
      setTimeout(() => { throw new Error('on purpose') }, ${end === 'uncaught exception' ? 50 : 600_000});
    `;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [output] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(output.toString());
    expect(isAlive(pid)).toBe(true);
    if (end !== 'uncaught exception') parent.kill(end as NodeJS.Signals);
    await once(parent, 'exit');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 5000);
  });

  it('says that a program does not exist', async () => {
    const start = startGuardedProcess(join(directory, 'missing'), [], { logFile: join(directory, 'log') });
    await expect(start).rejects.toThrow('ENOENT');
  });

  it('may be stopped twice', async () => {
    const sleeper = await startGuardedProcess('sleep', ['600'], { logFile: join(directory, 'log') });
    await Promise.all([sleeper.stop(1000), sleeper.stop(1000)]);
    await sleeper.stop(1000);
    expect(await sleeper.exited).toEqual({ code: null, signal: 'SIGTERM' });
  });
});
