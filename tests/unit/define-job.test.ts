import { expect, test } from "bun:test";
import { z } from "zod";
import { defineJob } from "../../src/ports/queue/define.ts";

const define = (spec: object) => defineJob({ name: "mail.send", input: z.object({}), migrate: (x) => x, ...spec });

const BAD = [Number.NaN, Number.POSITIVE_INFINITY, -1];
const BELOW_ONE = [...BAD, 0];
const refused: [option: string, values: number[], spec: (value: number) => object][] = [
  ["version", [...BELOW_ONE, 1.5, 2 ** 31], (version) => ({ version })],
  ["priority", [Number.NaN, 1.5, 2 ** 31, -(2 ** 31)], (priority) => ({ priority })],
  ["retry.attempts", [...BELOW_ONE, 2.5], (attempts) => ({ retry: { attempts } })],
  ["retry.baseMs", BAD, (baseMs) => ({ retry: { baseMs } })],
  ["retry.maxMs", BAD, (maxMs) => ({ retry: { maxMs } })],
  ["timeoutMs", [...BELOW_ONE, 1e15], (timeoutMs) => ({ timeoutMs })],
  ["keepMs", [...BAD, 1e15], (keepMs) => ({ keepMs })],
  ["ttlMs", [...BELOW_ONE, 1e15], (ttlMs) => ({ ttlMs })],
  ["concurrency", [...BELOW_ONE, 1.5], (concurrency) => ({ concurrency })],
  ["group.concurrency", [...BELOW_ONE, 1.5], (concurrency) => ({ group: { concurrency } })],
  ["group.rate.limit", [...BELOW_ONE, 1.5], (limit) => ({ group: { rate: { limit, windowMs: 1_000 } } })],
  ["group.rate.windowMs", BELOW_ONE, (windowMs) => ({ group: { rate: { limit: 1, windowMs } } })],
];

test.each(refused)(
  "a type with a %s that means nothing is refused by its name, when it is defined",
  (option, values, spec) => {
    for (const value of values)
      expect(() => define(spec(value))).toThrow(`Job mail.send cannot have this ${option}: ${value} `);
  },
);

test.each(["", "a/b", "a b", "x".repeat(101)])(
  "a queue cannot be called %p, which operators could not name",
  (queue) => {
    expect(() => define({ queue })).toThrow("Job mail.send");
  },
);

test("what is undefined has its default", () => {
  const undefinedAll = {
    version: undefined,
    queue: undefined,
    timeoutMs: undefined,
    priority: undefined,
    keepMs: undefined,
    concurrency: undefined,
    ttlMs: undefined,
    retry: { attempts: undefined, baseMs: undefined, maxMs: undefined },
  };
  const { input: _input, migrate: _migrate, ...type } = define(undefinedAll);
  expect(type).toEqual({
    name: "mail.send",
    version: 1,
    queue: "default",
    timeoutMs: 60_000,
    priority: 0,
    keepMs: 86_400_000,
    retry: { attempts: 5, baseMs: 1_000, maxMs: 3_600_000 },
  });
  expect(type).not.toHaveProperty("ttlMs");
  expect(define({ retry: undefined }).retry.attempts).toBe(5);
});

test("what is at the bounds is taken", () => {
  const spec = {
    keepMs: 0,
    retry: { attempts: 1, baseMs: 0, maxMs: 0 },
    concurrency: 1,
    timeoutMs: 1,
    priority: -2_147_483_647,
  };
  expect(define(spec)).toMatchObject(spec);
});
