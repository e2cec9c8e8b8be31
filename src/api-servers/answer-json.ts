// Checks that an API server's answer has the shape that is relied on.
import type { z } from 'zod';
import { KeyturnError } from '../errors.ts';

/**
 * @param value parsed JSON
 * @param subject what was asked, for the error
 * @throws API_SERVER_UNEXPECTED, naming the member that is wrong but not its value, which may be secret
 */
export function jsonOf<T>(schema: z.ZodType<T>, value: unknown, subject: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const member = result.error.issues[0]?.path.join('.') ?? '';
  throw new KeyturnError(
    'API_SERVER_UNEXPECTED',
    `The answer (${subject}) has no valid ${member === '' ? 'content' : `"${member}"`}`,
    {
      subject,
      remedy: 'Check that this is the address of a Kubernetes API server',
    },
  );
}

/** @throws API_SERVER_UNEXPECTED where the body is not JSON */
export function parseAnswer(body: string, subject: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new KeyturnError('API_SERVER_UNEXPECTED', `The answer (${subject}) is not JSON`, {
      subject,
      remedy: 'Check that this is the address of a Kubernetes API server',
    });
  }
}
