// What is asked of a component that cannot show its key, such as kube-controller-manager: which process runs, and whether it is well.

/** One process of a control-plane component, asked at its own address. Neither method throws: who does not answer is `undefined` or not healthy. */
export interface ComponentProbe {
  /**
   * When the running process began, in ms since the epoch by the node's clock, from the metric `process_start_time_seconds`. It may be up to
   * 1000 ms too early: Linux tells the moment of its boot in whole seconds. `undefined` where it does not answer.
   */
  startTime(): Promise<number | undefined>;
  /** True if `/healthz` answers 200. */
  healthy(): Promise<boolean>;
}
