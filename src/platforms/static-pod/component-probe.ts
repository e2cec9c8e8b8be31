// What is asked of a component that cannot show its key, such as kube-controller-manager: which process runs, and whether it is well.

/**
 * One process of a control-plane component, asked at its own address or at its kubelet. Neither method throws: who does not answer is `undefined` or
 * not healthy. Healthy without a start is one that will not tell it.
 */
export interface ComponentProbe {
  /**
   * When the running process began, or its kubelet read the manifest that it runs by: ms since the epoch by the node's clock. It may be up to 1000 ms
   * too early: Linux tells the moment of its boot in whole seconds.
   */
  startTime(): Promise<number | undefined>;
  healthy(): Promise<boolean>;
}
