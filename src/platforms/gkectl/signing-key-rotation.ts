// Starts a rotation with gkectl, once, and follows it until it has completed or the time is up.
import type { ApiServer } from '../../api-servers/port.ts';
import { KeyturnError } from '../../errors.ts';
import type { Kid } from '../../rotation/key.ts';
import type { Problem } from '../../rotation/observation.ts';
import type { StepControl } from '../port.ts';
import { patienceOf, waitFor, type Clock, type Sighting } from '../wait-for.ts';
import { runGkectl, type GkectlOptions } from './command.ts';
import { lastWords } from './refusals.ts';
import { judgeRotationState, parseRotationState } from './rotation-state.ts';

export interface SigningKeyRotationOptions {
  readonly gkectl: GkectlOptions;
  readonly apiServers: readonly Pick<ApiServer, 'node' | 'mintToken'>[];
  readonly clock: Clock;
  /** For one question to gkectl, in ms. */
  readonly answerTimeoutMs: number;
  /** Between two questions, in ms. */
  readonly pollMs: number;
  /** For the whole rotation, in ms: nodes are deleted and made again. */
  readonly deadlineMs: number;
}

/** What gkectl says now. */
export interface Saying {
  readonly verdict: 'completed' | 'running' | 'unknown' | 'none';
  readonly words: string;
}

export class SigningKeyRotation {
  readonly #options: SigningKeyRotationOptions;

  constructor(options: SigningKeyRotationOptions) {
    this.#options = options;
  }

  /** @throws GKECTL_FAILED */
  async ask(signal: AbortSignal): Promise<Saying> {
    const { gkectl, answerTimeoutMs } = this.#options;
    const output = await runGkectl(gkectl, 'status', { timeoutMs: answerTimeoutMs, signal });
    const state = parseRotationState(output);
    if (state === null) return { verdict: 'none', words: `gkectl tells of no rotation${lastWords(output)}` };
    return { verdict: judgeRotationState(state), words: `gkectl says: ${state.words}` };
  }

  /** Why none may be started now; empty where nothing speaks against it. @throws GKECTL_FAILED */
  async findProblems(signal: AbortSignal): Promise<readonly Problem[]> {
    const { verdict, words } = await this.ask(signal);
    if (verdict === 'completed' || verdict === 'none') return [];
    const subject = this.#options.gkectl.userClusterConfig;
    const why =
      verdict === 'running' ? 'A rotation is under way' : 'The last rotation is in a state that Keyturn does not know';
    return [
      { code: 'GKECTL_BUSY', subject, message: `${why}; ${words}. Wait until it has completed, then start again.` },
    ];
  }

  /**
   * Starts the rotation, unless it is under way or tokens have another key already. A rotation that gkectl has begun goes on without us.
   * @throws GKECTL_FAILED where gkectl refuses, e.g. because a certificate authority is being rotated or the cluster updated
   */
  async begin(
    former: Kid,
    { signal, report }: StepControl,
  ): Promise<{ readonly changed: boolean; readonly proof: string }> {
    const { verdict, words } = await this.ask(signal);
    if (verdict === 'running') return { changed: false, proof: words };
    const kids = await this.#signingKids();
    if (kids.some((kid) => kid !== null && kid !== former)) {
      return {
        changed: false,
        proof: `tokens are signed with ${kids.find((kid) => kid !== null && kid !== former)} already`,
      };
    }
    report('gkectl starts the rotation');
    const { gkectl, deadlineMs } = this.#options;
    // Not ended where the step is stopped: half a call is worse than one that goes on.
    const output = await runGkectl(gkectl, 'rotate', { timeoutMs: deadlineMs, signal: new AbortController().signal });
    return { changed: true, proof: `gkectl has started the rotation${lastWords(output)}` };
  }

  /**
   * Done when gkectl says so and every API server signs with one and the same key that is not the former one.
   * @throws EFFECT_MISSING at the deadline, with gkectl's own words
   */
  async follow(former: Kid, control: StepControl): Promise<{ readonly kid: Kid; readonly proof: string }> {
    const { clock, pollMs, deadlineMs } = this.#options;
    let kid: Kid | null = null;
    const look = async (): Promise<Sighting> => {
      const seen = await this.#look(former, control.signal);
      if ('missing' in seen) return seen;
      kid = seen.kid;
      return { proof: seen.proof };
    };
    const patience = patienceOf({ clock, pollMs }, deadlineMs, control, 'waiting for gkectl');
    const sighting = await waitFor(look, patience);
    if ('proof' in sighting && kid !== null) return { kid, proof: sighting.proof };
    throw new KeyturnError(
      'EFFECT_MISSING',
      `The rotation has not completed within ${Math.round(deadlineMs / 60_000)} min: ${'missing' in sighting ? sighting.missing : 'unknown'}`,
      {
        subject: this.#options.gkectl.userClusterConfig,
        remedy:
          'A rotation by gkectl can be neither paused nor rolled back: have Google’s support look at it, then retry, which follows it further',
      },
    );
  }

  async #look(
    former: Kid,
    signal: AbortSignal,
  ): Promise<{ readonly kid: Kid; readonly proof: string } | { readonly missing: string }> {
    const saying = await this.ask(signal).catch((error: unknown): Saying => {
      // While nodes are made again the admin cluster may be out of reach for a while.
      if (error instanceof KeyturnError && error.retryable) return { verdict: 'unknown', words: error.message };
      throw error;
    });
    if (saying.verdict !== 'completed') return { missing: saying.words };
    const kids = await this.#signingKids();
    const [kid] = kids;
    if (kid == null || kid === former || kids.some((other) => other !== kid)) {
      const signers = this.#options.apiServers
        .map(({ node }, index) => `${node} ${kids[index] ?? 'nothing'}`)
        .join(', ');
      return { missing: `${saying.words}, but tokens are signed with: ${signers}` };
    }
    return { kid, proof: `${saying.words}; every API server signs with ${kid}` };
  }

  /** Of a token of each API server; null where it minted none. */
  #signingKids(): Promise<readonly (Kid | null)[]> {
    const kidOf = async (server: Pick<ApiServer, 'mintToken'>) => {
      try {
        return (await server.mintToken()).kid;
      } catch {
        return null;
      }
    };
    return Promise.all(this.#options.apiServers.map(kidOf));
  }
}
