/** What every driver of the limits port does, under whatever runtime. The clock stands still unless a case moves it. */
import assert from "node:assert/strict";
import type { Clock } from "../../src/core/clock.ts";
import type { Limits, Rule } from "../../src/ports/limits/port.ts";

export interface MovingClock extends Clock {
  move(ms: number): void;
}

export function movingClock(): MovingClock {
  let now = 1_769_851_800_123;
  return {
    now: () => now,
    move(ms) {
      now += ms;
    },
  };
}

interface LimitsCase {
  name: string;
  run(limits: Limits, clock: MovingClock): Promise<void>;
}

const perMinute: Rule = { limit: 50, windowMs: 60_000 };
let keys = 0;
/** A key that no other case uses, nor another run on the same store. */
const newKey = () => `case:${process.pid}:${Date.now()}:${keys++}`;

async function passed(limits: Limits, key: string, rule: Rule, times: number, cost?: number): Promise<number> {
  const verdicts = await Promise.all(Array.from({ length: times }, () => limits.hit(key, rule, cost)));
  return verdicts.filter(({ allowed }) => allowed).length;
}

export const limitsCases: LimitsCase[] = [
  {
    name: "of 200 hits at once exactly the limit passes",
    async run(limits) {
      const key = newKey();
      assert.equal(await passed(limits, key, perMinute, 200), 50);
      assert.equal(await passed(limits, key, perMinute, 5), 0);
    },
  },
  {
    name: "exactly the limit passes at any limit, whether or not the window divides by it",
    async run(limits) {
      for (const rule of [
        { limit: 1, windowMs: 1 },
        { limit: 3, windowMs: 1_000 },
        { limit: 7, windowMs: 86_400_000 },
        { limit: 13, windowMs: 1_000 },
        { limit: 29, windowMs: 10 },
      ]) {
        const key = newKey();
        assert.equal(await passed(limits, key, rule, rule.limit + 5), rule.limit, JSON.stringify(rule));
      }
    },
  },
  {
    name: "a verdict counts down, and says when the limit is free and when the next hit passes",
    async run(limits, clock) {
      const key = newKey();
      const rule = { limit: 4, windowMs: 1_000 };
      const hit = async () => {
        const { resetMs, retryMs, ...rest } = await limits.hit(key, rule);
        return { ...rest, resetMs: Math.round(resetMs), retryMs: Math.round(retryMs) };
      };
      assert.deepEqual(await hit(), { allowed: true, limit: 4, remaining: 3, resetMs: 250, retryMs: 0 });
      assert.deepEqual(await hit(), { allowed: true, limit: 4, remaining: 2, resetMs: 500, retryMs: 0 });
      clock.move(100);
      assert.deepEqual(await hit(), { allowed: true, limit: 4, remaining: 1, resetMs: 650, retryMs: 0 });
      assert.deepEqual(await hit(), { allowed: true, limit: 4, remaining: 0, resetMs: 900, retryMs: 0 });
      assert.deepEqual(await hit(), { allowed: false, limit: 4, remaining: 0, resetMs: 900, retryMs: 150 });
      clock.move(149);
      assert.equal((await hit()).allowed, false);
      clock.move(1);
      assert.equal((await hit()).allowed, true);
    },
  },
  {
    name: "a limit that was used up opens again hit by hit, and wholly after a window",
    async run(limits, clock) {
      const key = newKey();
      const rule = { limit: 3, windowMs: 1_000 };
      assert.equal(await passed(limits, key, rule, 10), 3);
      clock.move(334);
      assert.equal(await passed(limits, key, rule, 10), 1);
      clock.move(1_000);
      assert.equal(await passed(limits, key, rule, 10), 3);
      clock.move(1_000_000);
      assert.equal(await passed(limits, key, rule, 10), 3);
    },
  },
  {
    name: "no edge of a window lets more than the limit through at once, wherever it lies",
    async run(limits, clock) {
      const rule = { limit: 10, windowMs: 1_000 };
      for (let edge = 0; edge < 1_000; edge += 240) {
        const key = newKey();
        clock.move(240);
        assert.equal(await passed(limits, key, rule, 15), 10);
        clock.move(1);
        assert.equal(await passed(limits, key, rule, 15), 0);
      }
    },
  },
  {
    name: "over a long time the limit passes a window and no more, however hard a client tries",
    async run(limits, clock) {
      const key = newKey();
      const rule = { limit: 7, windowMs: 1_000 };
      let count = 0;
      for (let ms = 0; ms < 5_000; ms += 100) {
        count += await passed(limits, key, rule, 2);
        clock.move(100);
      }
      // 7 at once and 7 a second from then on.
      assert.ok(count >= 40 && count <= 42, `${count}`);
    },
  },
  {
    name: "keys do not meet, and one that is reset starts anew",
    async run(limits) {
      const rule = { limit: 3, windowMs: 60_000 };
      const [one, two] = [newKey(), `${newKey()}:with spaces, ünïcode and '"\\`];
      assert.equal(await passed(limits, one, rule, 5), 3);
      assert.equal(await passed(limits, two, rule, 5), 3);
      await limits.reset(one);
      await limits.reset(newKey());
      assert.equal(await passed(limits, one, rule, 5), 3);
      assert.equal(await passed(limits, two, rule, 1), 0);
    },
  },
  {
    name: "a hit may cost more than one, passes whole or not at all, and one that is refused costs nothing",
    async run(limits, clock) {
      const key = newKey();
      const rule = { limit: 10, windowMs: 1_000 };
      assert.equal((await limits.hit(key, rule, 4)).remaining, 6);
      assert.equal((await limits.hit(key, rule, 4)).remaining, 2);
      const refused = await limits.hit(key, rule, 4);
      assert.deepEqual(
        { ...refused, retryMs: Math.round(refused.retryMs) },
        { ...refused, allowed: false, remaining: 2, retryMs: 200 },
      );
      assert.equal(await passed(limits, key, rule, 5), 2);
      clock.move(1_000);
      assert.equal(await passed(limits, key, rule, 20, 3), 3);
      assert.equal((await limits.hit(newKey(), rule, 10)).allowed, true);
    },
  },
  {
    name: "a rule or a cost that no hit could pass is a mistake of the caller",
    async run(limits) {
      for (const cost of [0, -1, 1.5, 51, Number.NaN])
        await assert.rejects(limits.hit(newKey(), perMinute, cost), RangeError);
      for (const limit of [0, -1, 1.5, Number.NaN]) {
        await assert.rejects(limits.hit(newKey(), { limit, windowMs: 1 }), RangeError);
      }
      for (const windowMs of [0, -1, Number.NaN])
        await assert.rejects(limits.hit(newKey(), { limit: 1, windowMs }), RangeError);
    },
  },
  {
    name: "a rule that was changed applies to what is already counted",
    async run(limits) {
      const key = newKey();
      assert.equal(await passed(limits, key, { limit: 10, windowMs: 1_000 }, 10), 10);
      assert.equal(await passed(limits, key, { limit: 20, windowMs: 2_000 }, 20), 10);
      assert.equal((await limits.hit(key, { limit: 5, windowMs: 500 })).allowed, false);
    },
  },
];
