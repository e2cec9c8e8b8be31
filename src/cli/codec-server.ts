// keyturn codec-server: lets the Temporal UI in this operator's browser show encrypted payloads.
import { Command } from 'commander';
import { KeyturnError } from '../errors.ts';
import { startCodecServer } from '../payload-encryption/codec-server.ts';
import { readPayloadCodec } from '../worker/payload-encryption.ts';

interface CodecServerCommandOptions {
  readonly listen: string;
  readonly uiOrigin: string;
}

export function codecServerCommand(): Command {
  return new Command('codec-server')
    .description('let the Temporal UI show what is encrypted; runs until it is told to stop')
    .requiredOption('--ui-origin <url>', 'the Temporal UI: no other page gets an answer')
    .option('--listen <address>', 'loopback address and port', '127.0.0.1:8081')
    .action(async ({ listen, uiOrigin }: CodecServerCommandOptions) => {
      const codec = await readPayloadCodec();
      if (codec === null) {
        throw new KeyturnError('CONFIG_INVALID', 'No keys are set, so that there is nothing to decode', {
          subject: 'KEYTURN_PAYLOAD_KEYS',
          remedy: 'Set KEYTURN_PAYLOAD_KEYS or KEYTURN_PAYLOAD_KEYS_FILE as for the worker',
        });
      }
      const server = await startCodecServer({ codec, uiOrigin: originOf(uiOrigin), ...addressOf(listen) });
      process.stdout.write(`Codec endpoint for the Temporal UI at ${uiOrigin}: ${server.url}\n`);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
    });
}

function originOf(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL(url).origin;
  throw new KeyturnError('CONFIG_INVALID', `"${url}" is not the address of a Temporal UI`, {
    subject: '--ui-origin',
    remedy: 'Write it as http://localhost:8233 or https://temporal.example.com',
  });
}

/** Whoever reaches it reads everything: it knows no users. To share one, put a proxy that knows them in front. */
function addressOf(listen: string): { host: string; port: number } {
  const match = /^(?<host>127(?:\.\d{1,3}){3}|localhost|\[::1\]):(?<port>\d{1,5})$/.exec(listen)?.groups;
  const port = Number(match?.['port']);
  if (match?.['host'] !== undefined && port <= 65_535) return { host: match['host'].replace(/^\[|\]$/g, ''), port };
  throw new KeyturnError('CONFIG_INVALID', `"${listen}" is not a loopback address with a port`, {
    subject: '--listen',
    remedy: 'Write it as 127.0.0.1:8081; to share the server put a proxy that asks who is there in front of it',
  });
}
