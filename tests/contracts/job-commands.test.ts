import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { systemClock, toInstant } from "../../src/core/clock.ts";
import { idPrefixes, newId } from "../../src/core/id.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createFileClient } from "../../src/ports/db/sqlite-file.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle, PermanentError } from "../../src/ports/queue/define.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { countCancelled } from "../../src/ports/queue/minutes.ts";
import { createJobReads } from "../../src/ports/queue/operate.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { createWorker } from "../../src/ports/queue/worker.ts";
import { runScript } from "../helpers/command.ts";
import { temporaryFolder } from "../helpers/databases.ts";

const folder = temporaryFolder();
const file = join(folder.path, "test.db");
const log = createConsoleLog({ level: "silent", print: () => {} });
let db: Db;

const jobs = (...args: string[]) =>
  runScript("jobs", args, { cwd: folder.path, env: { DATABASE_URL: `sqlite:${file}` } });
const json = async (...args: string[]) => {
  const { code, out, err } = await jobs(...args, "--json");
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out);
};

const mail = defineJob({
  name: "mail.send",
  queue: "mail",
  input: z.object({ to: z.string(), password: z.string() }),
});

beforeAll(async () => {
  db = createSqliteDb("sqlite", createFileClient(openBunSqlite(file)));
  await migrate(db);
});
afterAll(async () => {
  await db.close();
  folder.remove();
});
beforeEach(async () => {
  await db.atomic((tx) => [
    tx.prepare((q, { jobs }) => q.delete(jobs))(),
    tx.prepare((q, { jobQueues }) => q.delete(jobQueues))(),
  ]);
});

const enqueue = (n: number) =>
  createQueue({ db, clock: systemClock }).addMany(
    mail,
    Array.from({ length: n }, (_, i) => ({ to: `a${i}@example.com`, password: "hunter2-of-the-input" })),
  );
async function dead(n: number): Promise<string[]> {
  const ids = await enqueue(n);
  const refuse = handle(mail, () => {
    throw new PermanentError("the server said no");
  });
  const worker = createWorker({
    store: createJobStore(db),
    handlers: [refuse],
    dispatch: databaseDispatch,
    events: createJobEvents({ log }),
    clock: systemClock,
    log,
    concurrency: 1000,
  });
  while ((await worker.runOnce()) > 0);
  await worker.stop(0);
  return ids;
}
const stateOf = async (id: string | undefined) => (await createJobReads(db).find(id ?? ""))?.state;
const audits = async (action: string) =>
  (await db.all(db.prepare((q, { auditEntries }) => q.select().from(auditEntries))(), { fresh: true })).filter(
    (entry) => entry.action === action,
  );

