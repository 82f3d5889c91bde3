/** Run by Node with a driver's name and a URL: prints each case with its fault, or null. */
import { Redis } from "ioredis";
import type { Bus } from "../../src/ports/bus/port.ts";
import { createPostgresBus } from "../../src/ports/bus/postgres.ts";
import { createRedisBus } from "../../src/ports/bus/redis.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { busCases, sharedBusCases } from "./bus.ts";

const [driver, url = ""] = process.argv.slice(2);
const log = createConsoleLog({ level: "silent" });
const channel = `hearth-test:${process.pid}:${Date.now()}`;
const make = (): Bus =>
  driver === "redis"
    ? createRedisBus({ open: () => new Redis(url, { retryStrategy: () => null }), channel, log })
    : createPostgresBus({ url, log });

const results: Record<string, string | null> = {};
for (const { name, run } of [...busCases, ...sharedBusCases]) {
  const opened: Bus[] = [];
  const open = () => {
    const bus = make();
    opened.push(bus);
    return bus;
  };
  results[name] = await run(open).then(
    () => null,
    (error) => String(error.stack),
  );
  await Promise.all(opened.map((bus) => bus.close()));
}
console.log(JSON.stringify(results));
process.exit(0);
