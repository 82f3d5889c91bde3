/** Run by Node: the cache in memory, or over KV of a real workerd. Prints each case with its fault, or null. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { createKvStore, type KvNamespace } from "../../src/ports/cache/kv.ts";
import { type CacheOptions, createCache } from "../../src/ports/cache/manager.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { outcomes } from "../helpers/peer.ts";
import { cacheCases } from "./cache.ts";
import { movingClock } from "./limits.ts";

async function openKv() {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const { getPlatformProxy } = await import("wrangler");
  const folder = temporaryFolder();
  const configPath = join(folder.path, "wrangler.json");
  const kv_namespaces = [{ binding: "CACHE", id: "contract" }];
  writeFileSync(configPath, JSON.stringify({ name: "contract", compatibility_date: "2026-10-01", kv_namespaces }));
  const proxy = await getPlatformProxy<{ CACHE: KvNamespace }>({ configPath, persist: false });
  return {
    kv: proxy.env.CACHE,
    async done() {
      await proxy.dispose();
      folder.remove();
    },
  };
}

const log = createConsoleLog({ level: "silent" });
const opened = process.argv[2] === "kv" ? await openKv() : null;
const form: Pick<CacheOptions, "memory" | "sharesWork" | "storeTimeoutMs"> = opened
  ? { memory: null, sharesWork: false, storeTimeoutMs: 5_000 }
  : { memory: { maxEntries: 10_000, maxBytes: 100_000_000 } };
const cases = cacheCases.filter(({ sharesWork }) => !opened || !sharesWork);
const results = await outcomes(cases, async ({ run }) => {
  const clock = movingClock();
  const store = opened && createKvStore({ kv: opened.kv });
  const cache = createCache({ ...form, store, clock, log, bus: createMemoryBus({ log }), random: () => 0 });
  await run(cache, clock).finally(() => cache.close());
});
await opened?.done();
console.log(JSON.stringify(results));
process.exit(0);
