// The options of the platform `openshift` in keyturn.yaml.
import { z } from 'zod';
import { apiServers, clusterAccess } from './cluster-access-schema.ts';
import { duration } from './fields.ts';

export const openShift = z.strictObject({
  type: z.literal('openshift'),
  ...clusterAccess,
  apiServers,
  timeout: duration('How long the operator may take for one step until a person is asked').prefault('2h'),
  restartAfter: duration(
    'How long API servers may sign with the former key after the operator has come to its end, until they are started anew',
  ).prefault('60s'),
  pollInterval: duration('Pause between two looks at the operator').prefault('5s'),
});
