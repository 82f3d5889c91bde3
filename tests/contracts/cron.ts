/** When patterns are due, the same under every runtime. docs/guides/schedule.md tells of these. */
import assert from "node:assert/strict";
import { z } from "zod";
import { defineJob } from "../../src/ports/queue/define.ts";
import { MOST, parseCron } from "../../src/ports/schedule/cron.ts";
import { checkSchedules, schedule } from "../../src/ports/schedule/define.ts";

/** The times of a pattern in Berlin on one day, as UTC tells them. */
function onDay(pattern: string, day: string): string[] {
  const cron = parseCron(pattern, "Europe/Berlin");
  const found: string[] = [];
  // From midnight to midnight in Berlin, whose offset differs between the two.
  const begin = new Date(`${day}T00:00:00Z`).getTime();
  const date = new Intl.DateTimeFormat("sv", { timeZone: "Europe/Berlin" });
  for (let at = cron.next(new Date(begin - 3 * 3_600_000).toISOString()); at; at = cron.next(at)) {
    const local = date.format(new Date(at));
    if (local > day) return found;
    if (local === day) found.push(at.slice(11, 16));
  }
  return found;
}

/** In the night of this day 02:00 is followed by 03:00. */
const GAP = "2026-03-29";
/** In the night of this day the hour from 02:00 to 03:00 comes twice. */
const TWICE = "2026-10-25";

const job = defineJob({ name: "case.cron", input: z.object({ to: z.string() }) });
const input = { to: "all" };

