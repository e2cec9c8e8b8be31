// The input of a rotation, as people type it into the start form.
import { expect, test } from 'vitest';
import { parseRotationInput } from '../../src/activities/rotation-input.ts';

test.for([
  [{}],
  [{ cluster: 'prod', reason: 'quarterly' }],
  [{ legacyTokens: 'keep' }],
  [
    {
      legacyTokens: {
        default: 'hold',
        overrides: [{ namespace: 'ci', secret: 'a', policy: 'refresh', inPlace: true }],
      },
    },
  ],
  [{ drain: { policy: 'fixed', durationMs: 172_800_000 }, gates: ['signing', 'each-node'] }],
])('%j is accepted as it is', ([input]) => {
  expect(parseRotationInput(input)).toEqual(input);
});

test.for([
  [{ clutser: 'prod' }, 'clutser'],
  [{ cluster: 5 }, 'cluster'],
  [{ drain: '24h' }, 'drain'],
  [{ drain: { policy: 'fixed', durationMs: -1 } }, 'durationMs'],
  [{ relyingPartyCacheMs: '1h' }, 'relyingPartyCacheMs'],
  [{ gates: ['everywhere'] }, 'gates'],
  [{ legacyTokens: 'forget' }, 'legacyTokens'],
  [{ legacyTokens: { overrides: [{ namespace: 'ci', policy: 'keep' }] } }, 'legacyTokens'],
  ['prod', 'input'],
] as const)('%j is refused and names what is wrong', ([input, words]) => {
  expect(() => parseRotationInput(input)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(words) as string }) as Error,
  );
});
