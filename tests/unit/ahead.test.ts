import { expect, test } from "bun:test";
import { createAhead } from "../../src/ports/queue/ahead.ts";
import type { ClaimedJob } from "../../src/ports/queue/port.ts";

const jobs = (count: number, input: unknown) => Array.from({ length: count }, () => ({ input }) as ClaimedJob);
const large = { fill: "x".repeat(512 * 1024) };

function quick() {
  const ahead = createAhead({ concurrency: 10, random: () => 0.5 });
  for (let i = 0; i < 500; i++) ahead.ran(0.02);
  for (let i = 0; i < 50; i++) ahead.claimed(jobs(10, {}), 20);
  return ahead;
}

test("as many are claimed ahead as end while a claim is under way, and never more than a thousand", () => {
  const ahead = createAhead({ concurrency: 10, random: () => 0.5 });
  expect(ahead.most()).toBe(0);
  for (let i = 0; i < 500; i++) ahead.ran(4);
  for (let i = 0; i < 50; i++) ahead.claimed(jobs(10, {}), 20);
  expect(ahead.most()).toBeWithin(45, 51);
  expect(quick().most()).toBe(1000);
});

test("no more large ones than 8 MiB hold are claimed ahead, and many small ones again a while after the last of them", () => {
  const ahead = quick();
  ahead.claimed(jobs(10, large), 20);
  expect(ahead.most()).toBe(15);
  ahead.claimed([], 20);
  expect(ahead.most()).toBe(15);
  for (let i = 0; i < 10; i++) ahead.claimed(jobs(10, {}), 20);
  expect(ahead.most()).toBeWithin(30, 100);
  for (let i = 0; i < 50; i++) ahead.claimed(jobs(10, {}), 20);
  expect(ahead.most()).toBe(1000);
});
