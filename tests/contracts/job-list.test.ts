import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fromInstant, toInstant } from "../../src/core/clock.ts";
import { newId } from "../../src/core/id.ts";
import type { Filter, ListInput } from "../../src/core/page.ts";
import { jobPages } from "../../src/modules/jobs/list.ts";
import { jobRules } from "../../src/modules/jobs/policy.ts";
import { redactJob } from "../../src/modules/jobs/redact.ts";
import { userRules } from "../../src/modules/users/policy.ts";
import { caslAbilities } from "../../src/policy/casl.ts";
import { where } from "../../src/policy/where.ts";
import type { Opened } from "../helpers/databases.ts";
import { engines } from "../helpers/engines.ts";

const system = caslAbilities({ users: userRules, jobs: jobRules }).abilityFor({ type: "system", id: "test" });

describe.each(engines)("the list of jobs on $name", ({ open }) => {
  let opened: Opened;
  const ids: string[] = [];
  const now = toInstant(Date.now());
  beforeAll(async () => {
    opened = await open();
    for (let i = 0; i < 100; i++) ids.push(newId("job"));
    const rows = ids.map((id, i) => ({
      id,
      createdAt: toInstant(fromInstant(now) + i),
      name: i % 25 === 0 ? "rare" : "common",
      queue: "default",
      state: i % 25 === 0 || i % 2 === 0 ? ("done" as const) : ("failed" as const),
      runAt: now,
      input: {},
      inputVersion: 1,
      maxAttempts: 1,
    }));
    for (let i = 0; i < rows.length; i += 5)
      await opened.db.atomic((tx) => [tx.insert(opened.db.tables.jobs).values(rows.slice(i, i + 5))]);
  }, 60_000);
  afterAll(() => opened.done());

  /** Walks to the end; each page's ids. */
  async function walk(window: number, filters: Filter[], descending = true, limit = 3): Promise<string[][]> {
    const page = jobPages(opened.db, window);
    const condition = where(system, "list", "Job", {});
    const input: ListInput = {
      limit,
      sort: { field: "id", descending },
      after: null,
      filters,
      fields: null,
      count: true,
    };
    const found: string[][] = [];
    for (;;) {
      const { items, more, next } = await page(input, condition, { fresh: true });
      found.push(items.map(({ id }) => id));
      if (!more) return found;
      const last = items.at(-1)?.id;
      input.after = next ?? { value: last ?? "", id: last ?? "" };
    }
  }
  const eq = (field: string, value: unknown): Filter => ({ field, op: "eq", value });

  test("a page looks at a window of jobs alone, and a walk meets each that is asked for once", async () => {
    const rare = ids.filter((_, i) => i % 25 === 0);
    for (const descending of [true, false]) {
      const pages = await walk(10, [eq("name", "rare")], descending);
      expect(pages.flat()).toEqual(descending ? rare.toReversed() : rare);
      expect(pages.length).toBeGreaterThanOrEqual(9);
      expect(pages.some((page) => page.length === 0)).toBe(true);
      expect((await walk(1_000, [eq("name", "rare")], descending)).length).toBe(2);
    }
    for (const window of [1, 2, 3, 7, 99, 100, 101]) expect((await walk(window, [])).flat()).toEqual(ids.toReversed());
  });

  test("states with an index of their own are found without a window, done ones within it", async () => {
    const failed = ids.filter((_, i) => i % 25 !== 0 && i % 2 === 1);
    const pages = await walk(1, [eq("state", "failed"), eq("name", "common")], true, 20);
    expect(pages.map(({ length }) => length)).toEqual([20, 20, failed.length - 40]);
    expect(pages.flat()).toEqual(failed.toReversed());
    expect((await walk(10, [eq("state", "done"), eq("name", "rare")])).flat()).toHaveLength(4);
  });

  test("what is asked of createdAt bounds what is looked at", async () => {
    const at = (i: number) => toInstant(fromInstant(now) + i);
    const between: Filter[] = [
      { field: "createdAt", op: "gte", value: at(10) },
      { field: "createdAt", op: "lt", value: at(20) },
    ];
    expect((await walk(1_000, between)).flat()).toEqual(ids.slice(10, 20).toReversed());
    const tomorrow = toInstant(fromInstant(now) + 86_400_000);
    expect(await walk(1, [{ field: "createdAt", op: "gt", value: tomorrow }])).toEqual([[]]);
  });
});

test("what a job was given is shown without secrets, by name and by form, at any depth", () => {
  let deep: unknown = "bottom";
  for (let i = 0; i < 5_000; i++) deep = [deep];
  const input = {
    to: "ada@example.com",
    password: "p1",
    list: [{ apiKey: "k1", accessToken: null, hasSecret: true }],
    text: "see postgres://me:s3cret@db/x and Authorization: Bearer abcdefghijkl",
    deep,
  };
  const shown = redactJob({ input, result: { token: "t1" }, progress: null, uniqueKey: "mail password=u1" });
  expect(shown.input).toMatchObject({
    to: "ada@example.com",
    password: "[redacted]",
    list: [{ apiKey: "[redacted]", accessToken: null, hasSecret: true }],
  });
  const text = JSON.stringify(shown);
  for (const secret of ["p1", "k1", "s3cret", "abcdefghijkl", "t1", "u1", "bottom"]) expect(text).not.toContain(secret);
  expect(input.password).toBe("p1");
});
