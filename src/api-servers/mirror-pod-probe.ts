// What kubelet tells of a static pod through its mirror pod: since when it runs by its present manifest, and whether it is well.
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import { jsonOf } from './answer-json.ts';
import type { KubeComponentProbe } from './component-probe.ts';
import type { KubeClient } from './kube-client.ts';

const NAMESPACE = 'kube-system';
/** When kubelet first saw this manifest, by the node's own clock. Every change of a manifest makes another pod, and another mirror of it. */
const SEEN_ANNOTATION = 'kubernetes.io/config.seen';

const mirrorPod = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).nullish() }),
  status: z
    .object({
      containerStatuses: z
        .array(
          z.object({
            ready: z.boolean().nullish(),
            state: z.object({ running: z.object({ startedAt: z.string() }).nullish() }).nullish(),
          }),
        )
        .nullish(),
    })
    .nullish(),
});
type MirrorPod = z.output<typeof mirrorPod>;

/**
 * Where there is no mirror pod (no kubelet runs this node), or these credentials may not read it, nothing is known: it counts as well, and says
 * nothing of its start. One that was there and is gone is on its way to its next manifest.
 *
 * @param name of the mirror pod, e.g. `kube-controller-manager-node-1`
 */
export function createMirrorPodProbe(client: KubeClient, name: string): KubeComponentProbe {
  let wasThere = false;

  /** null: nothing can be known. undefined: nobody answers, or kubelet is about to make it anew. */
  async function look(): Promise<MirrorPod | null | undefined> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}`;
    const call = { verb: 'get', path, resource: 'pods', object: `${NAMESPACE}/${name}` } as const;
    try {
      const { status, body } = await client.call(call, [404]);
      if (status === 404) return wasThere ? undefined : null;
      wasThere = true;
      return jsonOf(mirrorPod, body, 'get pods');
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      return error.retryable ? undefined : null;
    }
  }

  return {
    async startTime() {
      const pod = await look();
      const seenAtMs = Date.parse(pod?.metadata.annotations?.[SEEN_ANNOTATION] ?? '');
      return Number.isNaN(seenAtMs) ? undefined : seenAtMs;
    },

    async healthy() {
      const pod = await look();
      if (pod === null) return true;
      const containers = pod?.status?.containerStatuses ?? [];
      return containers.length > 0 && containers.every(({ ready, state }) => ready === true && state?.running != null);
    },
  };
}
