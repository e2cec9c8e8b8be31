// Starts a rotation with gkectl, once, and judges how far it is by gkectl's words and by tokens.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiServer } from '../../api-servers/port.ts';
import { KeyturnError } from '../../errors.ts';
import type { Kid } from '../../rotation/key.ts';
import type { Problem } from '../../rotation/observation.ts';
import type { Advance } from '../port.ts';
import { runGkectl, type GkectlOptions } from './command.ts';
import { lastWords } from './refusals.ts';
import { judgeRotationState, parseRotationState } from './rotation-state.ts';

export interface SigningKeyRotationOptions {
  readonly gkectl: GkectlOptions;
  readonly apiServers: readonly Pick<ApiServer, 'node' | 'mintToken'>[];
  /** For one question to gkectl, in ms. */
  readonly answerTimeoutMs: number;
  /** How long a look waits for `rotate` to end before it asks whether the rotation has begun all the same. ms */
  readonly startGraceMs: number;
  /** For `rotate`, which may go on as long as the rotation does, in ms. */
  readonly rotateTimeoutMs: number;
}

/** What gkectl says now. */
export interface Saying {
  readonly verdict: 'completed' | 'running' | 'unknown' | 'none';
  readonly words: string;
}

export class SigningKeyRotation {
  readonly #options: SigningKeyRotationOptions;
  /** A call of `rotate` by this process that has not been told of yet. */
  #rotate: Promise<string> | null = null;

  constructor(options: SigningKeyRotationOptions) {
    this.#options = options;
  }

  /** @throws PLATFORM_FAILED */
  async ask(signal: AbortSignal): Promise<Saying> {
    const { gkectl, answerTimeoutMs } = this.#options;
    const output = await runGkectl(gkectl, 'status', { timeoutMs: answerTimeoutMs, signal });
    const state = parseRotationState(output);
    if (state === null) return { verdict: 'none', words: `gkectl tells of no rotation${lastWords(output)}` };
    return { verdict: judgeRotationState(state), words: `gkectl says: ${state.words}` };
  }

  /** Why none may be started now; empty where nothing speaks against it. @throws PLATFORM_FAILED */
  async findProblems(signal: AbortSignal): Promise<readonly Problem[]> {
    const { verdict, words } = await this.ask(signal);
    if (verdict === 'completed' || verdict === 'none') return [];
    const why =
      verdict === 'running' ? 'A rotation is under way' : 'The last rotation is in a state that Keyturn does not know';
    const message = `${why}; ${words}. Wait until it has completed, then start again.`;
    return [{ code: 'PREFLIGHT_REFUSED', subject: this.#options.gkectl.userClusterConfig, message }];
  }

  /**
   * Starts the rotation, unless it is under way or tokens have another key already. A rotation that gkectl has begun goes on without us.
   * @throws PLATFORM_FAILED where gkectl refuses, e.g. because a certificate authority is being rotated or the cluster updated
   */
  async begin(former: Kid, signal: AbortSignal): Promise<Advance> {
    const { verdict, words } = await this.ask(signal);
    if (verdict === 'running') return { changed: this.#rotate !== null, proof: words };
    const signer = (await this.#signingKids()).find((kid) => kid !== null && kid !== former);
    if (signer != null) return { changed: false, proof: `tokens are signed with ${signer} already` };
    return this.#start(signal);
  }

  async #start(signal: AbortSignal): Promise<Advance> {
    const { gkectl, rotateTimeoutMs, startGraceMs } = this.#options;
    // Not ended where the step is stopped: half a call is worse than one that goes on.
    const endless = new AbortController().signal;
    this.#rotate ??= runGkectl(gkectl, 'rotate', { timeoutMs: rotateTimeoutMs, signal: endless });
    const call = this.#rotate;
    const stillRuns = sleep(startGraceMs, null, { signal });
    try {
      const output = await Promise.race([call, stillRuns]);
      if (output === null) return { waitingFor: 'gkectl, which was told to rotate and has not started yet' };
      this.#rotate = null;
      return { changed: true, proof: `gkectl has started the rotation${lastWords(output)}` };
    } catch (error) {
      if (error instanceof KeyturnError) this.#rotate = null;
      throw error;
    }
  }

  /** Proven when gkectl says so and every API server signs with one and the same key that is not the former one. */
  async advance(former: Kid, signal: AbortSignal): Promise<Advance> {
    const saying = await this.ask(signal);
    if (saying.verdict !== 'completed') return { waitingFor: saying.words };
    const kids = await this.#signingKids();
    const [kid] = kids;
    if (kid == null || kid === former || kids.some((other) => other !== kid)) {
      const signers = this.#options.apiServers
        .map(({ node }, index) => `${node} ${kids[index] ?? 'nothing'}`)
        .join(', ');
      return { waitingFor: `${saying.words}, but tokens are signed with: ${signers}` };
    }
    return { changed: true, proof: `${saying.words}; every API server signs with ${kid}` };
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
