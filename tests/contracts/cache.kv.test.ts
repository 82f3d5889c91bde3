/** What Workers KV allows, which the local one does not hold anybody to: operations of an invocation at once and in all, writes of a key. */
import { expect, test } from "bun:test";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { createKvStore } from "../../src/ports/cache/kv.ts";
import { createCache } from "../../src/ports/cache/manager.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { source } from "./cache.world.ts";
import { movingClock } from "./limits.ts";

const log = createConsoleLog({ level: "silent" });
const minute = { ttlMs: 60_000 };
const MOST = 1_000;

/** The texts of KV, and isolates that reach them. `invocation` begins a new request in all of them. */
function platform() {
  const texts = new Map<string, string>();
  const writtenAt = new Map<string, number>();
  const clock = movingClock();
  const state = { down: false, hangs: false, used: 0 };
  async function operation<T>(work: () => T): Promise<T> {
    if (++state.used > MOST) throw new Error("Too many API requests by single Worker invocation.");
    if (state.hangs) await new Promise(() => {});
    if (state.down) throw new Error("KV GET failed: 503 Service Unavailable");
    return work();
  }
  const writing = (key: string, work: () => void) =>
    operation(() => {
      const last = writtenAt.get(key) ?? Number.NEGATIVE_INFINITY;
      if (clock.now() - last < 1_000) throw new Error("KV PUT failed: 429 Too Many Requests");
      writtenAt.set(key, clock.now());
      work();
    });
  const kv = {
    get: (key: string) => operation(() => texts.get(key) ?? null),
    put: (key: string, text: string) => writing(key, () => void texts.set(key, text)),
    delete: (key: string) => writing(key, () => void texts.delete(key)),
  };
  /** What invocations leave behind for after their answers. */
  const later: Promise<unknown>[] = [];
  const isolate = (storeTimeoutMs = 1_000) =>
    createCache({
      background: (work) => void later.push(work),
      memory: null,
      store: createKvStore({ kv }),
      sharesWork: false,
      storeTimeoutMs,
      bus: createMemoryBus({ log }),
      clock,
      log,
      random: () => 0,
    });
  const invocation = () => {
    state.used = 0;
  };
  return { isolate, state, clock, invocation, later };
}

test("what could not be removed while KV was away is made up for by many requests, and takes none of them all it may ask", async () => {
  const { isolate, state, clock, invocation } = platform();
  const cache = isolate();
  const load = source((n) => n);
  for (let i = 0; i < 3_000; i++) await cache.set(`k${i}`, "old", minute).then(invocation);
  state.down = true;
  for (let i = 0; i < 3_000; i++) await cache.delete(`k${i}`).then(invocation);
  state.down = false;
  clock.move(1_000);
  for (let i = 0; i < 200; i++) {
    invocation();
    await cache.remember("other", load, minute);
    expect(state.used).toBeLessThan(MOST / 10);
  }
  expect(load.state.loads).toBe(1);
  expect(await cache.get("k2999")).toBeUndefined();
});

test("a KV that hangs holds up one call, and then none for a second", async () => {
  const { isolate, state, clock } = platform();
  const cache = isolate(20);
  state.hangs = true;
  const waited = cache.remember("k", () => 1, minute);
  await Bun.sleep(5);
  // As long as its patience: a second of rest is counted from its end.
  clock.move(1_000);
  expect(await waited).toBe(1);
  expect(state.used).toBe(1);
});

test("isolates that make one value at the same time do not take each other's away, and go on using KV", async () => {
  const { isolate, clock } = platform();
  const [one, other] = [isolate(), isolate()];
  const load = source((n) => n);
  expect(await Promise.all([one, other].map((cache) => cache.remember("k", load, minute)))).toEqual([1, 2]);
  for (const cache of [one, other, one, other]) {
    clock.move(1_000);
    expect(await cache.remember("k", load, minute)).toBe(1);
  }
  expect(load.state.loads).toBe(2);
  expect([one, other].map((cache) => cache.metrics().namespaces[""]?.bypass)).toEqual([0, 0]);
});

test("a value that KV cannot replace or remove within a second is not answered any more, and goes as soon as KV takes that", async () => {
  const { isolate, clock } = platform();
  const cache = isolate();
  await cache.set("k", "old", minute);
  await cache.set("k", "new", minute);
  expect(await cache.get("k")).toBeUndefined();
  await cache.delete("k");
  expect(await cache.get("k")).toBeUndefined();
  clock.move(1_000);
  expect(await cache.get("k")).toBeUndefined();
  await cache.set("k", "third", minute);
  await cache.set("k", "fourth", minute);
  clock.move(1_000);
  await cache.set("k", "fifth", minute);
  expect(await cache.get<string>("k")).toBe("fifth");
  expect(cache.metrics().namespaces[""]?.bypass).toBe(0);
});

test("a tag that is invalidated right after its version was written is so a second later, though its isolate is not called again", async () => {
  const { isolate, clock, later } = platform();
  const [one, other] = [isolate(), isolate()];
  const load = source((n) => n);
  const tagged = { ...minute, tags: ["t"] };
  expect(await one.remember("k", load, tagged)).toBe(1);
  await other.invalidateTag("t");
  clock.move(6_000);
  expect(later).toHaveLength(1);
  await Promise.all(later);
  expect(await one.remember("k", load, tagged)).toBe(2);
  expect(one.metrics().namespaces[""]?.bypass).toBe(0);
});

test("a tag's version that cannot be written within a second of its end costs that value alone", async () => {
  const { isolate, clock } = platform();
  const cache = isolate();
  const load = source((n) => n);
  const tagged = { ...minute, tags: ["t"] };
  await cache.remember("other", () => "kept", minute);
  await cache.remember("k", load, tagged);
  clock.move(1_000);
  await cache.invalidateTag("t");
  expect(await cache.remember("k", load, tagged)).toBe(2);
  expect(await cache.get<string>("other")).toBe("kept");
  clock.move(1_000);
  for (let i = 0; i < 2; i++) expect(await cache.remember("k", load, tagged)).toBe(3);
});
