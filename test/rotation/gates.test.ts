import { describe, expect, it } from 'vitest';
import { gateBefore, type GateName } from '../../src/rotation/gates.ts';
import { planOf } from './observed-cluster.ts';

const plan = planOf(['n1', 'n2']);
const gated = (gates: readonly GateName[]) =>
  plan.steps.flatMap((step) => {
    const gate = gateBefore(plan, step, gates);
    return gate === null ? [] : [`${gate}: ${step.id}`];
  });

describe('the rotation asks', () => {
  it.each<[string, readonly GateName[], readonly string[]]>([
    ['nowhere', [], []],
    ['before the first token is signed', ['signing'], ['signing: sign/n1']],
    ['before the former key leaves the JWKS', ['pruning'], ['pruning: prune-key']],
    [
      'before each node',
      ['each-node'],
      [
        'each-node: trust/n1',
        'each-node: trust/n2',
        'each-node: sign/n1',
        'each-node: sign/n2',
        'each-node: untrust/n1',
        'each-node: untrust/n2',
      ],
    ],
    [
      'once where two gates meet',
      ['each-node', 'signing', 'pruning'],
      [
        'each-node: trust/n1',
        'each-node: trust/n2',
        'signing: sign/n1',
        'each-node: sign/n2',
        'pruning: prune-key',
        'each-node: untrust/n1',
        'each-node: untrust/n2',
      ],
    ],
  ])('%s', (_, gates, expected) => expect(gated(gates)).toEqual(expected));
});
