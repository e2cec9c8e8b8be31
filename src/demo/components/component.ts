// What a component is: a program of somebody else, its version, and the places it can come from.
import type { versions } from './versions.ts';

export type ComponentName = keyof typeof versions;

/** Told what takes long, in whole sentences for a person, e.g. `Building kube-apiserver 1.37.2 ... 2 min 10 s`. */
export type OnProgress = (message: string) => void;

/** One place to get a component from. */
export interface ComponentSource {
  /** For people, e.g. `official download https://dl.k8s.io/...`. */
  readonly description: string;
  /**
   * Puts the program at `file` and has checked its checksum where the source publishes one.
   * `workDirectory` is empty, on the same filesystem as the cache, and removed afterwards.
   */
  fetch(file: string, workDirectory: string, onProgress: OnProgress): Promise<void>;
}

export interface Component {
  readonly name: string;
  readonly version: string;
  /** How to ask the program for its version, or undefined where it has no such question. */
  readonly versionArguments: readonly string[] | undefined;
  /** For a program without that question: how to ask for its usage, upon which it must exit with 0. Default: no arguments. */
  readonly usageArguments?: readonly string[];
  /** Whether a program found on the PATH with this version will do. */
  suits(version: string): boolean;
  /** In the order in which they are tried. */
  readonly sources: readonly ComponentSource[];
  /** How a person gets it, for the error message: an imperative sentence without the final stop. */
  readonly remedy: string;
}
