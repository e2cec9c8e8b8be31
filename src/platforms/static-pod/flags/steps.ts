// The layout `flags`: the new key comes in files named by its kid, and flags name them until the new pair takes the former's place.
import { changeManifest } from '../change-manifest.ts';
import { doesNotPublish, doesNotSignWith, publishes, signsWith } from '../effects.ts';
import { bringPrivateKey, bringPublicKey, findKeyFiles } from '../key-files.ts';
import type { KeyLayoutSteps } from '../key-layout.ts';
import { restoreControllerManager, switchControllerManager } from './controller-manager.ts';
import { manifestSteps } from './manifest-steps.ts';
import { previewNode } from './preview.ts';
import { refuseToDistrustSigner, refuseToSignUntrusted } from './refusals.ts';
import { removeUnnamed, retireFiles } from './retire.ts';
import { untrust } from './untrust.ts';

export const flagsLayout: KeyLayoutSteps = {
  preview: previewNode,

  async trust({ node, layout, timing, control }, next) {
    const steps = manifestSteps(layout, next.kid);
    const brought = await bringPublicKey(node, await findKeyFiles(node, layout), next);
    const change = await changeManifest(
      node,
      {
        component: 'kube-apiserver',
        edit: steps.trust,
        inverse: steps.distrust,
        effect: publishes(node, next.kid),
        formerEffect: doesNotPublish(node, next.kid),
      },
      timing,
      control,
    );
    return { ...change, changed: change.changed || brought };
  },

  async distrust({ node, layout, timing, control }, next) {
    const steps = manifestSteps(layout, next.kid);
    await refuseToDistrustSigner(node, layout, next);
    const change = await changeManifest(
      node,
      {
        component: 'kube-apiserver',
        edit: steps.distrust,
        inverse: steps.trust,
        effect: doesNotPublish(node, next.kid),
        formerEffect: publishes(node, next.kid),
      },
      timing,
      control,
    );
    await removeUnnamed(node, layout, next.kid, ['pub', 'key']);
    return change;
  },

  async sign({ node, layout, timing, control }, _former, next) {
    const steps = manifestSteps(layout, next.kid);
    await refuseToSignUntrusted(node, steps.sign, next);
    const brought = await bringPrivateKey(node, (await findKeyFiles(node, layout)).signing, next);
    const change = await changeManifest(
      node,
      {
        component: 'kube-apiserver',
        edit: steps.sign,
        inverse: steps.signWithFormer,
        effect: signsWith(node, next.kid),
        formerEffect: doesNotSignWith(node, next.kid),
      },
      timing,
      control,
    );
    return { ...change, changed: change.changed || brought };
  },

  async signWithFormer({ node, layout, timing, control }, former, next) {
    const steps = manifestSteps(layout, next.kid);
    const change = await changeManifest(
      node,
      {
        component: 'kube-apiserver',
        edit: steps.signWithFormer,
        inverse: steps.sign,
        effect: signsWith(node, former.kid),
        formerEffect: signsWith(node, next.kid),
      },
      timing,
      control,
    );
    await removeUnnamed(node, layout, next.kid, ['key']);
    return change;
  },

  switchControllerManager: ({ node, layout, timing, control }, next) =>
    switchControllerManager(node, layout, next, timing, control),

  restoreControllerManager: ({ node, layout, timing, control }) =>
    restoreControllerManager(node, layout, timing, control),

  untrust: ({ node, layout, timing, control }, former, next) => untrust(node, layout, former, next, timing, control),

  retire: retireFiles,
};
