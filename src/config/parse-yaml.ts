// Reads YAML that people write for Keyturn into a value of a schema, or says everything that is wrong with it.
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { KeyturnError } from '../errors.ts';
import { findYamlExcess, shortFault } from '../yaml-bounds.ts';

/** @throws CONFIG_INVALID with every problem at once */
export function parseYaml<T extends z.ZodType>(schema: T, text: string, subject: string): z.output<T> {
  const excess = findYamlExcess(text);
  if (excess !== undefined) throw invalidConfig(subject, `it ${excess}`);
  const document = parseDocument(text, { prettyErrors: true, logLevel: 'error' });
  const yamlError = document.errors[0];
  if (yamlError) throw invalidConfig(subject, shortFault(yamlError.message.trim()));
  let value: unknown;
  try {
    // Aliases may not multiply: a small file must not become a huge one.
    value = document.toJS({ maxAliasCount: 20 });
  } catch (cause) {
    throw invalidConfig(subject, cause instanceof Error ? cause.message : 'unreadable YAML');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidConfig(subject, z.prettifyError(parsed.error));
  return parsed.data;
}

export function invalidConfig(subject: string, problems: string): KeyturnError {
  return new KeyturnError('CONFIG_INVALID', `${subject} is not a valid configuration:\n${problems}\n`, {
    subject,
    remedy: 'Correct it; schema/keyturn.schema.json describes every field',
  });
}
