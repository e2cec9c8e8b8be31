// What the script that reads a file prints, taken apart.
import type { NodeFile } from '../port.ts';

/** A file as the node sent it. Whether all of it has come is told by its SHA-256. */
export interface SentFile extends Omit<NodeFile, 'content'> {
  readonly bytes: Buffer;
}

const HEADING =
  /^(?<mode>[0-7]+) (?<uid>\d+) (?<gid>\d+) (?<size>\d+) (?<seconds>-?\d+)\n[^\n]*?(?:\.(?<fraction>\d+))?(?: [+-]\d{4})?\n(?<sha256>[0-9a-f]{64})\n/;

/** undefined where the answer ends too early. */
export function parseReadAnswer(answer: Buffer): SentFile | undefined {
  const heading = HEADING.exec(answer.subarray(0, 512).toString('latin1'));
  if (heading?.groups === undefined) return undefined;
  const { mode = '', uid = '', gid = '', seconds = '', fraction = '0', sha256 = '' } = heading.groups;
  return {
    bytes: answer.subarray(heading[0].length),
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    // Where `stat` tells whole seconds only, it has cut the rest off: early, never late.
    modifiedAtMs: Number(seconds) * 1000 + Number(`0.${fraction}`) * 1000,
    sha256,
  };
}
