// How much the worker logs.
import { expect, test } from 'vitest';
import { readLogLevel } from '../../src/worker/telemetry.ts';

test.each([
  [{}, undefined],
  [{ KEYTURN_LOG_LEVEL: '' }, undefined],
  [{ KEYTURN_LOG_LEVEL: 'TRACE' }, 'TRACE'],
  [{ KEYTURN_LOG_LEVEL: 'debug' }, 'DEBUG'],
])('%j is %s', (env, level) => {
  expect(readLogLevel(env)).toBe(level);
});

test('another word is refused', () => {
  expect(() => readLogLevel({ KEYTURN_LOG_LEVEL: 'verbose' })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', subject: 'KEYTURN_LOG_LEVEL' }),
  );
});
