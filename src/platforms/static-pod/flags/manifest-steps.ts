// What each step of a rotation does to a manifest. Pure, and in pairs that undo each other.
import { posix } from 'node:path';
import { KeyturnError } from '../../../errors.ts';
import type { Kid } from '../../../rotation/key.ts';
import type { NodeLayout } from '../../../rotation/observation.ts';
import { CONTROLLER_MANAGER_KEY_FILE_FLAG, KEY_FILE_FLAG, SIGNING_KEY_FILE_FLAG, besideOf } from '../layout.ts';
import { addFlag, removeFlag, replaceFlagValue } from '../manifest-edit.ts';
import { readSinglePath } from '../manifest-flags.ts';
import type { Manifest } from '../manifest.ts';

/** Gives the source as it shall be; the same source where it is so already. */
export type Edit = (manifest: Manifest) => string;

export interface ManifestSteps {
  readonly trust: Edit;
  readonly distrust: Edit;
  readonly sign: Edit;
  readonly signWithFormer: Edit;
  /** Back to the former's paths in one edit, hence one restart. */
  readonly untrust: Edit;
  readonly takeUntrustBack: Edit;
  readonly switchControllerManager: Edit;
  readonly restoreControllerManager: Edit;
}

/** @param next kid of the new key */
export function manifestSteps(layout: NodeLayout, next: Kid): ManifestSteps {
  const { signingKeyFile, controllerManagerKeyFile } = layout;
  const publicFile = besideOf(signingKeyFile, next, 'pub');
  const privateFile = besideOf(signingKeyFile, next, 'key');
  const trust: Edit = (manifest) => addFlag(manifest, KEY_FILE_FLAG, publicFile);
  const distrust: Edit = (manifest) => removeFlag(manifest, KEY_FILE_FLAG, publicFile);
  const sign = replace(SIGNING_KEY_FILE_FLAG, signingKeyFile, privateFile);
  const signWithFormer = replace(SIGNING_KEY_FILE_FLAG, privateFile, signingKeyFile);
  const ofControllerManager = (from: string, to: string): Edit => replace(CONTROLLER_MANAGER_KEY_FILE_FLAG, from, to);
  const path = controllerManagerKeyFile;
  return {
    trust,
    distrust,
    sign,
    signWithFormer,
    untrust: inOneEdit(distrust, signWithFormer),
    takeUntrustBack: inOneEdit(trust, sign),
    switchControllerManager: path === null ? unchanged : ofControllerManager(path, besideOf(path, next, 'key')),
    restoreControllerManager: path === null ? unchanged : ofControllerManager(besideOf(path, next, 'key'), path),
  };
}

/** Kid of the file beside the layout's that the controller manager reads now; null where it reads the layout's own, or has none. */
export function kidOfControllerManager(manifest: Manifest, { controllerManagerKeyFile }: NodeLayout): Kid | null {
  const present = readSinglePath(manifest, CONTROLLER_MANAGER_KEY_FILE_FLAG);
  if (present === controllerManagerKeyFile) return null;
  const kid =
    present === null ? undefined : /^sa-(?<kid>[A-Za-z0-9_-]{43})\.key$/.exec(posix.basename(present))?.groups?.['kid'];
  if (
    controllerManagerKeyFile !== null &&
    kid !== undefined &&
    present === besideOf(controllerManagerKeyFile, kid, 'key')
  ) {
    return kid;
  }
  const { subject } = manifest;
  throw new KeyturnError(
    'FILE_CHANGED',
    `${subject} has --${CONTROLLER_MANAGER_KEY_FILE_FLAG}=${present ?? ''}, which neither the rotation nor the layout before it has set`,
    { subject, remedy: `Find out who changed it, and set it to ${controllerManagerKeyFile ?? 'nothing'} again` },
  );
}

export function inOneEdit(...edits: readonly Edit[]): Edit {
  return (manifest) => edits.reduce((source, edit) => edit({ ...manifest, source }), manifest.source);
}

function replace(flag: string, from: string, to: string): Edit {
  return (manifest) => replaceFlagValue(manifest, flag, from, to);
}

function unchanged({ source }: Manifest): string {
  return source;
}
