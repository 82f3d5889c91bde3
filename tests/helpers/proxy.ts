/** A TCP proxy that goes wrong on command, between a client under test and a real server. */
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * `pass` forwards. `refuse` closes the port and all connections. `reset` accepts and closes at once. `blackhole` swallows both directions,
 * `halfopen` the answers alone; connections that live through either stay dead, as behind a firewall that has forgotten them.
 */
export type ProxyMode = "pass" | "refuse" | "reset" | "blackhole" | "halfopen";

export interface TcpProxy {
  port: number;
  /** How many connections clients hold. */
  open(): number;
  set(mode: ProxyMode): Promise<void>;
  close(): Promise<void>;
}

interface Pair {
  client: Socket;
  server: Socket;
  deaf: boolean;
  mute: boolean;
}

export async function proxyTo(target: { host: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let mode: ProxyMode = "pass";
  let port = 0;
  let listener: Server | null = null;

  function accept(client: Socket) {
    if (mode === "reset") return void client.destroy();
    const server = connect(target);
    const pair: Pair = {
      client,
      server,
      deaf: mode === "blackhole",
      mute: mode === "halfopen" || mode === "blackhole",
    };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
    client.on("data", (data) => pair.deaf || server.write(data));
    server.on("data", (data) => pair.mute || client.write(data));
  }

  async function listen() {
    const server = createServer(accept);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    port = (server.address() as { port: number }).port;
    listener = server;
  }

  async function silence() {
    const server = listener;
    listener = null;
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  function cut() {
    for (const { client, server } of [...pairs]) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  await listen();
  return {
    get port() {
      return port;
    },
    open: () => pairs.size,
    async set(next) {
      mode = next;
      if (next === "refuse" || next === "reset") cut();
      if (next === "refuse") await silence();
      else if (!listener) await listen();
      for (const pair of pairs) {
        pair.deaf ||= next === "blackhole";
        pair.mute ||= next === "blackhole" || next === "halfopen";
      }
    },
    async close() {
      cut();
      await silence();
    },
  };
}
