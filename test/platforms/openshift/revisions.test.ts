import { describe, expect, it } from 'vitest';
import { describeUnsettled, readRevisions } from '../../../src/platforms/openshift/revisions.ts';

type NodeStatus = { nodeName: string } & Record<string, unknown>;
const operator = (latestAvailableRevision: number, nodeStatuses: NodeStatus[], conditions: object[] = []) =>
  ({
    metadata: { name: 'cluster', resourceVersion: '1' },
    spec: { observedConfig: null },
    status: { latestAvailableRevision, nodeStatuses, conditions },
  }) as unknown as Parameters<typeof readRevisions>[0];
const node = (nodeName: string, currentRevision?: number, targetRevision?: number, more: object = {}) => ({
  nodeName,
  ...(currentRevision === undefined ? {} : { currentRevision }),
  ...(targetRevision === undefined ? {} : { targetRevision }),
  ...more,
});

describe('revisions', () => {
  it.each<[string, ReturnType<typeof operator>, string | null]>([
    ['are there', operator(7, [node('a', 7), node('b', 7, 0)]), null],
    ['are behind on a node', operator(8, [node('a', 8), node('b', 7)]), 'revision 8 is not on every node: b at 7'],
    [
      'are on their way',
      operator(8, [node('a', 7, 8), node('b', 7)]),
      'revision 8 is not on every node: a at 7, on the way to 8; b at 7',
    ],
    [
      'are not there while a node aims at something',
      operator(8, [node('a', 8, 8)]),
      'revision 8 is not on every node: a at 8, on the way to 8',
    ],
    ['are unknown on a fresh node', operator(8, [node('a')]), 'revision 8 is not on every node: a at 0'],
    ['are not told', operator(8, []), 'the operator tells of no node'],
    ['failed once and were brought all the same', operator(8, [node('a', 8, 0, { lastFailedRevision: 7 })]), null],
  ])('%s', (_, object, missing) => {
    expect(readRevisions(object).missing).toBe(missing);
  });

  it('that failed hold in the words of the operator, whatever else looks finished', () => {
    const failed = node('master-1', 7, 0, {
      lastFailedRevision: 8,
      lastFailedReason: 'InstallerFailed',
      lastFailedRevisionErrors: ['installer: no space left on device'],
    });
    const conditions = [
      { type: 'NodeInstallerDegraded', status: 'True', message: '1 nodes are failing on revision 8' },
      { type: 'Available', status: 'True', message: 'fine' },
    ];
    expect(() => readRevisions(operator(8, [node('master-0', 8), failed], conditions))).toThrow(
      expect.objectContaining({
        code: 'PLATFORM_FAILED',
        retryable: false,
        message: expect.stringContaining(
          'could not bring revision 8 to master-1: InstallerFailed; installer: no space left on device; NodeInstallerDegraded: 1 nodes are failing on revision 8. ',
        ) as string,
      }) as Error,
    );
  });
});

describe('the ClusterOperator', () => {
  const conditions = (available: string, progressing: string, degraded: string) => ({
    status: {
      conditions: [
        { type: 'Available', status: available },
        { type: 'Progressing', status: progressing, reason: 'NodeInstaller', message: '2 nodes are at revision 7' },
        { type: 'Degraded', status: degraded },
        { type: 'Upgradeable', status: 'False' },
      ],
    },
  });

  it.each<[Parameters<typeof describeUnsettled>[0], string | null]>([
    [conditions('True', 'False', 'False'), null],
    [
      conditions('True', 'True', 'False'),
      'ClusterOperator kube-apiserver: Progressing=True (NodeInstaller: 2 nodes are at revision 7)',
    ],
    [conditions('False', 'False', 'True'), 'ClusterOperator kube-apiserver: Available=False; Degraded=True'],
    [null, 'ClusterOperator kube-apiserver: Available=unknown; Progressing=unknown; Degraded=unknown'],
  ])('%#', (object, unsettled) => {
    expect(describeUnsettled(object)).toBe(unsettled);
  });
});
