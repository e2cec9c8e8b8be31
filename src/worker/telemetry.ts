// What the worker tells about itself: a log on standard error, and metrics for Prometheus, where those of Temporal's SDK come out of one port with ours.
import { DefaultLogger, Runtime, type LogLevel } from '@temporalio/worker';
import { KeyturnError } from '../errors.ts';

const LOG_LEVEL = 'KEYTURN_LOG_LEVEL';
const LEVELS: readonly string[] = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'] satisfies readonly LogLevel[];

/**
 * How much the worker logs: `KEYTURN_LOG_LEVEL`, from the most to the least. Default INFO of ours and WARN of the SDK's native part.
 * @throws CONFIG_INVALID where it is another word
 */
export function readLogLevel(env: Readonly<Record<string, string | undefined>> = process.env): LogLevel | undefined {
  const level = env[LOG_LEVEL]?.toUpperCase();
  if (level === undefined || level === '') return undefined;
  if (isLevel(level)) return level;
  throw new KeyturnError('CONFIG_INVALID', `${LOG_LEVEL} is "${env[LOG_LEVEL]}", which is no level`, {
    subject: LOG_LEVEL,
    remedy: `Set it to one of ${LEVELS.join(', ')}, or leave it out`,
  });
}

function isLevel(word: string): word is LogLevel {
  return LEVELS.includes(word);
}

/** Before anything else of Temporal's worker is made: its runtime exists once in a process. @throws METRICS_UNAVAILABLE */
export function startTelemetry({ bindAddress, logLevel }: { bindAddress?: string; logLevel?: LogLevel }): void {
  const prometheus = { bindAddress: bindAddress ?? '', useSecondsForDurations: true, unitSuffix: true };
  try {
    Runtime.install({
      ...(logLevel === undefined ? {} : { logger: new DefaultLogger(logLevel) }),
      telemetryOptions: {
        ...(logLevel === undefined ? {} : { logging: { forward: {}, filter: { core: logLevel, other: logLevel } } }),
        ...(bindAddress === undefined ? {} : { metrics: { prometheus } }),
      },
    });
  } catch (cause) {
    if (bindAddress === undefined) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KeyturnError('METRICS_UNAVAILABLE', `Metrics cannot be served at ${bindAddress} (${why})`, {
      subject: bindAddress,
      remedy: 'Choose another metrics.bindAddress in keyturn.yaml, or end what listens there',
      cause,
    });
  }
}
