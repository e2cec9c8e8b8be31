// What a Gardener of today's API cannot have: a Shoot of an old version.
import { expect, test } from 'vitest';
import { observeShoot } from '../../../src/platforms/gardener/observe-shoot.ts';
import { shootSchema } from '../../../src/platforms/gardener/shoot.ts';

const shootWith = (serviceAccountConfig: object) => ({
  read: async () =>
    shootSchema.parse({
      metadata: { name: 'old', namespace: 'garden-dev', resourceVersion: '1', generation: 1 },
      spec: { kubernetes: { kubeAPIServer: { serviceAccountConfig } } },
      status: {},
    }),
  wouldRefuse: async () => undefined,
});

test.each([
  [{ signingKeySecretName: { name: 'my-key' } }, [expect.stringContaining('from the Secret my-key (key signing-key')]],
  [{ issuer: 'https://issuer.test' }, []],
])('a Shoot with %j', async (config, expected) => {
  const look = { shoot: shootWith(config), publishing: 'ours', workersRollout: 'with-rotation' } as const;
  const { problems } = await observeShoot(look, null);
  expect(problems.map(({ message }) => message)).toEqual(expected);
});
