// The fake keeps to the same contract as the Lease.
import { clusterLockContract } from '../contract/cluster-lock.ts';
import { MemoryClusterLock } from '../fakes/memory-cluster-lock.ts';
import type { MemoryLease } from '../fakes/memory-cluster-lock.ts';

clusterLockContract('memory', async () => {
  const lease: MemoryLease = { version: 0, held: null, record: null };
  return () => new MemoryClusterLock(lease);
});
