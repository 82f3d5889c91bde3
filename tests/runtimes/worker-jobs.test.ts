/** Jobs on Workers, with a queue and without one, in workerd. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Asked } from "../helpers/jobs.worker.ts";
import { type OwnDatabase, ownDatabase, serverAnswers } from "../helpers/postgres.ts";
import { startWorker, type Worker } from "../helpers/workerd.ts";

const main = "tests/helpers/jobs.worker.ts";

type Query = (text: string) => Promise<Record<string, unknown>[]>;

function client(worker: () => Worker, query: Query) {
  const ask = async (asked: Asked) => {
    const answer = await fetch(worker().url, { method: "POST", body: JSON.stringify(asked) });
    if (!answer.ok) throw new Error(JSON.stringify(await worker().logs()));
    return (await answer.json()) as { ids: string[]; runs: Record<string, number> };
  };
  const add = async (inputs: (Asked & { ask: "add" })["inputs"], more: Partial<Asked & { ask: "add" }> = {}) =>
    (await ask({ ask: "add", inputs, ...more })).ids;
  const job = async (id: string) => {
    const [row] = await query(`select state, attempt, sent_at, error from jobs where id = '${id}'`);
    return row as { state: string; attempt: number; sent_at: string | null; error: unknown };
  };
  async function until(ids: readonly string[], state: string, ms = 15_000) {
    for (const end = performance.now() + ms; ; await new Promise((resolve) => setTimeout(resolve, 30))) {
      const states = await Promise.all(ids.map(async (id) => (await job(id)).state));
      if (states.every((is) => is === state)) return;
      if (performance.now() > end)
        throw new Error(`${states}, and not ${state}: ${JSON.stringify(await worker().logs())}`);
    }
  }
  return { ask, add, job, until };
}

const hasServer = await serverAnswers();
const settings = (["d1", "PostgreSQL"] as const).flatMap((engine) => [true, false].map((queue) => ({ engine, queue })));

for (const { engine, queue } of settings) {
  describe.skipIf(engine === "PostgreSQL" && !hasServer)(`${engine}, ${queue ? "with" : "without"} a queue`, () => {
    let worker: Worker;
    let own: OwnDatabase | null = null;
    const query: Query = async (text) => (own ? [...(await own.sql.unsafe(text))] : worker.query(text));
    const { ask, add, job, until } = client(() => worker, query);
    beforeAll(async () => {
      if (engine === "PostgreSQL") own = await ownDatabase();
      const database = own ? { hyperdrive: own.url } : "d1";
      worker = await startWorker({ database, main, queue, vars: { WITH_GROUPS: "yes" } });
    }, 60_000);
    afterAll(async () => {
      await worker?.stop();
      await own?.drop();
    });

    test("what a request enqueues runs, and what that enqueues too", async () => {
      const ids = await add([{ children: 3 }, {}, {}]);
      await until(ids, "done");
      const { runs } = await ask({ ask: "runs" });
      expect(ids.map((id) => runs[id])).toEqual([1, 1, 1]);
      const all = async () => query("select id from jobs where state = 'done' and name = 'test.task'");
      for (let i = 0; (await all()).length < 6 && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 30));
      expect(await all()).toHaveLength(6);
    });

    test("more than one batch runs, each once", async () => {
      const ids = await add(Array.from({ length: 130 }, () => ({})));
      await until(ids, "done");
      const { runs } = await ask({ ask: "runs" });
      expect(ids.every((id) => runs[id] === 1)).toBe(true);
    }, 30_000);

    test("no worker is left behind", async () => {
      for (let i = 0; i < 200 && (await query("select id from job_workers")).length > 0; i++)
        await new Promise((resolve) => setTimeout(resolve, 30));
      expect(await query("select id from job_workers")).toEqual([]);
    });

    test("a group's jobs run one after the other", async () => {
      const ids = await add([{}, {}, {}], { grouped: true });
      await until(ids, "done");
    });

    test("a job that is delayed runs with the cron trigger", async () => {
      const [id = ""] = await add([{}], { delayMs: 500 });
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect((await job(id)).state).toBe("delayed");
      await worker.tick();
      await until([id], "done");
    });

    test("one that an isolate took with it runs with the cron trigger", async () => {
      const [id = ""] = await add([{}], { delayMs: 3_600_000 });
      await query(
        `update jobs set state = 'active', attempt = 1, worker_id = 'gone', started_at = created_at where id = '${id}'`,
      );
      // It comes back after up to a second, by chance also within the tick that found it.
      for (let i = 0; i < 100 && (await job(id)).state !== "done"; i++) await worker.tick();
      expect(await job(id)).toMatchObject({ state: "done", attempt: 2 });
    });
  });
}

test("an invocation stops before it has used up what D1 lets it send, and the next ones go on: each job runs once", async () => {
  const worker = await startWorker({ database: "d1", main });
  try {
    const query: Query = (text) => worker.query(text);
    const { ask, add } = client(() => worker, query);
    const ids: string[] = [];
    for (let i = 0; i < 2; i++)
      ids.push(
        ...(await add(
          Array.from({ length: 400 }, () => ({ ms: 20 })),
          { delayMs: 3_600_000 },
        )),
      );
    await query("update jobs set run_at = created_at");
    const left = async () => (await query("select id from jobs where state <> 'done'")).length;
    let ticks = 0;
    for (; (await left()) > 0 && ticks < 20; ticks++) await worker.tick();
    expect(ticks).toBeGreaterThan(1);
    const { runs } = await ask({ ask: "runs" });
    expect(ids.filter((id) => runs[id] !== 1)).toEqual([]);
    expect(await query("select id from jobs where attempt > 1")).toEqual([]);
    expect(await worker.logs()).toEqual([]);
  } finally {
    await worker.stop();
  }
}, 60_000);

test("the time after a request begins no job that it would cut short, and quick ones go on to run then", async () => {
  const worker = await startWorker({ database: "d1", main, vars: { AFTER_REQUEST_MS: "2000" } });
  try {
    const { ask, add, until } = client(
      () => worker,
      (text) => worker.query(text),
    );
    const ids = await add(Array.from({ length: 50 }, () => ({ ms: 450 })));
    await Bun.sleep(3_000);
    const left = "select id from jobs where state = 'waiting'";
    expect((await worker.query(left)).length).toBeGreaterThan(0);
    const [quick = ""] = await add([{}]);
    for (let i = 0; i < 20 && (await worker.query(left)).length > 0; i++) await add([{}]).then(() => Bun.sleep(500));
    await until([...ids, quick], "done");
    const { runs } = await ask({ ask: "runs" });
    expect(ids.filter((id) => runs[id] !== 1)).toEqual([]);
  } finally {
    await worker.stop();
  }
}, 60_000);

test.skipIf(!hasServer)(
  "a worker keeps its lease while a job's statement keeps all connections busy",
  async () => {
    const own = await ownDatabase();
    const vars = { DATABASE_POOL_SIZE: "1", DATABASE_STATEMENT_TIMEOUT_MS: "30000" };
    const worker = await startWorker({ database: { hyperdrive: own.url }, main, vars });
    try {
      const query: Query = async (text) => [...(await own.sql.unsafe(text))];
      const { add, until } = client(() => worker, query);
      const ids = await add([{ slowS: 5 }]);
      await until(ids, "active");
      const [before] = await query("select id, seen_at from job_workers");
      // It is renewed every 3 s.
      await Bun.sleep(3_500);
      const [after] = await query("select id, seen_at from job_workers");
      expect(after?.id).toBe(before?.id);
      expect(Number(after?.seen_at)).toBeGreaterThan(Number(before?.seen_at));
      await until(ids, "done");
    } finally {
      await worker.stop();
      await own.drop();
    }
  },
  60_000,
);

describe("a queue", () => {
  let worker: Worker;
  const { ask, add, job, until } = client(
    () => worker,
    (text) => worker.query(text),
  );
  beforeAll(async () => {
    worker = await startWorker({ database: "d1", main, queue: true });
  }, 60_000);
  afterAll(() => worker.stop());

  test("brings a job that has failed again when it is due, without the cron trigger, until its attempts are used up", async () => {
    const ids = await add([{ failures: 2 }, { failures: 3 }]);
    const [mends = "", dies = ""] = ids;
    await until([mends], "done");
    await until([dies], "failed");
    expect([(await job(mends)).attempt, (await job(dies)).attempt]).toEqual([3, 3]);
  }, 30_000);

  test("may bring an id twice: the job runs once", async () => {
    const [id = ""] = await add([{}]);
    await until([id], "done");
    await ask({ ask: "send", ids: [id, id, "job_unknown"] });
    const [next = ""] = await add([{}]);
    await ask({ ask: "send", ids: [next, next, next] });
    await until([next], "done");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { runs } = await ask({ ask: "runs" });
    expect([runs[id], runs[next]]).toEqual([1, 1]);
  });

  test("that does not take a job loses nothing: it is handed over later, and by the cron trigger it runs in any case", async () => {
    await ask({ ask: "break", isBroken: true });
    const [later = ""] = await add([{}]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await job(later)).toMatchObject({ state: "waiting", sent_at: null });
    await worker.tick();
    expect((await job(later)).state).toBe("done");
    const [again = ""] = await add([{}]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await ask({ ask: "break", isBroken: false });
    expect((await job(again)).state).toBe("waiting");
    await worker.tick();
    await until([again], "done");
    expect((await ask({ ask: "runs" })).runs[again]).toBe(1);
  });
});
