// Reads what `gkectl update credentials ksa-signing-key status` prints, and judges it.
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';
import type { GkectlVersions } from '../../rotation/gkectl-status.ts';
import { firstJsonObject } from './first-json-object.ts';

/** What gkectl says of the newest rotation of a user cluster. */
export interface GkectlRotationState {
  /** Of the key that the rotation leads to. */
  readonly version: number;
  readonly status: string;
  readonly reason: string;
  /** Null where the message has no versions. */
  readonly versions: GkectlVersions | null;
  /** The block as gkectl printed it, for people. */
  readonly words: string;
}

const HEADING = /State of KSASigningKeyRotation with KSASigningKeyVersion (\d{1,9}) is -/g;
const STATUS = /^[ \t]*status: (\w+),[ \t]*$/m;
const REASON = /^[ \t]*reason: (\w+),[ \t]*$/m;
const MESSAGE = /^[ \t]*message:[ \t]*/m;

const version = z.int().positive();
const versionsShape = z.object({
  tokenVersion: version,
  privateKeyVersion: version,
  publicKeyVersions: z.array(version).min(1),
});

/** The state of the newest version in the text, whatever stands around it; null where there is none. */
export function parseRotationState(output: string): GkectlRotationState | null {
  const text = stripVTControlCharacters(output).replaceAll('\r\n', '\n');
  const headings = [...text.matchAll(HEADING)];
  const states = headings.flatMap((heading, index) => {
    const block = text.slice(heading.index, headings[index + 1]?.index);
    const state = parseBlock(Number(heading[1]), block);
    return state === null ? [] : [state];
  });
  return states.reduce<GkectlRotationState | null>(
    (newest, state) => (newest === null || state.version >= newest.version ? state : newest),
    null,
  );
}

function parseBlock(of: number, block: string): GkectlRotationState | null {
  const status = STATUS.exec(block);
  if (status?.[1] === undefined) return null;
  const afterStatus = block.slice(status.index + status[0].length);
  const reason = REASON.exec(afterStatus);
  if (reason?.[1] === undefined) return null;
  const afterReason = afterStatus.slice(reason.index + reason[0].length);
  const message = messageIn(afterReason);
  return {
    version: of,
    status: status[1],
    reason: reason[1],
    versions: message.versions,
    words: `KSASigningKeyVersion ${of}: status ${status[1]}, reason ${reason[1]}, message ${message.text}`,
  };
}

function messageIn(text: string): { readonly versions: GkectlVersions | null; readonly text: string } {
  const label = MESSAGE.exec(text);
  if (label === null) return { versions: null, text: 'none' };
  const rest = text.slice(label.index + label[0].length);
  const json = rest.startsWith('{') ? firstJsonObject(rest) : null;
  if (json === null) return { versions: null, text: rest.split('\n')[0]?.trim() ?? '' };
  const versions = versionsShape.safeParse(json.value);
  return { versions: versions.success ? versions.data : null, text: json.text };
}

/**
 * `completed` needs all that the documentation shows of a completed rotation, `running` all that it shows of one that goes on; everything else
 * is `unknown`.
 */
export function judgeRotationState(state: GkectlRotationState): 'completed' | 'running' | 'unknown' {
  const { version: target, status, reason, versions } = state;
  if (status === 'False' && reason === 'KSASigningKeyRotationProcessedReason') return 'running';
  if (status !== 'True' || reason !== 'KSASigningKeyRotationCompleted' || versions === null) return 'unknown';
  const { tokenVersion, privateKeyVersion, publicKeyVersions } = versions;
  const arrived = [tokenVersion, privateKeyVersion, ...publicKeyVersions].every((reached) => reached === target);
  return arrived ? 'completed' : 'unknown';
}
