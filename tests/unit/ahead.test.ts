import { expect, test } from "bun:test";
import { createAhead } from "../../src/ports/queue/ahead.ts";
import type { ClaimedJob } from "../../src/ports/queue/port.ts";

const jobs = (count: number, input: unknown) => Array.from({ length: count }, () => ({ input }) as ClaimedJob);
const large = { fill: "x".repeat(512 * 1024) };

function quick() {
  const ahead = createAhead({ random: () => 0.5 });
  for (let i = 0; i < 500; i++) ahead.ran("quick", 0.02);
  for (let i = 0; i < 50; i++) ahead.claimed(jobs(10, {}), 20);
  return ahead;
}

test("as many are claimed ahead as end while a claim is under way, and never more than a thousand", () => {
  const ahead = createAhead({ random: () => 0.5 });
  expect(ahead.most("quick", 10)).toBe(0);
  for (let i = 0; i < 500; i++) ahead.ran("quick", 4);
  for (let i = 0; i < 50; i++) ahead.claimed(jobs(10, {}), 20);
  expect(ahead.most("quick", 10)).toBeWithin(45, 51);
  expect(quick().most("quick", 10)).toBe(1000);
});

test("no more large ones than 8 MiB hold are claimed ahead, and many small ones again a while after the last of them", () => {
  const ahead = quick();
  ahead.claimed(jobs(10, large), 20);
  expect(ahead.most("quick", 10)).toBe(15);
  ahead.claimed([], 20);
  expect(ahead.most("quick", 10)).toBe(15);
  for (let i = 0; i < 10; i++) ahead.claimed(jobs(10, {}), 20);
  expect(ahead.most("quick", 10)).toBeWithin(30, 100);
  for (let i = 0; i < 50; i++) ahead.claimed(jobs(10, {}), 20);
  expect(ahead.most("quick", 10)).toBe(1000);
});

test("what one type takes says nothing of another, and of one that is not known none is claimed ahead", () => {
  const ahead = quick();
  expect([ahead.most("slow", 10), ahead.isLong("slow")]).toEqual([0, true]);
  for (let i = 0; i < 500; i++) ahead.ran("slow", 150);
  expect([ahead.most("slow", 10), ahead.isLong("slow")]).toEqual([1, true]);
  expect([ahead.most("quick", 10), ahead.most("quick", 0), ahead.isLong("quick")]).toEqual([1000, 0, false]);
});

test("one that runs for long counts at once, and is forgotten slowly", () => {
  const ahead = quick();
  ahead.runs("quick", 2_000);
  expect([ahead.most("quick", 10), ahead.isLong("quick")]).toEqual([0, true]);
  ahead.runs("quick", 500);
  for (let i = 0; i < 20; i++) ahead.ran("quick", 0.02);
  expect(ahead.isLong("quick")).toBe(true);
  for (let i = 0; i < 500; i++) ahead.ran("quick", 0.02);
  expect(ahead.most("quick", 10)).toBe(1000);
});

test("however long a claim takes, no more are held than run in a fifth of a second", () => {
  const ahead = quick();
  for (let i = 0; i < 500; i++) ahead.ran("middle", 10);
  for (let i = 0; i < 50; i++) ahead.claimed(jobs(10, {}), 5_000);
  expect(ahead.most("middle", 10)).toBeWithin(190, 201);
});
