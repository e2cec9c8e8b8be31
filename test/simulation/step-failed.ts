// Why an action of the simulation did not do its work: as the real one tells it, by a code.

export class StepFailed extends Error {
  readonly code: string;
  /** Tried again without end; anything else holds the rotation. */
  readonly transient: boolean;

  constructor(code: string, message: string, transient = false) {
    super(message);
    this.code = code;
    this.transient = transient;
  }
}
