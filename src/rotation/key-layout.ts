// Where a rotation keeps its keys on control-plane nodes, and why that way was taken.

/**
 * `flags`: the new key comes in files named by its kid, and flags of the manifests name them until the end. `in-place`: it comes into the files
 * that the manifests name already, which also kubeadm writes into every manifest; an annotation makes the component start again.
 */
export type KeyLayout = 'flags' | 'in-place';

export interface ChosenKeyLayout {
  readonly layout: KeyLayout;
  /** In words, e.g. `the ConfigMap kube-system/kubeadm-config exists`. */
  readonly because: string;
}

/** What stood in records before there was a choice. */
export const FORMER_KEY_LAYOUT: KeyLayout = 'flags';

export function describeKeyLayout({ layout, because }: ChosenKeyLayout): string {
  return `${layout}, because ${because}`;
}
