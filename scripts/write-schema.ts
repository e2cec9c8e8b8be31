// Writes schema/keyturn.schema.json, the JSON Schema of keyturn.yaml, from the zod schema that the product validates with.
// With --check nothing is written: it fails where the published file is not what would be written.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';

const path = join(import.meta.dirname, '..', 'schema', 'keyturn.schema.json');

// `input`: what a person writes, before defaults are filled in.
const schema = { ...z.toJSONSchema(configSchema, { io: 'input' }), title: 'keyturn.yaml' };
const wanted = `${JSON.stringify(schema, null, 2)}\n`;

if (process.argv.includes('--check')) {
  const present = await readFile(path, 'utf8').catch(() => '');
  if (present !== wanted) {
    console.error('schema/keyturn.schema.json is not what src/config/schema.ts says. Run `npm run schema`.');
    process.exitCode = 1;
  }
} else {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, wanted);
}