describe("jobs", () => {
  test("--help tells every command, and what is wrong is told in one line with where to read on", async () => {
    const help = await jobs("--help");
    expect([help.code, help.err]).toEqual([0, ""]);
    for (const name of "list show retry retry-dead cancel purge watch queues rates pause resume drain".split(" "))
      expect(help.out).toMatch(new RegExp(`^ {2}${name} `, "m"));
    for (const line of help.out.split("\n")) expect(line.length).toBeLessThan(120);
    const faults: [string[], string][] = [
      [["bogus"], 'There is no command "bogus".'],
      [["show", "nope"], '"nope" is no id of a job.'],
      [["show", "job_01kfyb0m7ve4z9q2x8c5h3n6t1"], "There is no job job_01kfyb0m7ve4z9q2x8c5h3n6t1"],
      [["retry"], "`retry` needs a <id>."],
      [["purge", "--state", "done"], "`purge` needs --state and --older-than."],
      [["purge", "--state", "active", "--older-than", "1d"], "--state is not as expected"],
      [["purge", "--state", "done", "--older-than", "soon"], "--older-than has to be a time"],
      [["list", "--state", "lost"], "--state is not as expected"],
      [["list", "--attempts", "3"], "`list` does not take --attempts."],
      [["list", "--limit", "0"], "--limit has to be a whole number from 1."],
      [["list", "--since", "2026-02-31"], "--since has to be a time such as 2h"],
      [["list", "--since", "999999d"], "--since has to be a time such as 2h"],
      [["list", "--since", "+012026-01-01T00:00:00Z"], "--since has to be a time such as 2h"],
      [["list", "--since", "yesterday"], "--since has to be a time such as 2h"],
      [["pause", "a", "b"], '`pause` does not take "b".'],
      [["drain", "mail"], "pass --yes"],
      [["watch", "mail.send"], '`watch` does not take "mail.send".'],
      [["watch", "--name", "a b"], "--name is not as expected"],
      [["watch"], "have no bus between them: set REDIS_URL"],
      [["--wrong"], "Unknown option '--wrong'."],
    ];
    const told = await Promise.all(faults.map(([args]) => jobs(...args)));
    for (const [i, { code, out, err }] of told.entries()) {
      expect({ args: faults[i]?.[0], code, out }).toEqual({ args: faults[i]?.[0], code: 1, out: "" });
      expect(err).toContain(faults[i]?.[1] as string);
      expect(err.trim().split("\n")).toHaveLength(1);
    }
  }, 60_000);

  test("list and show tell of jobs, without what looks like a credential", async () => {
    const [first] = await dead(3);
    await enqueue(120);
    const { out } = await jobs("list", "--state", "failed", "--since", "1h");
    expect(out.split("\n")[0]).toMatch(/^ID +STATE +TYPE +QUEUE +ATTEMPT +MADE +ERROR$/);
    expect(out).toContain(`${first}  failed`);
    expect(out).toContain("1/5");
    expect(out).toContain("error: the server said no");
    expect(await json("list", "--name", "mail.send", "--limit", "110")).toHaveLength(110);
    expect(await json("list", "--queue", "other")).toEqual([]);
    expect(await json("list", "--since", "2026-01-31")).not.toEqual([]);
    expect(await json("list", "--since", "9999-12-31T23:59:59+02:00")).toEqual([]);
    const shown = await jobs("show", first ?? "");
    expect(shown.out).toContain('"password": "[redacted]"');
    expect(shown.out).toContain("a0@example.com");
    expect(shown.out).not.toContain("hunter2");
    expect(await json("show", first ?? "")).toMatchObject({ id: first, state: "failed", queue: "mail" });
  }, 30_000);

  test("retry runs one again, and retry-dead all of a type, however many, each written down as the system's", async () => {
    const ids = await dead(1_300);
    const one = await jobs("retry", ids[0] ?? "", "--attempts", "2", "--reason", "the server is back");
    expect(one.out).toBe(`${ids[0]} runs again, with 2 further attempts.\n`);
    expect(await stateOf(ids[0])).toBe("waiting");
    const twice = await jobs("retry", ids[0] ?? "");
    expect([twice.code, twice.err]).toEqual([1, "Only failed and cancelled jobs run again; this one is waiting.\n"]);
    expect((await jobs("retry-dead", "mail.send", "--limit", "99")).out).toBe("99 jobs of mail.send run again.\n");
    expect(await json("retry-dead", "mail.send")).toEqual({ jobs: 1_200, more: false });
    expect(await json("list", "--state", "failed")).toEqual([]);
    const [entry] = await audits("job.retry");
    expect(entry).toMatchObject({
      actorType: "system",
      actorId: "command",
      entityId: ids[0],
      reason: "the server is back",
    });
    expect((await audits("job.retry-dead")).length).toBeGreaterThanOrEqual(2);
  }, 30_000);

  test("cancel, pause, queues, drain and resume do what they say", async () => {
    const ids = await enqueue(5);
    expect((await jobs("cancel", ids[0] ?? "")).out).toBe(`${ids[0]} is cancelled.\n`);
    expect(await stateOf(ids[0])).toBe("cancelled");
    expect((await jobs("pause", "mail")).out).toBe("The queue mail is paused.\n");
    const { out } = await jobs("queues");
    expect(out).toMatch(/^QUEUE +WAITING +OLDEST /);
    expect(out).toMatch(/^mail +paused +4 +\d/m);
    expect((await jobs("drain", "mail", "--yes")).out).toBe("4 jobs of the queue mail cancelled.\n");
    expect((await jobs("resume", "mail")).out).toBe("The queue mail goes on.\n");
    expect(await json("queues")).toMatchObject([
      { name: "mail", pausedAt: null, counts: { waiting: 0, cancelled: 5 } },
    ]);
  }, 30_000);

  test("rates tells what was done in each minute, newest first, however many there are", async () => {
    const at = (ago: number) => toInstant(Date.parse("2026-01-31T09:30:00.000Z") - ago * 60_000);
    const ended = (name: string) => ({ id: newId(idPrefixes.job), name, queue: "rated", attempt: 0 });
    for (let ago = 0; ago < 105; ago++) await countCancelled(db, at(ago), [ended("a.type"), ended("a.type")]);
    await countCancelled(db, at(3), [ended("b.type")]);
    const all = await json("rates", "rated", "--limit", "1000");
    expect(all).toHaveLength(106);
    expect(new Set(all.map(({ id }: { id: string }) => id)).size).toBe(106);
    expect(all[0]).toMatchObject({ minute: at(0), name: "a.type", cancelled: 2, wait: { count: 0 } });
    expect(await json("rates", "rated")).toHaveLength(60);
    expect(await json("rates", "rated", "--since", at(9))).toHaveLength(11);
    const { out } = await jobs("rates", "rated", "--name", "b.type");
    expect(out).toMatch(
      /^MINUTE +TYPE +DONE +RETRIED +DIED +CANCELLED +WAIT p50 .*\n2026-01-31T09:27 +b\.type +0 +0 +0 +1 +–/,
    );
    expect((await jobs("rates", "other")).out).toBe("Nothing happened in this queue then.\n");
  }, 30_000);

  test("drain takes as many requests as it needs", async () => {
    await enqueue(10_003);
    const before = (await audits("queue.drain")).length;
    expect(await json("drain", "mail", "--yes")).toEqual({ jobs: 10_003, more: false });
    expect(await json("queues")).toMatchObject([{ counts: { waiting: 0, cancelled: 10_003 } }]);
    expect((await audits("queue.drain")).length).toBe(before + 2);
  }, 30_000);

  test("purge deletes those that ended so long ago", async () => {
    const ids = await dead(3);
    expect((await jobs("purge", "--state", "failed", "--older-than", "1h")).out).toBe("0 jobs deleted.\n");
    expect((await jobs("purge", "--state", "done", "--older-than", "0s")).out).toBe("0 jobs deleted.\n");
    expect((await jobs("purge", "--state", "failed", "--older-than", "0s", "--limit", "1")).out).toBe(
      "1 job deleted.\n",
    );
    expect((await jobs("purge", "--state", "failed", "--older-than", "0s")).out).toBe("2 jobs deleted.\n");
    expect(await stateOf(ids[0])).toBeUndefined();
  }, 30_000);
});
