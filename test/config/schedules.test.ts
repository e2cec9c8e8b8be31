// `schedules`, `metrics` and `maxKeyAge` in keyturn.yaml: what is accepted, with which defaults, and what is refused.
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { desiredSchedules } from '../../src/schedules/definition.ts';

const cluster = (name: string) => `
  - name: ${name}
    platform: { type: static-pod, kubeconfig: ./kubeconfig, nodes: [{ name: node-1 }] }
    issuer: https://issuer.example/${name}
    publisher: { type: azure-blob, container: https://acct.blob.core.windows.net/oidc }
    keyStore: { type: encrypted-file, directory: ./keys, wrappingKey: { env: WRAPPING_KEY } }
`;
const one = `clusters:${cluster('prod')}`;
const two = `clusters:${cluster('prod')}${cluster('dev')}`;
const parse = (text: string) => parseConfig(text, 'keyturn.yaml');

test('a schedule needs only a name where one cluster is configured: quarterly, with every default', () => {
  const config = parse(`schedules: [{ name: quarterly }]\n${one}`);
  expect(config).toMatchObject({ applySchedulesAtStart: true });
  expect(config.clusters[0]?.policies.maxKeyAge).toBe(105 * 86_400_000);
  expect(desiredSchedules(config)).toEqual([
    {
      id: 'keyturn/quarterly',
      cluster: 'prod',
      paused: undefined,
      definition: {
        times: { months: [1, 4, 7, 10], days: [8, 9, 10, 11, 12, 13, 14], weekdays: [3], hour: 2, minute: 0 },
        calendar: 'on the second wednesday of january, april, july and october at 02:00 UTC',
        jitterMs: 0,
        catchupWindowMs: 259_200_000,
        overlap: 'BUFFER_ONE',
        pauseOnFailure: false,
        workflowType: 'rotateSigningKey',
        workflowId: 'keyturn/quarterly',
        taskQueue: 'keyturn',
        input: { cluster: 'prod', reason: 'schedule quarterly', requestedBy: 'schedule keyturn/quarterly' },
        summary: 'Rotate the signing key of prod',
        details:
          'Cluster: **prod**\n\nReason: schedule quarterly\n\nRequested by: schedule keyturn/quarterly, on the second wednesday of january, april, july and october at 02:00 UTC',
      },
    },
  ]);
});

test('everything can be said', () => {
  const config = parse(`
applySchedulesAtStart: false
metrics: { bindAddress: "0.0.0.0:9000" }
taskQueue: eu
schedules:
  - name: dev-monthly
    cluster: dev
    calendar: { months: [march], on: 28, at: "23:59" }
    jitter: 1h
    catchupWindow: 1d
    gates: [pruning]
    reason: policy 7
    paused: true
${two}`);
  expect(config).toMatchObject({ applySchedulesAtStart: false, metrics: { bindAddress: '0.0.0.0:9000' } });
  expect(desiredSchedules(config)).toMatchObject([
    {
      id: 'keyturn/dev-monthly',
      cluster: 'dev',
      paused: true,
      definition: {
        times: { months: [3], days: [28], hour: 23, minute: 59 },
        jitterMs: 3_600_000,
        catchupWindowMs: 86_400_000,
        taskQueue: 'eu',
        input: { cluster: 'dev', reason: 'policy 7', gates: ['pruning'] },
      },
    },
  ]);
});

test('no schedules and no metrics, unless they are asked for', () => {
  expect(parse(one)).not.toHaveProperty('schedules');
  expect(parse(one)).not.toHaveProperty('metrics');
  expect(desiredSchedules(parse(one))).toEqual([]);
  expect(parse(`metrics: {}\n${one}`).metrics).toEqual({ bindAddress: '127.0.0.1:9464' });
});

describe('refused', () => {
  test.for([
    [
      'two of one name',
      `schedules: [{ name: a }, { name: a }]\n${one}`,
      'CONFIG_INVALID',
      'two schedules are named "a"',
    ],
    ['an unknown cluster', `schedules: [{ name: a, cluster: nope }]\n${one}`, 'CLUSTER_UNKNOWN', 'prod'],
    ['no cluster where there are two', `schedules: [{ name: a }]\n${two}`, 'CLUSTER_UNKNOWN', 'prod, dev'],
    ['a day that some months lack', `schedules: [{ name: a, calendar: { on: 29 } }]\n${one}`, 'CONFIG_INVALID', 'on'],
    [
      'a fifth Wednesday',
      `schedules: [{ name: a, calendar: { on: fifth wednesday } }]\n${one}`,
      'CONFIG_INVALID',
      'on',
    ],
    ['a month by number', `schedules: [{ name: a, calendar: { months: [1] } }]\n${one}`, 'CONFIG_INVALID', 'months'],
    ['no month', `schedules: [{ name: a, calendar: { months: [] } }]\n${one}`, 'CONFIG_INVALID', 'months'],
    ['a time that is none', `schedules: [{ name: a, calendar: { at: "24:00" } }]\n${one}`, 'CONFIG_INVALID', '02:00'],
    ['a cron string', `schedules: [{ name: a, calendar: "0 2 * * *" }]\n${one}`, 'CONFIG_INVALID', 'calendar'],
    [
      'metrics at a host name',
      `metrics: { bindAddress: "localhost:9464" }\n${one}`,
      'CONFIG_INVALID',
      '127.0.0.1:9464',
    ],
  ] as const)('%s', ([, text, code, words]) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) as string }) as Error,
    );
  });
});
