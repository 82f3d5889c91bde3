/** Run by Node with a driver's name and a URL: prints each case with its fault, or null. */
import { Redis } from "ioredis";
import type { Bus } from "../../src/ports/bus/port.ts";
import { createPostgresBus } from "../../src/ports/bus/postgres.ts";
import { createRedisBus } from "../../src/ports/bus/redis.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { outcomes } from "../helpers/peer.ts";
import { busCases, sharedBusCases } from "./bus.ts";

const [driver, url = ""] = process.argv.slice(2);
const log = createConsoleLog({ level: "silent" });
const channel = `hearth-test:${process.pid}:${Date.now()}`;
const make = (): Bus =>
  driver === "redis"
    ? createRedisBus({ open: () => new Redis(url, { retryStrategy: () => null }), channel, log })
    : createPostgresBus({ url, log });

const results = await outcomes([...busCases, ...sharedBusCases], async ({ run }) => {
  const opened: Bus[] = [];
  const open = () => {
    const bus = make();
    opened.push(bus);
    return bus;
  };
  await run(open).finally(() => Promise.all(opened.map((bus) => bus.close())));
});
console.log(JSON.stringify(results));
process.exit(0);
