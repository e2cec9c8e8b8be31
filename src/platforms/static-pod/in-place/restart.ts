// Has a component read its key files anew: the files are written, and an annotation, the one change of its manifest, makes it start again.
import type { Kid } from '../../../rotation/key.ts';
import type { NodeChange } from '../../port.ts';
import { changeManifest } from '../change-manifest.ts';
import type { FilePutBack } from '../change-manifest.ts';
import type { NodeTask } from '../key-layout.ts';
import { readAnnotation, setAnnotation } from '../manifest-annotation.ts';
import { readManifest } from '../node-manifests.ts';
import { beganAfter, proven } from './began-after.ts';
import type { ComponentProcess } from './began-after.ts';
import { writeKeyFiles } from './write-key-files.ts';
import type { KeyFileChange } from './write-key-files.ts';

/** Its value tells a person for what the component was started. */
export const RESTART_ANNOTATION = 'keyturn.dev/restarted-for';

export function markOf(step: string, kid: Kid): string {
  return `${step}-${kid}`;
}

export interface Restart {
  readonly process: ComponentProcess;
  /** Written in this order; each state on the way is right for a component that restarts by itself. */
  readonly files: readonly KeyFileChange[];
  /** Value of the annotation, different for each step of a rotation. */
  readonly mark: string;
  /** Value that it has before this step as a rule; null: none. */
  readonly formerMark: string | null;
  /** True: the manifest ends as it was before the rotation; false: with the mark. */
  readonly isLast: boolean;
}

/**
 * Whether a restart is needed is told by what the process shows, never by the annotation alone: kubeadm may have written the manifest anew,
 * and a component may have started by itself.
 * @throws MANIFEST_REFUSED where the component does not come; files and manifest are back then
 */
export async function restart(task: NodeTask, change: Restart): Promise<NodeChange> {
  const { node, timing, control } = task;
  const { process, mark, formerMark, isLast } = change;
  control.signal.throwIfAborted();
  // Of a call that died: it must not put back what is written now.
  await node.files.watchdog?.disarm();
  const { written, putBacks } = await writeKeyFiles(node, change.files);
  const present = readAnnotation(await readManifest(node, process.component), RESTART_ANNOTATION);
  const standing = written ? 'to-read' : await lookOnce(task, process);
  const changed = ({ changed: isChanged, ...rest }: NodeChange) => ({ ...rest, changed: isChanged || written });

  if (standing === 'has-read' && (!isLast || present === null)) return run(present, present, []);
  if (isLast && present !== null) return changed(await run(present, null, putBacks));
  if (!isLast) {
    // Marked by a call that died: the restart is under way.
    if (!written && isMark(present, mark)) return run(present, present, putBacks);
    return changed(await run(present, present === mark ? `${mark}-again` : mark, putBacks));
  }
  if (standing === 'restarts') return run(null, null, putBacks);
  // Somebody else has taken the mark away: one restart to read the files, and one to leave the manifest as it was.
  const first = await run(null, mark, putBacks);
  if ((await process.startTime()) === undefined) await timing.clock.sleep(timing.noticeMs, control.signal);
  const last = await run(mark, null, []);
  return { ...last, changed: true, restartMs: first.restartMs + last.restartMs };

  function run(from: string | null, to: string | null, files: readonly FilePutBack[]): Promise<NodeChange> {
    const former = to === null ? (from ?? formerMark ?? mark) : from === null || isMark(from, mark) ? formerMark : from;
    return changeManifest(
      node,
      {
        component: process.component,
        edit: (manifest) => setAnnotation(manifest, RESTART_ANNOTATION, to),
        inverse: (manifest) => setAnnotation(manifest, RESTART_ANNOTATION, former),
        effect: proven(node, process, timing, 'new-process'),
        formerEffect: proven(node, { ...process, serves: process.runs }, timing, 'any-process'),
        files,
      },
      timing,
      control,
    );
  }
}

/** `restarts`: away, or about to go, because its manifest was changed after its files. */
type Standing = 'has-read' | 'to-read' | 'restarts';

async function lookOnce({ node }: NodeTask, process: ComponentProcess): Promise<Standing> {
  const manifest = await readManifest(node, process.component);
  const seen = await beganAfter(node, process)({ manifest, inPlace: true, written: false });
  const isSilent = 'proof' in seen && seen.silent === true;
  if ('proof' in seen && (!isSilent || process.silent === 'lasting')) return 'has-read';
  const times = await Promise.all(process.keyFiles.map(async (path) => (await node.files.read(path))?.modifiedAtMs));
  const isLastWritten = times.every((time) => time !== undefined && time <= manifest.file.modifiedAtMs);
  if (isSilent) return isLastWritten ? 'has-read' : 'to-read';
  return isLastWritten || (await process.startTime()) === undefined ? 'restarts' : 'to-read';
}

/** Also one that had to differ from itself, to cause another restart. */
export function isMark(value: string | null, mark: string): boolean {
  return value === mark || value === `${mark}-again`;
}
