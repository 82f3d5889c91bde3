import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { AppError } from "../../src/core/error.ts";
import { newId } from "../../src/core/id.ts";
import { createBunSql } from "../../src/ports/db/bun-sql.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import { createPgDb } from "../../src/ports/db/pg.ts";
import { type Db, must } from "../../src/ports/db/port.ts";
import { createPostgres } from "../../src/ports/db/postgres.ts";
import type { PostgresDriver } from "../helpers/databases.ts";
import { type OwnDatabase, ownDatabase, poolOf, serverAnswers } from "../helpers/postgres.ts";
import { type ProxyMode, proxyTo, type TcpProxy } from "../helpers/proxy.ts";
import { shortest } from "../helpers/time.ts";

/** When work has ended at the latest, over a statement timeout: a margin of 1 s, ticks of 0.5 s, and a busy machine. */
const MARGIN_MS = 3000;
/** A connection that is being made when the network comes back is given up after 4 s. */
const RECOVERY_MS = 8000;

const hasServer = await serverAnswers();
const faults: unknown[] = [];
const note = (error: unknown) => void faults.push(error);

function through(proxy: TcpProxy, url: string): string {
  const proxied = new URL(url);
  proxied.hostname = "127.0.0.1";
  proxied.port = String(proxy.port);
  return proxied.href;
}

const proxyOf = (url: string) => proxyTo({ host: new URL(url).hostname, port: Number(new URL(url).port || 5432) });

/** A list that is folded and one that is pipelined, a read and a ping: each on its own way to the server. */
function oneOfEach(db: Db): Promise<unknown>[] {
  const { users } = db.tables;
  const id = newId("user");
  const made = { id, email: `${id}@example.com`, name: "Ada", role: "user" as const };
  return [
    db.ping(),
    db.all(db.prepare((q) => q.select({ id: users.id }).from(users).limit(1))(), { fresh: true }),
    db.atomic((tx) => [tx.insert(users).values(made)]),
    db.atomic((tx) => [
      must(tx.insert(users).values({ ...made, id: `${id}2`, email: `${id}2` })),
      tx.select({ name: users.name }).from(users).limit(1),
    ]),
  ];
}

async function outcomes(work: Promise<unknown>[]) {
  const since = performance.now();
  const settled = await Promise.allSettled(work);
  const codes = settled.map((s) =>
    s.status === "fulfilled" ? "ok" : s.reason instanceof AppError ? s.reason.code : String(s.reason),
  );
  return { codes: [...new Set(codes)], ms: performance.now() - since };
}

/** Until the work succeeds; how long that took, in milliseconds. */
async function recovered(work: () => Promise<unknown>[]): Promise<number> {
  const since = performance.now();
  while (performance.now() - since < 15_000) {
    const { codes } = await outcomes(work());
    if (codes.length === 1 && codes[0] === "ok") return performance.now() - since;
  }
  throw new Error("it did not recover");
}

