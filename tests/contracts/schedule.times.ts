/** Which times of a schedule count when nobody was there, when it is changed, and when it is given up. Cases begin on 31 January 2026 at 09:30. */
import assert from "node:assert/strict";
import { eq } from "drizzle-orm/sql";
import { toInstant } from "../../src/core/clock.ts";
import type { Schedule } from "../../src/ports/schedule/define.ts";
import { DAY, MINUTE, outcomes, type ScheduleCase } from "./schedule.world.ts";

export const timeCases: ScheduleCase[] = [
  {
    name: "a run that was missed is recorded and reported, and the next one comes as usual",
    async run({ make, instance, at, runs, jobs, lines, row }) {
      const daily = make("0 10 * * *");
      await instance(daily).tick();
      at("10:05:00.001", 3);
      const one = instance(daily);
      await one.tick();
      await one.tick();
      assert.deepEqual(outcomes(await runs(daily)), ["03T10:00 cron missed"]);
      assert.match(
        (await runs(daily))[0]?.error?.message ?? "",
        /missed 4 times, from 2026-01-31T10:00.* to 2026-02-03T10:00/,
      );
      assert.deepEqual(await jobs(daily), []);
      assert.equal(lines.filter(({ schedule, level }) => schedule === daily.name && level === "warn").length, 1);
      assert.equal((await row(daily)).nextAt, "2026-02-04T10:00:00.000Z");
      at("10:00:00.000", 4);
      await one.tick();
      assert.deepEqual(outcomes(await runs(daily)), ["04T10:00 cron null", "03T10:00 cron missed"]);
    },
  },
  {
    name: "one that catches up fires the newest that was missed, once, and leaves it at that",
    async run({ make, instance, at, runs, jobs }) {
      const daily = make("0 10 * * *", { catchUp: true });
      await instance(daily).tick();
      at("20:00:00.000", 3);
      const one = instance(daily);
      await one.tick();
      await one.tick();
      assert.deepEqual(outcomes(await runs(daily)), ["03T10:00 catch-up null"]);
      assert.equal((await jobs(daily)).length, 1);
    },
  },
  {
    name: "a run that is five minutes late is not missed, but those before it are",
    async run({ make, instance, at, runs }) {
      const often = make("* * * * *");
      const one = instance(often);
      await one.tick();
      at("09:33:30.000");
      await one.tick();
      assert.deepEqual(outcomes(await runs(often)), ["31T09:33 cron null", "31T09:32 cron missed"]);
      const daily = make("0 10 * * *");
      await instance(daily).tick();
      at("10:05:00.000");
      await instance(daily).tick();
      assert.deepEqual(outcomes(await runs(daily)), ["31T10:00 cron null"]);
    },
  },
  {
    name: "after a year of absence a schedule of every minute is caught up with at once",
    async run({ make, instance, at, clock, runs }) {
      const often = make("* * * * *");
      await instance(often).tick();
      at("09:30:30.000", 365);
      await instance(often).tick();
      const [fired, missed] = await runs(often);
      assert.equal(fired?.cause, "cron");
      assert.match(missed?.error?.message ?? "", /more than 998 times/);
      assert.ok(toInstant(clock.now()).startsWith("2027-01-31T09:30"));
    },
  },
  {
    name: "a changed pattern or time zone starts anew: what the old one had left is neither fired nor missed",
    async run({ make, instance, at, runs, row }) {
      const hourly = make("0 * * * *");
      await instance(hourly).tick();
      at("15:30:00.000");
      const daily: Schedule = { ...hourly, pattern: "0 9 * * *" };
      await instance(daily).tick();
      assert.deepEqual(await runs(hourly), []);
      assert.equal((await row(hourly)).nextAt, "2026-02-01T09:00:00.000Z");
      await instance({ ...daily, timezone: "Asia/Tokyo" }).tick();
      assert.equal((await row(hourly)).nextAt, "2026-02-01T00:00:00.000Z");
    },
  },
  {
    name: "two versions of one schedule side by side lose no time of either",
    async run({ make, instance, at, runs }) {
      const old = make("0 11 * * *", { overlap: "queue" });
      const before = instance(old);
      await before.tick();
      const after = instance({ ...old, pattern: "0 12 * * *" });
      await after.tick();
      for (const time of ["11:00:00.000", "12:00:00.000"]) {
        at(time);
        await before.tick();
        await after.tick();
      }
      assert.deepEqual(outcomes(await runs(old)).sort(), ["31T11:00 cron null", "31T12:00 cron null"]);
    },
  },
  {
    name: "a schedule that nobody declares any more is not fired, is retired after three minutes, and starts anew when it is back",
    async run({ make, instance, at, clock, runs, row }) {
      const [gone, stays] = [make("0 * * * *"), make("0 * * * *", { overlap: "queue" })];
      await instance(gone, stays).tick();
      const one = instance(stays);
      clock.move(3 * MINUTE);
      await one.tick();
      assert.equal((await row(gone)).nextAt, "2026-01-31T10:00:00.000Z");
      clock.move(2 * MINUTE);
      await one.tick();
      assert.equal((await row(gone)).nextAt, null);
      at("10:00:00.000");
      await one.tick();
      assert.deepEqual(await runs(gone), []);
      assert.equal((await runs(stays)).length, 1);
      at("15:30:00.000");
      await instance(gone).tick();
      assert.deepEqual(await runs(gone), []);
      assert.equal((await row(gone)).nextAt, "2026-01-31T16:00:00.000Z");
      clock.move(30 * MINUTE);
      await instance(gone).tick();
      assert.equal((await runs(gone)).length, 1);
    },
  },
  {
    name: "while a schedule is paused nothing is due, and one that has been deleted is declared again",
    async run({ db, make, instance, at, runs, row }) {
      const hourly = make("0 * * * *");
      const one = instance(hourly);
      await one.tick();
      const { schedules } = db.tables;
      await db.atomic((tx) => [
        tx.update(schedules).set({ pausedAt: "2026-01-31T09:30:00.000Z" }).where(eq(schedules.id, hourly.name)),
      ]);
      at("15:30:00.000");
      await one.tick();
      assert.deepEqual(await runs(hourly), []);
      await db.atomic((tx) => [tx.delete(schedules).where(eq(schedules.id, hourly.name))]);
      await one.tick();
      assert.equal((await row(hourly)).nextAt, "2026-01-31T16:00:00.000Z");
    },
  },
  {
    name: "after one look by a clock that was a day ahead a schedule begins anew, and misses none of the times that come",
    async run({ make, instance, at, clock, runs, lines, row }) {
      const often = make("*/10 * * * *", { overlap: "queue" });
      const daily = make("0 9 * * *");
      const one = instance(often, daily);
      await one.tick();
      clock.move(DAY);
      await one.tick();
      assert.deepEqual(outcomes(await runs(daily)), ["01T09:00 cron missed"]);
      clock.move(-DAY);
      await one.tick();
      const warned = ({ schedule, msg }: Record<string, unknown>) =>
        schedule === often.name && /clock that is wrong/.test(String(msg));
      assert.equal(lines.filter(warned).length, 1);
      assert.equal((await row(often)).nextAt, "2026-01-31T09:40:00.000Z");
      const fired = ["01T09:30 cron null"];
      assert.deepEqual(outcomes(await runs(often)), fired);
      assert.deepEqual(outcomes(await runs(daily)), []);
      for (let i = 1; i <= 6; i++) {
        at(`${i < 3 ? "09" : "10"}:${(3 + i) % 6}0:00.000`);
        await one.tick();
      }
      assert.equal((await runs(often)).length, 7);
      for (const time of ["09:00:00.000", "09:20:00.000", "09:30:00.000", "09:40:00.000"]) {
        at(time, 1);
        await one.tick();
      }
      assert.equal(lines.filter(warned).length, 1);
      assert.deepEqual(outcomes(await runs(daily)), ["01T09:00 cron null"]);
      assert.deepEqual(outcomes(await runs(often)).slice(0, 2), ["01T09:40 cron null", ...fired]);
    },
  },
  {
    name: "beside a process whose clock is behind every time is fired once",
    async run({ make, instance, clock, runs, jobs }) {
      const often = make("* * * * *", { overlap: "queue" });
      const one = instance(often);
      await one.tick();
      for (let i = 0; i < 5; i++) {
        clock.move(MINUTE);
        await one.tick();
        clock.move(-10 * MINUTE);
        await one.tick();
        clock.move(10 * MINUTE);
        await one.tick();
      }
      const fired = (await runs(often)).filter(({ outcome }) => outcome === null);
      assert.equal(fired.length, 5);
      assert.equal((await jobs(often)).length, 5);
    },
  },
  {
    name: "readiness is told of a time that lies back and was looked after by nobody",
    async run({ make, instance, at }) {
      const hourly = make("0 * * * *");
      const one = instance(hourly);
      await one.tick();
      at("10:05:00.000");
      assert.equal(await one.fault(), null);
      at("10:05:00.001");
      assert.equal(await one.fault(), `${hourly.name} was due at 2026-01-31T10:00:00.000Z`);
      await one.tick();
      assert.equal(await one.fault(), null);
    },
  },
];
