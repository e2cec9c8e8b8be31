// What other programs print: gkectl, an API server's audit log, the script that reads a file of a node, a codec server's callers.
import { readAuditLog } from '../../../src/rotation/audit-log.ts';
import { parseReadAnswer } from '../../../src/nodes/shell/read-answer.ts';
import { fromPayloadJson, toPayloadJson } from '../../../src/payload-encryption/payload-json.ts';
import { judgeRotationState, parseRotationState } from '../../../src/platforms/gkectl/rotation-state.ts';
import { findConfigProblems } from '../../../src/platforms/gkectl/user-cluster-config.ts';
import type { FuzzTarget } from '../run-target.ts';
import { bombs } from './yaml-bombs.ts';
import { ZodError } from 'zod';

const state = (version: number, status: string, reason: string) =>
  `State of KSASigningKeyRotation with KSASigningKeyVersion ${version} is -
status: ${status},
reason: ${reason},
message:
{
  "tokenVersion": ${version},
  "privateKeyVersion": ${version},
  "publicKeyVersions": [
    ${version - 1},
    ${version}
  ]
}
`;

export const gkectlOutput: FuzzTarget = {
  name: 'gkectl output',
  seeds: [
    state(2, 'True', 'KSASigningKeyRotationCompleted'),
    `Reading config\n- Validation Category: Config Check\u001B[32m [SUCCESS]\u001B[0m\n${state(2, 'False', 'KSASigningKeyRotationProcessing')}${state(3, 'True', 'KSASigningKeyRotationCompleted')}Done.\r\n`,
  ],
  extremes: [
    'State of KSASigningKeyRotation with KSASigningKeyVersion 2 is -\n'.repeat(3000),
    state(2, 'True', 'x').replace('{', '{'.repeat(50_000)),
    `${state(2, 'True', 'x')}${'message:'.repeat(20_000)}`,
    'status: True,\n'.repeat(15_000),
    `State of KSASigningKeyRotation with KSASigningKeyVersion 2 is -\n${'\t '.repeat(90_000)}`,
  ],
  tokens: [
    'status: True,\n',
    'reason: KSASigningKeyRotationCompleted,\n',
    'message:',
    '"tokenVersion": 1e3,',
    'KSASigningKeyVersion 999999999 is -',
    '\u001B[31m',
  ],
  accepts(input) {
    const read = parseRotationState(input);
    if (read === null) return false;
    if (!input.includes(String(read.version)) && !input.includes('\u001B'))
      throw new Error('a version that is not there');
    if (judgeRotationState(read) === 'completed') {
      const { versions, status, reason } = read;
      if (status !== 'True' || !reason.endsWith('Completed')) throw new Error(`taken for completed: ${read.words}`);
      if (versions !== null && (versions.tokenVersion !== read.version || versions.privateKeyVersion !== read.version))
        throw new Error(`taken for completed with another key: ${read.words}`);
    }
    return true;
  },
};

export const gkectlConfig: FuzzTarget = {
  name: "gkectl's user cluster configuration",
  seeds: [
    'apiVersion: v1\nkind: UserCluster\nname: prod\ngkeOnPremVersion: 1.32.100-gke.1\nenableAdvancedCluster: false\n',
    '{"kind":"UserCluster","gkeOnPremVersion":"1.32.100-gke.1"}',
  ],
  extremes: [...bombs, `kind: ${'x'.repeat(30_000)}\n`, `gkeOnPremVersion: 1.99.${'9'.repeat(30_000)}\n`],
  tokens: ['enableAdvancedCluster: true', 'kind: AdminCluster', 'gkeOnPremVersion: 1.33.0', 'gkeOnPremVersion: '],
  accepts(input) {
    const problems = findConfigProblems('user.yaml', input);
    for (const { message } of problems)
      if (message.length > 20_000) throw new Error(`a message of ${message.length} characters`);
    return problems.length === 0;
  },
};

const event = {
  kind: 'Event',
  auditID: 'a',
  requestReceivedTimestamp: '2026-07-18T02:00:00.000000Z',
  annotations: {
    'authentication.k8s.io/stale-token': 'subject: system:serviceaccount:ns:name, seconds after warning threshold: 12',
  },
};
const eventLine = JSON.stringify(event);

export const auditLogs: FuzzTarget = {
  name: 'audit logs',
  seeds: [eventLine, `cut off"}\n${eventLine}\n${JSON.stringify({ ...event, auditID: 'b' })}\n`],
  extremes: [`${'['.repeat(100_000)}\n${eventLine}`, `${eventLine}\n`.repeat(400), 'null\n1\n"a"\n[]\n{}\n'],
  tokens: [
    'authentication.k8s.io/stale-token',
    'subject: ',
    'seconds after warning threshold: 1e9',
    '"annotations":null',
  ],
  accepts(input) {
    const { fromMs, uses } = readAuditLog(input);
    if (fromMs !== null && !Number.isFinite(fromMs)) throw new Error('a time that is none');
    for (const { subject, usedAtMs } of uses)
      if (/\s/.test(subject) || !Number.isFinite(usedAtMs)) throw new Error('a use that is none');
    return uses.length > 0;
  },
};

export const nodeAnswers: FuzzTarget = {
  name: "answers of a node's shell",
  seeds: [
    `600 0 0 5 1767225600\n2026-01-01 00:00:00.123456789 +0000\n${'a'.repeat(64)}\nhello`,
    `644 1000 1000 0 -1\n\n${'0'.repeat(64)}\n`,
  ],
  extremes: ['0'.repeat(100_000), `600 0 0 5 ${'9'.repeat(400)}\n`],
  tokens: [' ', '\n', '.123', ' +0000', '-1', '8', '600 0 0 0 0\n'],
  accepts(input) {
    const file = parseReadAnswer(Buffer.from(input));
    if (file === undefined) return false;
    const { mode, uid, gid, sha256 } = file;
    if (![mode, uid, gid].every(Number.isFinite) || !/^[0-9a-f]{64}$/.test(sha256))
      throw new Error('a file that is none');
    return true;
  },
};

export const payloads: FuzzTarget = {
  name: 'payloads of a codec server',
  seeds: ['{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"InByb2QtZXUi"}', '{"data":""}', '{}'],
  extremes: [
    '{"metadata":{"__proto__":"AA=="}}',
    `{"metadata":{${Array.from({ length: 20_000 }, (_, i) => `"${i}":"AA=="`).join()}}}`,
  ],
  tokens: ['"metadata"', '"data"', '"encoding"', 'AA==', '=', '%%%'],
  accepts(input) {
    let json: unknown;
    try {
      json = JSON.parse(input);
    } catch {
      return false;
    }
    try {
      const payload = fromPayloadJson(json);
      const again = fromPayloadJson(JSON.parse(JSON.stringify(toPayloadJson(payload))));
      if (Buffer.from(again.data ?? []).compare(Buffer.from(payload.data ?? [])) !== 0)
        throw new Error('there and back is not what it was');
      return true;
    } catch (error) {
      if (error instanceof ZodError) return false;
      throw error;
    }
  },
};