export const cronCases: { name: string; run(): void }[] = [
  {
    name: "a time of the day that the change to summer leaves out comes at the first moment after the gap, once",
    run() {
      assert.deepEqual(onDay("30 2 * * *", GAP), ["01:00"]);
      assert.deepEqual(onDay("0 2 * * *", GAP), ["01:00"]);
      assert.deepEqual(onDay("30 2,14 * * *", GAP), ["01:00", "12:30"]);
      assert.deepEqual(onDay("0 1-4 * * *", GAP), ["00:00", "01:00", "02:00"]);
      assert.deepEqual(onDay("0 3 * * *", GAP), ["01:00"]);
    },
  },
  {
    name: "also where the gap ends at midnight, and the day to which the time belongs with it",
    run() {
      const following = (pattern: string, after: string, timezone = "America/Nuuk") => {
        const cron = parseCron(pattern, timezone);
        const [first, second] = [cron.next(after), cron.next(cron.next(after) ?? "")];
        return [first, second].map((at) => at?.slice(5, 16));
      };
      const before = "2026-03-28T12:00:00.000Z";
      // On the 28th the clock goes from 23:00 to 00:00, at one in the morning of UTC.
      for (const pattern of ["30 23 * * *", "0,30 23 * * *"])
        assert.deepEqual(following(pattern, before)[0], "03-29T01:00", pattern);
      assert.deepEqual(following("30 23 * * *", before), ["03-29T01:00", "03-30T00:30"]);
      assert.deepEqual(following("30 23 * * *", before, "America/Scoresbysund"), ["03-29T01:00", "03-30T00:30"]);
      assert.deepEqual(following("0 0 * * *", before), ["03-29T01:00", "03-30T01:00"]);
      assert.deepEqual(following("30 23 28 3 *", "2025-06-01T00:00:00.123Z"), ["03-29T01:00", "03-29T00:30"]);
      // An interval is left out.
      assert.deepEqual(following("*/30 23 * * *", before)[0], "03-30T00:00");
    },
  },
  {
    name: "fields may stand apart by any white space, with more of it around them",
    run() {
      for (const pattern of ["  30 2 * * * ", "30\t2 *\t\t* *"]) assert.deepEqual(onDay(pattern, GAP), ["01:00"]);
      const [spaced, plain] = [" 30\t23 * * *", "30 23 * * *"].map((pattern) => parseCron(pattern, "America/Nuuk"));
      const before = "2026-03-28T12:00:00.000Z";
      assert.equal(spaced?.next(before), plain?.next(before));
    },
  },
  {
    name: "a time of the day that occurs twice when summer ends comes the first time alone",
    run() {
      assert.deepEqual(onDay("30 2 * * *", TWICE), ["00:30"]);
      assert.deepEqual(onDay("30 2,14 * * *", TWICE), ["00:30", "13:30"]);
      assert.deepEqual(onDay("0 1-4 * * *", TWICE), ["23:00", "00:00", "02:00", "03:00"]);
    },
  },
  {
    name: "an interval goes on through both changes: every hour that there is, and none that there is not",
    run() {
      assert.equal(onDay("15 * * * *", GAP).length, 23);
      assert.equal(onDay("15 * * * *", TWICE).length, 25);
      assert.equal(onDay("*/30 * * * *", GAP).length, 46);
      assert.equal(onDay("*/30 * * * *", TWICE).length, 50);
      assert.deepEqual(onDay("0 */2 * * *", GAP).slice(0, 3), ["23:00", "02:00", "04:00"]);
      assert.deepEqual(onDay("0 */2 * * *", TWICE).slice(0, 4), ["22:00", "00:00", "01:00", "03:00"]);
    },
  },
  {
    name: "what lies between two times is the same through both changes, found one by one or from behind",
    run() {
      for (const day of [GAP, TWICE])
        for (const pattern of ["30 2 * * *", "0 1-4 * * *", "15 * * * *", "*/30 * * * *"]) {
          const all = onDay(pattern, day);
          const cron = parseCron(pattern, "Europe/Berlin");
          const begin = day === GAP ? "2026-03-28T22:59:59.999Z" : "2026-10-24T21:59:59.999Z";
          const end = day === GAP ? "2026-03-29T21:59:59.000Z" : "2026-10-25T22:59:59.000Z";
          const due = cron.between(begin, end);
          assert.equal(due?.count, all.length, `${pattern} on ${day}`);
          assert.deepEqual([due?.latest.slice(11, 16), due?.earlier?.slice(11, 16)], [all.at(-1), all.at(-2)]);
        }
      const minutes = parseCron("* * * * *", "Europe/Berlin").between(
        "2026-03-01T00:00:00.000Z",
        "2026-04-01T00:00:00.000Z",
      );
      assert.deepEqual(minutes, {
        first: "2026-03-01T00:01:00.000Z",
        latest: "2026-04-01T00:00:00.000Z",
        earlier: "2026-03-31T23:59:00.000Z",
        count: MOST,
      });
    },
  },
  {
    name: "between includes its end and not its beginning, to the millisecond",
    run() {
      const cron = parseCron("0 10 * * *", "UTC");
      const ten = "2026-01-31T10:00:00.000Z";
      assert.equal(cron.between("2026-01-31T09:59:59.999Z", ten)?.latest, ten);
      assert.equal(cron.between("2026-01-31T09:00:00.000Z", "2026-01-31T09:59:59.999Z"), null);
      assert.equal(cron.between(ten, "2026-02-01T09:59:59.999Z"), null);
    },
  },
  {
    name: "a wrong pattern, time zone, input or name stops the start, and every fault is told with its schedule's name",
    run() {
      const wrong: Record<string, [string, object]> = {
        "too.many.minutes": ["61 * * * *", {}],
        "a.late.month": ["0 3 * 13 *", {}],
        "a.late.day": ["0 3 32 * *", {}],
        "too.few.fields": ["0 3 * *", {}],
        "with.seconds": ["0 0 3 * * *", {}],
        "a.date": ["2027-01-01T00:00:00", {}],
        "the.start": ["? 3 * * *", {}],
        "at.reboot": ["@reboot", {}],
        never: ["0 0 30 2 *", {}],
        "on.mars": ["0 3 * * *", { timezone: "Mars/Base" }],
        "no.zone": ["0 3 * * *", { timezone: "" }],
        "an.offset": ["0 3 * * *", { timezone: "+02:00" }],
        "a.bad.input": ["0 3 * * *", { input: { to: 7 } }],
        "no.time": ["0 3 * * *", { timeoutMs: 0 }],
        "no.end": ["0 3 * * *", { timeoutMs: Number.POSITIVE_INFINITY }],
        "half.before": ["0 3 * * *", { priority: 1.5 }],
        "a name": ["0 3 * * *", {}],
      };
      const declared = Object.entries(wrong).map(([name, [pattern, spec]]) =>
        schedule(pattern, job, { name, input, ...spec }),
      );
      const right = schedule("@daily", job, { input });
      let message = "";
      try {
        checkSchedules([...declared, right, right]);
      } catch (error) {
        message = (error as Error).message;
      }
      const lines = message.split("\n").slice(1);
      assert.deepEqual(
        lines.map((line) => line.trim().split(":")[0]),
        [...Object.keys(wrong), "case.cron"],
      );
      assert.match(message, /on\.mars: "Mars\/Base" is no time zone/);
      assert.match(message, /too\.many\.minutes: "61 \* \* \* \*" is no cron pattern: its minute cannot be "61"/);
      assert.match(message, /a\.late\.month: .*: its month cannot be "13"/);
      assert.match(message, /a\.late\.day: .*: its day of the month cannot be "32"/);
      assert.match(message, /the\.start: "\? 3 \* \* \*" .*"\*" stands for every value/);
      assert.match(message, /a\.bad\.input: .*\/to/);
      assert.match(message, /case\.cron: two schedules have this name/);
      assert.ok(checkSchedules([right]).has("case.cron"));
    },
  },
];
