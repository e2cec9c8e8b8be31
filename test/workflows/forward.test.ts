import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RotationHarness } from './rotation-harness.ts';

let harness: RotationHarness;
beforeAll(async () => {
  harness = await RotationHarness.create();
});
afterAll(() => harness.stop());

describe('a rotation', () => {
  it('goes through', async () => {
    const world = harness.world();
    const t = Date.now();
    await harness.rotate(world, undefined, async ({ handle }) => {
      const audit = await handle.result();
      console.log(Date.now() - t, JSON.stringify(audit, null, 1).slice(0, 6000));
      const history = await handle.fetchHistory();
      console.log(history.events?.length, Buffer.byteLength(JSON.stringify(historyToJSON(history))));
      console.log(world.done.join(' '));
    });
  }, 60_000);
});
