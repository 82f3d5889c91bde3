/** A process that fills a memory cache with one kind of value, and prints how many bytes that counts and how many more the heap holds. */
import process from "node:process";
import { systemClock as clock } from "../../src/core/clock.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { createCache } from "../../src/ports/cache/manager.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { fillings, tagsOf } from "./cache.memory.ts";

const filling = fillings[process.argv[2] ?? ""];
if (!filling) throw new Error("there is no such kind");
const { count, value, tags } = filling;
const log = createConsoleLog({ level: "silent" });
const memory = { maxEntries: count, maxBytes: 1e9 };
const cache = createCache({ memory, store: null, bus: createMemoryBus({ log }), clock, log });

/** When nothing more goes. */
async function heapInUse(): Promise<number> {
  for (let last = Number.POSITIVE_INFINITY; ; ) {
    await Bun.sleep(10);
    Bun.gc(true);
    const used = process.memoryUsage().heapUsed;
    if (used > last * 0.999) return used;
    last = used;
  }
}

const before = await heapInUse();
for (let i = 0; i < count; i++) await cache.set(`${i}`, value(), { ttlMs: 3_600_000, tags: tagsOf(i, tags) });
const taken = (await heapInUse()) - before;
const { entries, bytes } = cache.metrics().memory ?? {};
if (entries !== count) throw new Error(`${entries} of ${count} values are kept`);
console.log(JSON.stringify({ counted: bytes, taken }));
