// What a platform lets us order. The plan, the status and the refusals follow from this declaration, never from a platform's name.

export interface Capabilities {
  /** `staged`: trust and signing are ours to order; `managed`: the platform orders them. */
  readonly ordering: 'staged' | 'managed';
  readonly rollBack: boolean;
  /** Nodes are reached by agents in the cluster, which are removed whenever a part of the rotation that needs them is over. Default false. */
  readonly nodeAgents?: boolean;
}
