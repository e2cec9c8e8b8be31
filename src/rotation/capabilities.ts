// What a platform lets us order. The plan, the status and the refusals follow from this declaration, never from a platform's name.

export type Capabilities = StagedCapabilities | ManagedCapabilities;

/** Trust and signing are ours to order, node by node. */
export interface StagedCapabilities {
  readonly ordering: 'staged';
  readonly rollBack: true;
  /** Nodes are reached by agents in the cluster, which are removed whenever a part of the rotation that needs them is over. Default false. */
  readonly nodeAgents?: boolean;
}

/** The platform orders trust and signing once it was told to begin: we publish, watch, verify and wait. */
export interface ManagedCapabilities {
  readonly ordering: 'managed';
  /** `supplied`: by us, known before anything begins; `made-by-platform`: seen for the first time when an API server publishes it. */
  readonly newKey: 'supplied' | 'made-by-platform';
  /** Who writes the public JWKS: `by-platform` where relying parties read a document that the platform serves. */
  readonly publishing: 'ours' | 'by-platform';
  /** `kept-until-told`: there is a drain of ours before it goes; `forgotten-by-itself`: the platform deletes it when it likes. */
  readonly formerKey: 'kept-until-told' | 'forgotten-by-itself';
  /** True where the former key can be made to sign again, until it is forgotten; false: no way back once the platform has begun. */
  readonly rollBack: boolean;
  /** True where the rotation can rest between the switch and the end; false: the platform goes on to the end by itself. */
  readonly pause: boolean;
  /** Who signs tokens in Secrets. Default: the controller manager, with the same key. */
  readonly legacyTokens?: 'of-another-key';
  /** `behind-one-address`: API servers cannot be asked one by one, nor be counted. */
  readonly apiServers: 'each' | 'behind-one-address';
}

/** True where every relying party can have the new key before the first token is signed with it. */
export function publishesFirst({ newKey, publishing }: ManagedCapabilities): boolean {
  return newKey === 'supplied' && publishing === 'ours';
}

/** What the platform makes impossible, in sentences for the plan, the status and the audit record. */
export function limitsOf(capabilities: Capabilities): readonly string[] {
  if (capabilities.ordering === 'staged') return [];
  const { formerKey, rollBack, pause, apiServers } = capabilities;
  return [
    ...(publishesFirst(capabilities)
      ? []
      : [
          'The new key signs before it is public: until relying parties have read it they refuse its tokens. The gap is measured and recorded.',
        ]),
    ...(formerKey === 'kept-until-told'
      ? []
      : ['The platform deletes the former key by itself: there is no drain, and tokens of it may be refused.']),
    ...(rollBack ? [] : ['There is no way back once the platform has begun.']),
    ...(pause ? [] : ['It cannot be paused once the platform has begun.']),
    ...(apiServers === 'each'
      ? []
      : ['API servers stand behind one address: they are asked through it, not one by one.']),
  ];
}
