import { serve } from "@hono/node-server";
import { openNodeSqlite } from "../ports/db/node-sqlite.ts";
import { createNodePasswords } from "../ports/passwords/node.ts";
import { nodeHmac } from "./hmac.ts";
import { type Runtime, type Server, start } from "./process.ts";

const SWEEP_MS = 50;

const node: Runtime = {
  hmac: nodeHmac,
  openSqlite: openNodeSqlite,
  openPostgres: async () => (await import("../ports/db/postgres.ts")).createPostgres,
  passwords: createNodePasswords,
  serve: (fetch, { port, host }) =>
    new Promise<Server>((resolve, reject) => {
      const server = serve(
        {
          fetch: (request, { incoming }) => fetch(request, { peer: () => incoming.socket.remoteAddress ?? null }),
          port,
          hostname: host,
        },
        (info) => {
          const name = info.family === "IPv6" ? `[${info.address}]` : info.address;
          resolve({ url: `http://${name}:${info.port}`, stop });
        },
      );
      server.on("error", reject);
      // Node closes the connections that are idle when the port closes; one whose request is answered later would be kept for another 6 s.
      const stop = () =>
        new Promise<void>((done) => {
          const sweep = setInterval(() => "closeIdleConnections" in server && server.closeIdleConnections(), SWEEP_MS);
          server.close(() => {
            clearInterval(sweep);
            done();
          });
        });
    }),
};

await start(node);