const drivers: [string, PostgresDriver][] = [
  ["Bun.SQL", createBunSql],
  ["postgres.js", createPostgres],
];
describe.skipIf(!hasServer).each(drivers)("PostgreSQL going away, %s", (_, driver) => {
  let own: OwnDatabase;
  let proxy: TcpProxy;
  let db: Db;

  const connections = async () => {
    const [row] = await own.sql`
      select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'hearth'`;
    return row?.n as number;
  };
  /** A pool that was replaced has a second to end its connections. */
  async function untilAtMost(most: number) {
    const deadline = performance.now() + 4000;
    while ((await connections()) > most && performance.now() < deadline) {}
    expect(await connections()).toBeLessThanOrEqual(most);
  }
  const open = (overrides = {}) =>
    createPgDb({
      engine: "postgres",
      primary: driver({ ...poolOf(through(proxy, own.url)), ...overrides }),
    });

  beforeAll(async () => {
    process.on("unhandledRejection", note);
    process.on("uncaughtException", note);
    own = await ownDatabase();
    proxy = await proxyOf(own.url);
  });
  beforeEach(async () => {
    faults.length = 0;
    db = open();
    await migrate(db);
    const { users } = db.tables;
    const id = newId("user");
    await db.atomic((tx) => [tx.insert(users).values({ id, email: id, name: "Ada", role: "user" })]);
  });
  afterEach(async () => {
    await proxy.set("pass");
    await db.close();
    expect(faults).toEqual([]);
  });
  afterAll(async () => {
    await proxy.close();
    await own.drop();
    process.off("unhandledRejection", note);
    process.off("uncaughtException", note);
  });

  async function reopen(overrides: { statementTimeoutMs: number }) {
    await db.close();
    db = open(overrides);
  }

  // The default timeout is waited for once; the others prove the same with a shorter one.
  const modes: [ProxyMode, number][] = [
    ["refuse", 1000],
    ["reset", 1000],
    ["halfopen", 1000],
    ["blackhole", 5000],
  ];
  for (const [mode, statementTimeoutMs] of modes) {
    test(`${mode}: work is told unavailable in time, and all of it recovers by itself`, async () => {
      await reopen({ statementTimeoutMs });
      await outcomes(Array.from({ length: 10 }, () => oneOfEach(db)).flat());
      const inFlight = Array.from({ length: 8 }, () => db.all(sleepFor(db, 0.3), { fresh: true }));
      await proxy.set(mode);
      const { codes, ms } = await outcomes([...inFlight, ...Array.from({ length: 10 }, () => oneOfEach(db)).flat()]);
      expect(codes).toEqual(["unavailable"]);
      expect(ms).toBeLessThan(statementTimeoutMs + MARGIN_MS);
      const again = await outcomes(oneOfEach(db));
      expect(again.codes).toEqual(["unavailable"]);
      expect(again.ms).toBeLessThan(statementTimeoutMs + MARGIN_MS);
      await proxy.set("pass");
      expect(await recovered(() => oneOfEach(db))).toBeLessThan(RECOVERY_MS);
      // More work than the pool has connections: none of them was lost.
      expect((await outcomes(Array.from({ length: 20 }, () => oneOfEach(db)).flat())).codes).toEqual(["ok"]);
      await untilAtMost(5);
    }, 60_000);
  }

  test("one dead connection among live ones does not keep its place in the pool", async () => {
    await reopen({ statementTimeoutMs: 1000 });
    await outcomes(Array.from({ length: 20 }, () => oneOfEach(db)).flat());
    const held = proxy.open();
    await proxy.set("halfopen");
    const lost = outcomes([db.ping()]);
    await proxy.set("pass");
    expect((await lost).codes).toEqual(["unavailable"]);
    expect(await recovered(() => Array.from({ length: 5 }, () => oneOfEach(db)).flat())).toBeLessThan(RECOVERY_MS);
    expect(held).toBeGreaterThan(0);
  }, 30_000);

  test("connections that the server ends in the middle of their work are replaced", async () => {
    const reads = [1, 2].map(() => db.all(sleepFor(db, 5), { fresh: true }));
    const lists = [1, 2, 3].map(() =>
      db.atomic((tx) => [
        must(tx.insert(db.tables.auditEntries).values(entry())),
        tx.select({ slept: sql`pg_sleep(5)::text` }).from(sql`(select 1) as one`),
      ]),
    );
    const settled = outcomes([...reads, ...lists]);
    while ((await asleep()) < 5) {}
    await terminate();
    expect((await settled).codes).toEqual(["unavailable"]);
    expect(await recovered(() => oneOfEach(db))).toBeLessThan(2000);
    const { auditEntries } = db.tables;
    expect(
      await db.all(
        db.prepare((q) =>
          q.select({ id: auditEntries.id }).from(auditEntries).where(eq(auditEntries.entityType, entry().entityType)),
        )(),
        { fresh: true },
      ),
    ).toEqual([]);
  }, 30_000);

  const entry = () => ({ id: newId("aud"), actorType: "system", action: "a", entityType: "t", entityId: "e" });

  const asleep = async () => {
    const [row] = await own.sql`
      select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;
    return row?.n as number;
  };

  const terminate = () => own.sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'hearth'`;

  test("a storm of ended connections loses no list's promise and no connection", async () => {
    for (let round = 0; round < 8; round++) {
      const settled = outcomes(Array.from({ length: 10 }, () => oneOfEach(db)).flat());
      await terminate();
      const { codes } = await settled;
      for (const code of codes) expect(["ok", "unavailable"]).toContain(code);
    }
    expect(await recovered(() => Array.from({ length: 20 }, () => oneOfEach(db)).flat())).toBeLessThan(3000);
    await untilAtMost(5);
  }, 60_000);

  test("a statement that runs too long is ended by the server and told as unavailable", async () => {
    await reopen({ statementTimeoutMs: 300 });
    const { codes, ms } = await outcomes([db.all(sleepFor(db, 30), { fresh: true })]);
    expect(codes).toEqual(["unavailable"]);
    expect(ms).toBeLessThan(1500);
    expect((await outcomes(oneOfEach(db))).codes).toEqual(["ok"]);
  });

  test("more slow work than the pool has connections waits its turn", async () => {
    const { codes } = await outcomes(Array.from({ length: 15 }, () => db.all(sleepFor(db, 0.3), { fresh: true })));
    expect(codes).toEqual(["ok"]);
  });

  test("closing waits for the work that has begun, and refuses more as unavailable", async () => {
    const last = oneOfEach(db);
    await db.close();
    expect((await outcomes(oneOfEach(db))).codes).toEqual(["unavailable"]);
    expect((await outcomes(last)).codes).toEqual(["ok"]);
    await untilAtMost(0);
  });
});

const sleepFor = (db: Db, seconds: number) =>
  db.prepare((q) =>
    q.select({ slept: sql`pg_sleep(${sql.placeholder("seconds")})::text` }).from(sql`(select 1) as one`),
  )({
    seconds,
  });

describe.skipIf(!hasServer)(hasServer ? "Replicas" : "Replicas (no server answers)", () => {
  let primary: OwnDatabase;
  let replica: OwnDatabase;
  let proxy: TcpProxy;
  let db: Db;
  let now = 0;

  // Two databases that were never connected stand for a primary and a replica, so that each read shows where it went.
  beforeAll(async () => {
    [primary, replica] = await Promise.all([ownDatabase(), ownDatabase()]);
    proxy = await proxyOf(replica.url);
    for (const [name, { url }] of Object.entries({ primary, replica })) {
      const own = createPgDb({ engine: "postgres", primary: createPostgres(poolOf(url)) });
      await migrate(own);
      await own.atomic((tx) => [tx.insert(own.tables.users).values({ id: "one", email: "e", name, role: "user" })]);
      await own.close();
    }
  });
  beforeEach(() => {
    db = createPgDb({
      engine: "postgres",
      primary: createPostgres(poolOf(primary.url)),
      replicas: [createPostgres({ ...poolOf(through(proxy, replica.url)), statementTimeoutMs: 500 })],
      clock: { now: () => now },
    });
  });
  afterEach(async () => {
    await proxy.set("pass");
    await db.close();
  });
  afterAll(async () => {
    await proxy.close();
    await Promise.all([primary.drop(), replica.drop()]);
  });

  const nameSeen = async (fresh: boolean) => {
    const { users } = db.tables;
    const [row] = await db.all(
      db.prepare((q) => q.select({ name: users.name }).from(users).where(eq(users.id, "one")))(),
      {
        fresh,
      },
    );
    return row?.name;
  };

  test("a read goes to the replica, and a fresh one to the primary", async () => {
    expect(await nameSeen(false)).toBe("replica");
    expect(await nameSeen(true)).toBe("primary");
  });

  test("a read falls back to the primary while the replica is down, and returns when it has rested", async () => {
    await proxy.set("refuse");
    expect(await nameSeen(false)).toBe("primary");
    await proxy.set("pass");
    expect(await nameSeen(false)).toBe("primary");
    now += 10_000;
    expect(await nameSeen(false)).toBe("replica");
  });

  test("a replica that swallows answers is waited for once", async () => {
    expect(await nameSeen(false)).toBe("replica");
    await proxy.set("blackhole");
    expect(await nameSeen(false)).toBe("primary");
    const take = async () => {
      const since = performance.now();
      expect(await nameSeen(false)).toBe("primary");
      return performance.now() - since;
    };
    expect(await shortest(200, take)).toBeLessThan(200);
  }, 20_000);

  test("a fault of the statement itself is not tried a second time on the primary", async () => {
    const nonsense = db.prepare((q) => q.select({ x: sql`nothing` }).from(sql`nowhere`));
    await expect(db.all(nonsense(), { fresh: false })).rejects.toThrow("nowhere");
  });
});
