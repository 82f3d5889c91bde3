import { createNativePasswords } from "../ports/passwords/native.ts";
import { bunDrivers } from "./bun-drivers.ts";
import { givingMemoryBack } from "./bun-memory.ts";
import { type Runtime, start } from "./process.ts";

/** Bodies are bounded by the pipeline, with an answer; this bound is behind it, for what the pipeline does not read. */
const HARD_BODY_LIMIT = 64 * 1024 * 1024;
const IDLE_S = 30;

const bun: Runtime = {
  ...bunDrivers,
  // node:crypto takes Bun up to 12 ms to load.
  hmac: (key) => (text) => new Bun.CryptoHasher("sha256", key).update(text).digest(),
  passwords: async () => createNativePasswords(),
  async serve(fetch, { port, host }) {
    const count = givingMemoryBack();
    const server = Bun.serve({
      port,
      hostname: host,
      idleTimeout: IDLE_S,
      maxRequestBodySize: HARD_BODY_LIMIT,
      development: false,
      // Bun's default outside development: a second process would take a share of the requests in silence.
      reusePort: false,
      fetch(request, server) {
        count();
        return fetch(request, { peer: () => server.requestIP(request)?.address ?? null });
      },
    });
    return { url: server.url.href.replace(/\/$/, ""), stop: () => server.stop() };
  },
};

// Not awaited: a file with bytecode cannot wait at its top.
void start(bun);
