// How commands speak: text for people, JSON for scripts, one clear sentence for an error.
import { KeyturnError } from '../errors.ts';

export interface OutputOptions {
  readonly json?: boolean;
}

/** Prints the value as JSON where asked, else the text. */
export function print(value: unknown, text: string, { json = false }: OutputOptions): void {
  process.stdout.write(`${json ? JSON.stringify(value, null, 2) : text}\n`);
}

export function printError(error: unknown, { json = false }: OutputOptions): void {
  const known = error instanceof KeyturnError;
  const code = known ? error.code : 'UNEXPECTED';
  const message = error instanceof Error ? error.message : String(error);
  if (json) {
    const { subject, remedy, details } = known ? error : { subject: '', remedy: '', details: {} };
    process.stderr.write(`${JSON.stringify({ error: { code, message, subject, remedy, details } }, null, 2)}\n`);
  } else {
    // What nobody foresaw is a defect: its stack is what a report needs.
    const text = known || !(error instanceof Error) ? message : (error.stack ?? message);
    process.stderr.write(`keyturn: ${text} [${code}]\n`);
  }
}
