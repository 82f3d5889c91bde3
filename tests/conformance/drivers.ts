/** What the drivers of a port are for and what they lack, from their own capabilities: README's second table. */
import { type BusDriver, busCapabilities } from "../../src/ports/bus/port.ts";
import { type CacheForm, cacheCapabilities } from "../../src/ports/cache/port.ts";

import { dispatchCapabilities } from "../../src/ports/queue/port.ts";

interface DriverRow {
  port: string;
  driver: string;
  on: "servers" | "Workers" | "both";
  lacks: readonly string[];
}

const cacheOn: Record<CacheForm, DriverRow["on"]> = {
  memory: "both",
  redis: "servers",
  "two-level": "servers",
  kv: "Workers",
};
const busOn: Record<BusDriver, DriverRow["on"]> = { memory: "both", postgres: "servers", redis: "servers" };

function* rows(): Generator<DriverRow> {
  for (const driver of Object.keys(busOn) as BusDriver[]) {
    const lacks = busCapabilities[driver].shared ? [] : ["an instance hears itself alone"];
    yield { port: "bus", driver, on: busOn[driver], lacks };
  }
  for (const driver of Object.keys(cacheOn) as CacheForm[]) {
    const { shared, leases, seenWithinMs } = cacheCapabilities[driver];
    const lacks = [
      ...(shared ? [] : ["each instance keeps its own"]),
      ...(leases ? [] : ["each instance loads for itself"]),
      seenWithinMs === null
        ? "without a bus an invalidation elsewhere is not seen before the value's own time"
        : `without a bus an invalidation elsewhere is seen after up to ${seenWithinMs / 1000} s`,
    ];
    yield { port: "cache", driver, on: cacheOn[driver], lacks };
  }
  for (const [driver, { needs, priority, unannouncedMs }] of Object.entries(dispatchCapabilities)) {
    const { servers, Workers } = unannouncedMs;
    const lacks = [
      ...(needs ? [`needs ${needs}`] : []),
      ...(priority ? [] : ["priority counts among what is handed over together"]),
      ...(Workers ? [`on Workers a job that was delayed, or is tried again, may start ${Workers / 1000} s late`] : []),
    ];
    yield { port: "queue", driver, on: servers === null ? "Workers" : Workers === null ? "servers" : "both", lacks };
  }
}

const line = (texts: readonly string[]) => `| ${texts.join(" | ")} |`;
const has = (on: DriverRow["on"], where: DriverRow["on"]) => (on === "both" || on === where ? "✓" : "–");

export const driversTable = (): string =>
  [
    line(["", "Bun, Node", "Workers", "what it lacks"]),
    line(["---", "---", "---", "---"]),
    ...[...rows()].map(({ port, driver, on, lacks }) =>
      line([`${port}: ${driver}`, has(on, "servers"), has(on, "Workers"), lacks.join("; ")]),
    ),
  ].join("\n");
