// Writes what a run of the fault matrix saw as docs/reliability.md.
import { writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { FAULTS } from './faults.ts';
import { MOMENT_NAMES, type MomentName } from './moments.ts';
import type { TrialResult } from './run-trial.ts';
import type { Fault, InjectionResult } from './trial.ts';

export interface RunFacts {
  readonly command: string;
  /** Cells that are in the matrix. */
  readonly cells: number;
  /** Names of faults that this machine could not do. */
  readonly impossible: readonly string[];
}

export async function writeReport(file: string, facts: RunFacts, results: readonly TrialResult[]): Promise<void> {
  const text = renderReport(facts, results);
  await writeFile(file, await format(text, { ...(await resolveConfig(file)), filepath: file }));
}

function renderReport(facts: RunFacts, results: readonly TrialResult[]): string {
  const single = results.flatMap(({ injections }) => injections.filter(({ faults }) => faults.length === 1));
  const tried = new Set(single.map(({ moment, faults }) => `${faults.join()} ${moment}`));
  const sum = (count: (result: TrialResult) => number) => results.reduce((total, result) => total + count(result), 0);
  const pairs = results.flatMap(({ injections }) => injections.filter(({ faults }) => faults.length > 1)).length;
  const findings = results.flatMap((result) => result.findings);
  return `# Reliability

What Keyturn does when something fails, whatever and whenever: seen, not argued. This page is written by \`npm run faults\`
(\`test/faults/report.ts\`).

Each rotation runs on real parts: a Temporal server on a database file, three kube-apiservers and controller managers over
three members of etcd, and Azurite, on one machine (\`src/demo\`); a static pod runner of ours stands for kubelet. The whole time clients
that reload their tokens, and a relying party that knows the public JWKS only, try tokens of every API server everywhere, from
outside of Keyturn. A fault comes when the rotation's status says that its step is there, and is mended on a condition. A rotation
that holds is told to retry once the fault is mended. Afterwards this must be so, or it stands under "Findings":

- The rotation has ended as it should: completed, or rolled back where that was asked for.
- It was held only where a person is needed, and had put the former manifest back before it asked.
- No valid token was rejected: not by any API server, not by the relying party.
- Every file of every node is what it was, mode included, with the new key in the old one's place; what another writer added is there.
- The public JWKS has the new key in the former one's place and every other key; rolled back, it is byte for byte the same.
- The key store is empty, and a search through everything that the run left (database, logs, blobs, nodes) finds no private key
  anywhere but in \`sa.key\`.
- Every API server signs with the one key that it trusts; every controller manager is healthy.

## The run

| | |
| --- | --- |
| when | ${results[0]?.startedAt ?? '-'} to ${new Date().toISOString()} |
| last command | \`${facts.command}\` |
| rotations | ${results.length}, ${Math.round(sum(({ seconds }) => seconds) / 60)} min in all |
| cells of the matrix | ${tried.size} of ${facts.cells} |
| pairs of faults | ${pairs} |
| token checks from outside | ${sum(({ probes }) => probes.checks)} |
| **valid tokens rejected** | **${sum(({ probes }) => probes.rejected)}** |
| not answered (the asked party was down) | ${sum(({ probes }) => probes.unreachable)} |
| token checks by the worker | ${sum(({ ownProbes }) => ownProbes.checks)} |
| rejected in its judgement (a wrong clock takes valid tokens for expired) | ${sum(({ ownProbes }) => ownProbes.rejected)} |
| API server restarts | ${sum(({ apiServerRestarts }) => apiServerRestarts)} |
| workers started | ${sum(({ workersStarted }) => workersStarted)} |
| findings | ${findings.length} |

## The matrix

A cell is one fault in one phase. "on": the rotation went on by itself once the fault was over. A code: it was held with it
([what each means](failures.md)), and went on when it was retried. "·": not part of the matrix. "–": not run this time${tried.size < facts.cells ? ', since the run was ended before it came to them' : ''}.${facts.impossible.length === 0 ? '' : ` Not possible on this machine: ${facts.impossible.join(', ')}.`}

| fault | ${MOMENT_NAMES.join(' | ')} |
| --- | ${MOMENT_NAMES.map(() => '---').join(' | ')} |
${FAULTS.map((fault) => matrixRow(fault, single)).join('\n')}

Preflight is not in it: it changes nothing, and refuses the start with whatever is in its way.

## The rotations

| # | faults | outcome | checks | rejected | unanswered | API server restarts | workers | time |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${results.map((result, index) => rotationRow(result, index + 1)).join('\n')}

## Findings

${results.flatMap((result, index) => result.findings.map((finding) => `- ${index + 1}: ${finding}`)).join('\n') || 'None.'}
${notesOf(results)}
## The faults

${FAULTS.map(({ name, how }) => `- **${name}**: ${how}.`).join('\n')}

A node's network is cut between the worker and its API server; its files are reached locally here. Files of nodes that go away over
SSH or in agent pods have tests of their own.

## Run it again

\`\`\`sh
npm run faults                                   # all of it: about an hour on two cores that do nothing else
npm run faults -- --fault "etcd member lost" --phase Signing --report /tmp/report.md
npm run faults -- --pairs 6 --seed 7             # six rotations with random pairs; the same seed, the same pairs
npm run faults -- --log faults.jsonl             # may be ended with Ctrl-C and taken up by the same command
\`\`\`

It needs Linux. The full disk and the read-only folder need root, and are left out without it. The command fails where there is a
finding. Continuous integration runs the most telling cells (\`test/integration/faults.test.ts\`).
`;
}

function notesOf(results: readonly TrialResult[]): string {
  const notes = results.flatMap((result, index) => result.notes.map((note) => `- ${index + 1}: ${note}`));
  return notes.length === 0 ? '' : `\n## Noted\n\n${notes.join('\n')}\n`;
}

function matrixRow(fault: Fault, results: readonly InjectionResult[]): string {
  const cell = (moment: MomentName): string => {
    if (fault.expected[moment] === undefined) return '·';
    const seen = results.filter((result) => result.moment === moment && result.faults[0] === fault.name);
    return seen.length === 0 ? '–' : [...new Set(seen.map(wordFor))].join(', ');
  };
  return `| ${fault.name} | ${MOMENT_NAMES.map(cell).join(' | ')} |`;
}

function wordFor({ held }: InjectionResult): string {
  return held.length === 0 ? 'on' : [...new Set(held)].map((code) => `\`${code}\``).join(' ');
}

function rotationRow(result: TrialResult, number: number): string {
  const faults = result.injections.map(({ moment, faults: names, held }) => {
    return `${moment}: ${names.join(' with ')}${held.length === 0 ? '' : ` (${held.join(', ')})`}`;
  });
  const { checks, rejected, unreachable } = result.probes;
  const figures = [checks, rejected, unreachable, result.apiServerRestarts, result.workersStarted];
  return `| ${number} | ${faults.join('<br>')} | ${result.outcome} | ${figures.join(' | ')} | ${result.seconds} s |`;
}
