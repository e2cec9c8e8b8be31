// The option with which a Node process loads a file of this folder before its program.
import path from 'node:path';
import { pathToFileURL } from 'node:url';

export function preload(file: string): string {
  return `--import=${pathToFileURL(path.join(import.meta.dirname, file)).href}`;
}
