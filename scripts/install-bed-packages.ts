// Installs what a kubelet bed needs from the system, where it is missing: on Debian or Ubuntu, as root. Elsewhere it says what to install, and ends with 1.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { findMissingPackages } from '../src/demo/kubelet/bed-requirements.ts';

/** While it is there and says 101, packages do not start the daemons that they bring. */
const policy = '/usr/sbin/policy-rc.d';

const missing = await findMissingPackages();
const list = missing.join(' ');
if (missing.length === 0) say('Everything that the kubelet bed needs is there.');
else if (process.platform !== 'linux') refuse(`The kubelet bed needs Linux; this is ${process.platform}.`);
else if (!existsSync('/usr/bin/apt-get')) {
  refuse(`Not Debian or Ubuntu: install what these packages hold there: ${list}`);
} else if (process.getuid?.() !== 0) refuse(`Not root: run \`apt-get install ${list}\` as root.`);
else {
  say(`Installing ${list}`);
  const hasPolicy = existsSync(policy);
  if (!hasPolicy) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    aptGet('update', '-qq');
    aptGet('install', '-qq', '-y', '--no-install-recommends', ...missing);
  } finally {
    if (!hasPolicy) rmSync(policy);
  }
}

function aptGet(...words: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', words, { env, stdio: ['ignore', 'ignore', 'inherit'] });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function refuse(text: string): void {
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
}
