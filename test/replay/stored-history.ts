// Histories as files. The SDK's historyToJSON fails where npm gives @temporalio/common and @temporalio/proto a protobufjs each
// ("type must be a Type"), so these are written and read by the message class itself, in protobufjs' own JSON.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';

export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

interface HistoryClass {
  fromObject(object: unknown): History;
  encode(history: History): { finish(): Uint8Array };
}

const requireOfWorker = createRequire(import.meta.resolve('@temporalio/worker'));
const { temporal } = requireOfWorker('@temporalio/proto') as {
  readonly temporal: { readonly api: { readonly history: { readonly v1: { readonly History: HistoryClass } } } };
};
const { History: HistoryMessage } = temporal.api.history.v1;

export const STORED_HISTORIES = path.join(import.meta.dirname, '..', 'histories');

export function readHistory(name: string): History {
  return HistoryMessage.fromObject(JSON.parse(readFileSync(path.join(STORED_HISTORIES, `${name}.json`), 'utf8')));
}

/** Without the paths of the machine that recorded it, which stand in stack traces. */
export function historyToText(history: History): string {
  return `${JSON.stringify(history, null, 1)}\n`.replaceAll(`${process.cwd()}/`, '');
}

/** As the server counts it. */
export function historyBytes(history: History): number {
  return HistoryMessage.encode(history).finish().length;
}
