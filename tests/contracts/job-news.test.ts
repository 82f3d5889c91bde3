import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import process from "node:process";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import type { Bus } from "../../src/ports/bus/port.ts";
import { createPostgresBus } from "../../src/ports/bus/postgres.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { JOB_NEWS_TOPIC, type JobNews, publishJobNews, watchJobs } from "../../src/ports/queue/news.ts";
import type { JobEvent } from "../../src/ports/queue/port.ts";
import { type OwnDatabase, ownDatabase, serverAnswers } from "../helpers/postgres.ts";

const log = createConsoleLog({ level: "silent", print: () => {} });
const about = (n: number, name = "mail.send") => ({
  id: `job_${String(n).padStart(26, "0")}`,
  name,
  queue: "default",
  attempt: 1,
  at: "2026-01-31T09:30:00.000Z",
});
const completed = (n: number, name?: string): JobEvent => ({
  kind: "completed",
  waitMs: 1,
  runMs: 1,
  ...about(n, name),
});
const error = { code: "error", message: "the address is secret", attempt: 1 };

let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
});

/** A process that runs jobs, and one that watches. On the memory bus they are the same. */
async function pair(open: () => Bus, shared: boolean) {
  const theirs = open();
  const ours = shared ? open() : theirs;
  await Promise.all([theirs.ready(), ours.ready()]);
  const events = createJobEvents({ log });
  const source = publishJobNews({ events, bus: theirs });
  closing.push(
    () => theirs.close(),
    () => ours.close(),
    () => source.close(),
  );
  const heard: JobNews[] = [];
  const messages: string[] = [];
  ours.subscribe(JOB_NEWS_TOPIC, { message: (text) => void messages.push(text), missed: () => {} });
  watchJobs(ours, { news: (news) => heard.push(...news), missed: () => {} });
  const until = async (fits: () => boolean) => {
    for (const end = performance.now() + 5_000; !fits(); ) {
      if (performance.now() > end) throw new Error(`heard ${JSON.stringify(heard.slice(0, 5))}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const total = () => heard.reduce((sum, item) => sum + ("count" in item ? item.count : 1), 0);
  return { events, heard, messages, until, total };
}

function cases(open: () => Bus, shared: boolean) {
  test("what happens to a job is heard in another process, without what it was given or answered", async () => {
    const { events, heard, messages, until } = await pair(open, shared);
    events.emit({ kind: "started", waitMs: 1, ...about(1) });
    events.emit({ kind: "progress", value: "a private value", ...about(1) });
    events.emit({ kind: "failed", error, waitMs: 1, runMs: 1, ...about(1) });
    events.emit({ kind: "dead", error, ...about(1) });
    await until(() => heard.length >= 4);
    const { id, name, attempt } = about(1);
    expect(heard).toEqual(
      ["dead", "failed", "progress", "started"].map((kind) => ({ kind, id, name, attempt }) as JobNews),
    );
    expect(messages.join()).not.toContain("private");
    expect(messages.join()).not.toContain("secret");
  });

  test("25,000 jobs in a second are a few messages, which count them all and name the dead", async () => {
    const { events, heard, messages, until, total } = await pair(open, shared);
    const since = performance.now();
    for (let i = 0; i < 25_000; i++) {
      events.emit(completed(i, `type.${i % 3}`));
      if (i === 12_345) events.emit({ kind: "dead", error, ...about(i, "type.dead") });
      if (i % 2_500 === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await until(() => total() === 25_001);
    const windows = (performance.now() - since) / 250;
    expect(messages.length).toBeLessThanOrEqual(windows + 2);
    for (const message of messages) expect(message.length).toBeLessThan(4_000);
    expect(heard.filter(({ kind }) => kind === "dead")).toEqual([
      { kind: "dead", id: about(12_345).id, name: "type.dead", attempt: 1 },
    ]);
  }, 20_000);

  test("the progress of a job is told a few times a second, however often it reports", async () => {
    const { events, heard, until } = await pair(open, shared);
    const since = performance.now();
    for (let i = 0; i < 100; i++) {
      events.emit({ kind: "progress", value: i, ...about(1) });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    events.emit(completed(1));
    await until(() => heard.some(({ kind }) => kind === "completed"));
    const told = heard.filter(({ kind }) => kind === "progress").length;
    expect(told).toBeGreaterThanOrEqual(2);
    expect(told).toBeLessThanOrEqual((performance.now() - since) / 250 + 2);
  });

  test("names that are too many for a message are left out, and their jobs counted", async () => {
    const { events, heard, until, total } = await pair(open, shared);
    const long = "n".repeat(90);
    for (let i = 0; i < 300; i++) events.emit(completed(i, `${long}.${i}`));
    await until(() => total() === 300);
    expect(heard.filter((item) => "count" in item && item.name === null)).not.toEqual([]);
  });
}

describe("news of jobs on the memory bus", () => cases(() => createMemoryBus({ log }), false));

describe.if(await serverAnswers())("news of jobs on the bus of PostgreSQL", () => {
  let own: OwnDatabase;
  beforeAll(async () => {
    own = await ownDatabase();
  });
  afterAll(() => own.drop());
  cases(() => createPostgresBus({ url: own.url, log }), true);

  test("`jobs watch` prints them as they come, of one type if asked, until it is interrupted", async () => {
    const { events } = await pair(() => createPostgresBus({ url: own.url, log }), true);
    const script = new URL("../../scripts/jobs.ts", import.meta.url).pathname;
    const watching = Bun.spawn([process.execPath, script, "watch", "--name", "mail.send", "--json"], {
      env: { PATH: process.env.PATH ?? "", DATABASE_URL: own.url },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const begun = watching.stderr.getReader();
    expect(new TextDecoder().decode((await begun.read()).value)).toBe(
      "Watching the jobs of mail.send by postgres. Ctrl+C ends it.\n",
    );
    events.emit(completed(1, "invoice.make"));
    events.emit(completed(2));
    const { value } = await watching.stdout.getReader().read();
    watching.kill("SIGINT");
    const lines = new TextDecoder().decode(value).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { at: expect.any(String), kind: "completed", name: "mail.send", id: about(2).id, attempt: 1 },
    ]);
    expect(await watching.exited).toBe(0);
  }, 30_000);
});
