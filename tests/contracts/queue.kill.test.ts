/** Workers in processes of their own, which are killed, stopped and cut off. What ran is told by a table that they write to. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/core/clock.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { type OpenedPostgres, openPostgres } from "../helpers/databases.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { proxyTo } from "../helpers/proxy.ts";
import { work } from "./queue.kill.ts";

const hasServer = await serverAnswers();
/** How long the database is cut off. The promise is 30 s, which is more than a minute for CI. */
const CUT_MS = Number(process.env.TEST_QUEUE_CUT_MS ?? 4_000);
const JOBS = Number(process.env.TEST_QUEUE_JOBS ?? 10_000);
const KILLS = 10;

describe.skipIf(!hasServer)("workers on PostgreSQL", () => {
  let own: OpenedPostgres;
  let db: Db;
  const peers = new Set<ReturnType<typeof spawn>>();

  function spawn(url = own.url, concurrency = 10) {
    const command = [process.execPath, `${import.meta.dir}/queue.kill.peer.ts`, url, own.url, String(concurrency)];
    const peer = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
    peers.add(peer);
    void peer.exited.then(() => peers.delete(peer));
    return peer;
  }
  const started = async (peer: ReturnType<typeof spawn>) => {
    await peer.stdout.getReader().read();
    return peer;
  };
  const enqueue = (count: number, ms: number) =>
    createQueue({ db, clock: systemClock }).addMany(
      work,
      Array.from({ length: count }, (_, n) => ({ n, ms })),
    );
  async function figures() {
    const [row] = await own.sql<{ runs: number; jobs: number; done: number; other: number }[]>`
      select (select count(*)::int from ran) as runs, (select count(distinct n)::int from ran) as jobs,
        (select count(*)::int from jobs where state = 'done') as done, (select count(*)::int from jobs where state <> 'done') as other`;
    return row as NonNullable<typeof row>;
  }
  async function until(ms: number, isSo: () => Promise<boolean>): Promise<number> {
    const since = performance.now();
    while (!(await isSo())) {
      if (performance.now() - since > ms)
        throw new Error(`it is not so after ${ms} ms: ${JSON.stringify(await figures())}`);
      await Bun.sleep(50);
    }
    return performance.now() - since;
  }
  /** Whether the server has ended every connection by which the process left evidence. */
  async function hasLeft(pid: number): Promise<boolean> {
    const [open] = await own.sql<{ n: number }[]>`
      select count(*)::int as n from pg_stat_activity where pid in (select backend from ran where ran.pid = ${pid})`;
    return open?.n === 0;
  }
  const done = async (count: number) => (await figures()).done >= count;

  beforeEach(async () => {
    own = await openPostgres();
    db = own.db;
    await own.sql`create table ran (n int not null, attempt int not null, pid int not null, backend int not null)`;
  });
  afterEach(async () => {
    for (const peer of peers) peer.kill("SIGKILL");
    await Promise.all([...peers].map((peer) => peer.exited));
    await own.done();
  });

  test("of 10,000 jobs whose workers are killed every second none is lost, and no more run twice than were held at the kills", async () => {
    await enqueue(JOBS, 25);
    const workers = await Promise.all(Array.from({ length: 4 }, () => started(spawn())));
    const victims: number[] = [];
    let inFlight = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await Bun.sleep(900);
      const victim = workers.shift() as (typeof workers)[number];
      victims.push(victim.pid);
      victim.kill("SIGKILL");
      await victim.exited;
      // What it had sent is still carried out, which takes as long as the disk does.
      await Bun.sleep(100);
      await until(20_000, () => hasLeft(victim.pid));
      const [held] = await own.sql<{ n: number }[]>`
        select count(*)::int as n from ran join jobs on (jobs.input ->> 'n')::int = ran.n and jobs.attempt = ran.attempt
        where ran.pid = ${victim.pid} and jobs.state = 'active'`;
      inFlight += held?.n ?? 0;
      workers.push(spawn());
    }
    const drained = await until(60_000, () => done(JOBS));
    const { runs, jobs, other } = await figures();
    expect({ jobs, other }).toEqual({ jobs: JOBS, other: 0 });
    const ofOthers = await own.sql`
      select n, attempt, pid from ran where pid <> all(${victims})
        and exists (select from ran as later where later.n = ran.n and later.attempt > ran.attempt)`;
    expect([...ofOthers]).toEqual([]);
    expect(runs - JOBS).toBeGreaterThan(0);
    expect(runs - JOBS).toBeLessThanOrEqual(inFlight);
    console.log(`drained ${Math.round(drained)} ms after the last kill; ${runs - JOBS} extra runs`);
  }, 120_000);

  test("workers that are told to stop lose none, and none runs twice", async () => {
    await enqueue(3_000, 20);
    const workers = await Promise.all([started(spawn()), started(spawn())]);
    for (let stop = 0; stop < 4; stop++) {
      await Bun.sleep(400);
      const stopping = workers.shift() as (typeof workers)[number];
      stopping.kill("SIGTERM");
      workers.push(spawn());
      expect(await stopping.exited).toBe(0);
    }
    await until(30_000, () => done(3_000));
    expect(await figures()).toEqual({ runs: 3_000, jobs: 3_000, done: 3_000, other: 0 });
  }, 60_000);

  test(
    "workers that lose the database wait for it and go on; nothing is lost and nothing runs twice",
    async () => {
      const { hostname, port } = new URL(own.url);
      const proxy = await proxyTo({ host: hostname, port: Number(port || 5432) });
      const url = new URL(own.url);
      url.hostname = "127.0.0.1";
      url.port = String(proxy.port);
      await enqueue(2_000, 10);
      await started(spawn(url.href));
      await until(20_000, () => done(200));
      await proxy.set("refuse");
      await Bun.sleep(CUT_MS);
      const meanwhile = (await figures()).done;
      expect(meanwhile).toBeLessThan(2_000);
      await proxy.set("pass");
      const again = await until(15_000, () => done(meanwhile + 1));
      await until(30_000, () => done(2_000));
      console.log(`went on ${Math.round(again)} ms after the database was back`);
      expect(await figures()).toEqual({ runs: 2_000, jobs: 2_000, done: 2_000, other: 0 });
      await proxy.close();
    },
    CUT_MS + 90_000,
  );
});
