// In which order the files begin that take longest: what is left at the end is short, and two beds of real nodes at a time are rare.
import path from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const IN_THIS_ORDER = [
  'kubelet/rotation.test.ts',
  'integration/one-at-a-time.test.ts',
  'integration/secrets/rotation-leftovers.test.ts',
  'integration/legacy-tokens.test.ts',
  'integration/faults.test.ts',
  'integration/roll-back.test.ts',
  'integration/openshift/openshift.test.ts',
  'integration/other-publishers.test.ts',
  'integration/simulated-world/simulated-world.test.ts',
  'integration/nodes/ssh.test.ts',
  'integration/key-stores/two-workers.test.ts',
  'integration/bad-input.test.ts',
  'integration/platforms/issuer-migration.test.ts',
  'integration/platforms/managed-rotation.test.ts',
  'integration/static-pod.test.ts',
  'integration/rotation.test.ts',
  'kubelet/node-access.test.ts',
  'integration/schedules/schedules.test.ts',
  'integration/schedules/doctor.test.ts',
  'demo/kubelet/kubelet-bed.test.ts',
].map((file) => path.join(import.meta.dirname, file));

export class LongestFirst extends BaseSequencer {
  /** Vitest's own order, which has whole projects one after the other, with the files above first. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- Vitest's own, which returns another array
    const sorted = await super.sort(files);
    const rank = ({ moduleId, project }: TestSpecification) => {
      const place = IN_THIS_ORDER.indexOf(moduleId);
      return [project.config.sequence.groupOrder, place === -1 ? IN_THIS_ORDER.length : place] as const;
    };
    return sorted.toSorted((a, b) => {
      const [[groupA, placeA], [groupB, placeB]] = [rank(a), rank(b)];
      return groupA - groupB || placeA - placeB;
    });
  }
}
