// How the actions of the simulation are done: part by part, so that they can end between any two of them.

/** What the interpreter is told. RFC 3339 */
export interface Done {
  readonly at: string;
  readonly podTokenSince?: string;
}

/** Its activity can die at every `yield`. */
export type Doing = Generator<void, Done | void, void>;

/** An action that is done as a whole, or not at all. */
export function* atOnce(act: () => Done | void): Doing {
  yield;
  return act();
}
