// Google Distributed Cloud on VMware: gkectl orders the whole rotation of a user cluster, and nothing of it can be held or taken back.
import { readFile } from 'node:fs/promises';
import type { ApiServer } from '../../api-servers/port.ts';
import { KeyturnError } from '../../errors.ts';
import type { ManagedCapabilities } from '../../rotation/capabilities.ts';
import type { ApiServerObservation, ControlPlaneObservation, Problem } from '../../rotation/observation.ts';
import { observeApiServers } from '../observe-api-servers.ts';
import type { Advance, ManagedPlatform, ManagedRotation, StepControl } from '../port.ts';
import type { GkectlOptions } from './command.ts';
import { SigningKeyRotation } from './signing-key-rotation.ts';
import { findConfigProblems } from './user-cluster-config.ts';

export interface GkectlPlatformOptions {
  readonly gkectl: GkectlOptions;
  readonly apiServers: readonly ApiServer[];
  /** For the whole rotation, in ms: nodes are deleted and made again. */
  readonly deadlineMs: number;
  /** Between two questions, in ms. */
  readonly pollMs: number;
}

const ANSWER_TIMEOUT_MS = 120_000;
const LONGEST_GRACE_MS = 5000;

const CAPABILITIES: ManagedCapabilities = {
  ordering: 'managed',
  newKey: 'made-by-platform',
  publishing: 'by-platform',
  formerKey: 'forgotten-by-itself',
  rollBack: false,
  pause: false,
  apiServers: 'each',
};

export class GkectlPlatform implements ManagedPlatform {
  readonly capabilities = CAPABILITIES;
  readonly patience: ManagedPlatform['patience'];
  readonly #options: GkectlPlatformOptions;
  readonly #rotation: SigningKeyRotation;

  constructor(options: GkectlPlatformOptions) {
    const { gkectl, apiServers, deadlineMs, pollMs } = options;
    this.#options = options;
    this.patience = { timeoutMs: deadlineMs, pollMs };
    this.#rotation = new SigningKeyRotation({
      gkectl,
      apiServers,
      answerTimeoutMs: ANSWER_TIMEOUT_MS,
      startGraceMs: Math.min(pollMs, LONGEST_GRACE_MS),
      rotateTimeoutMs: deadlineMs,
    });
  }

  async observe(underWay: ManagedRotation | null): Promise<ControlPlaneObservation> {
    const [apiServers, problems] = await Promise.all([this.observeApiServers(), this.#findProblems(underWay)]);
    return {
      apiServers,
      layouts: [],
      // They bound a drain, which cannot be had here.
      tokenLifetimes: { maxTokenExpirationMs: null, extendTokenExpiration: true },
      problems,
    };
  }

  observeApiServers(): Promise<readonly ApiServerObservation[]> {
    return observeApiServers(this.#options.apiServers);
  }

  begin({ former }: ManagedRotation, _key: null, { signal }: StepControl): Promise<Advance> {
    return this.#rotation.begin(former.kid, signal);
  }

  advance({ former }: ManagedRotation, { signal }: StepControl): Promise<Advance> {
    return this.#rotation.advance(former.kid, signal);
  }

  async forget(): Promise<Advance> {
    return { changed: false, proof: 'gkectl deletes the former key by itself' };
  }

  async takeBack(): Promise<Advance> {
    throw new KeyturnError('PLATFORM_FAILED', 'A rotation by gkectl cannot be rolled back', {
      subject: this.#options.gkectl.userClusterConfig,
      remedy: 'Wait until it has completed',
    });
  }

  async retire(): Promise<string> {
    return 'gkectl has left nothing';
  }

  /** @param underWay a rotation that is taken up: that it is under way is no reason against it */
  async #findProblems(underWay: ManagedRotation | null): Promise<readonly Problem[]> {
    const { gkectl } = this.#options;
    try {
      const text = await readFile(gkectl.userClusterConfig, 'utf8');
      const problems = findConfigProblems(gkectl.userClusterConfig, text);
      if (problems.length > 0 || underWay !== null) return problems;
      return await this.#rotation.findProblems(new AbortController().signal);
    } catch (error) {
      if (error instanceof KeyturnError) return [{ code: error.code, subject: error.subject, message: error.message }];
      const words = error instanceof Error ? error.message : String(error);
      const message = `The configuration file of the user cluster cannot be read: ${words}. Correct platform.userClusterConfig.`;
      return [{ code: 'FILE_UNREADABLE', subject: gkectl.userClusterConfig, message }];
    }
  }
}
