// Picks TCP ports on 127.0.0.1 that stay ours while the program behind them restarts.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, Server } from 'node:net';

/** Held for as long as the port is ours. */
export interface ReservedPort {
  readonly port: number;
  release(): Promise<void>;
}

/**
 * A port of 127.0.0.1 that nobody listens on. It lies below the range from which the kernel serves outgoing connections and
 * `listen(0)`, so that none of these can take it during a restart; a listener on 127.0.0.2 tells other runs of ours that it is taken.
 * @throws Error where no port is free
 */
export async function reservePort(): Promise<ReservedPort> {
  const lowest = 10_000;
  const highest = Math.min(await ephemeralStart(), 30_000) - 1;
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1));
    const reservation = await listen('127.0.0.2', port);
    // macOS has no 127.0.0.2; there the port is only checked.
    if (reservation === 'EADDRINUSE') continue;
    const release = async (): Promise<void> => close(reservation);
    const trial = await listen('127.0.0.1', port);
    if (trial instanceof Server) {
      await close(trial);
      // An idle reservation must not keep a process alive that has nothing else to do.
      if (reservation instanceof Server) reservation.unref();
      return { port, release };
    }
    await release();
  }
  throw new Error(`no free TCP port between ${lowest} and ${highest} on 127.0.0.1`);
}

/** A listening server, or the code of the error. */
async function listen(host: string, port: number): Promise<Server | string> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port, host);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

async function close(server: Server | string): Promise<void> {
  if (!(server instanceof Server) || !server.listening) return;
  server.close();
  await once(server, 'close');
}

async function ephemeralStart(): Promise<number> {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '32768');
  return Number.parseInt(range, 10);
}
