import { expect, test } from "bun:test";
import type { ClaimedJob } from "../../src/ports/queue/port.ts";
import { createPrefetch } from "../../src/ports/queue/prefetch.ts";

const jobs = (count: number, input: unknown) => Array.from({ length: count }, () => ({ input }) as ClaimedJob);
const large = { fill: "x".repeat(512 * 1024) };

function quick() {
  const prefetch = createPrefetch({ random: () => 0.5 });
  for (let i = 0; i < 500; i++) prefetch.ran("quick", 0.02);
  for (let i = 0; i < 50; i++) prefetch.claimed(jobs(10, {}), 20);
  return prefetch;
}

test("as many are claimed ahead as end while a claim is under way, and never more than a thousand", () => {
  const prefetch = createPrefetch({ random: () => 0.5 });
  expect(prefetch.most("quick", 10)).toBe(0);
  for (let i = 0; i < 500; i++) prefetch.ran("quick", 4);
  for (let i = 0; i < 50; i++) prefetch.claimed(jobs(10, {}), 20);
  expect(prefetch.most("quick", 10)).toBeWithin(45, 51);
  expect(quick().most("quick", 10)).toBe(1000);
});

test("no more large ones than 8 MiB hold are claimed ahead, and many small ones again a while after the last of them", () => {
  const prefetch = quick();
  prefetch.claimed(jobs(10, large), 20);
  expect(prefetch.most("quick", 10)).toBe(15);
  prefetch.claimed([], 20);
  expect(prefetch.most("quick", 10)).toBe(15);
  for (let i = 0; i < 10; i++) prefetch.claimed(jobs(10, {}), 20);
  expect(prefetch.most("quick", 10)).toBeWithin(30, 100);
  for (let i = 0; i < 50; i++) prefetch.claimed(jobs(10, {}), 20);
  expect(prefetch.most("quick", 10)).toBe(1000);
});

test("what one type takes says nothing of another, and of one that is not known none is claimed ahead", () => {
  const prefetch = quick();
  expect([prefetch.most("slow", 10), prefetch.isLong("slow")]).toEqual([0, true]);
  for (let i = 0; i < 500; i++) prefetch.ran("slow", 150);
  expect([prefetch.most("slow", 10), prefetch.isLong("slow")]).toEqual([1, true]);
  expect([prefetch.most("quick", 10), prefetch.most("quick", 0), prefetch.isLong("quick")]).toEqual([1000, 0, false]);
});

test("one that runs for long counts at once, and is forgotten slowly", () => {
  const prefetch = quick();
  prefetch.runs("quick", 2_000);
  expect([prefetch.most("quick", 10), prefetch.isLong("quick")]).toEqual([0, true]);
  prefetch.runs("quick", 500);
  for (let i = 0; i < 20; i++) prefetch.ran("quick", 0.02);
  expect(prefetch.isLong("quick")).toBe(true);
  for (let i = 0; i < 500; i++) prefetch.ran("quick", 0.02);
  expect(prefetch.most("quick", 10)).toBe(1000);
});

test("however long a claim takes, no more are held than run in a fifth of a second", () => {
  const prefetch = quick();
  for (let i = 0; i < 500; i++) prefetch.ran("middle", 10);
  for (let i = 0; i < 50; i++) prefetch.claimed(jobs(10, {}), 5_000);
  expect(prefetch.most("middle", 10)).toBeWithin(190, 201);
});
