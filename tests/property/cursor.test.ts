/** Pages by cursor neither skip nor repeat a row, whatever is written between them, on both dialects. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm/sql";
import fc from "fast-check";
import type { Tables } from "../../db/tables.ts";
import { newId } from "../../src/core/id.ts";
import type { ListInput, Position } from "../../src/core/page.ts";
import { cursorCodec, scopeOf } from "../../src/http/cursor.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { pages } from "../../src/ports/db/page.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { nodeHmac } from "../../src/runtimes/hmac.ts";
import { type Opened, openPglite, openSqlite } from "../helpers/databases.ts";

const cursors = cursorCodec(nodeHmac(new Uint8Array(32).fill(7)));

const sortable = ({ users }: Tables) => ({
  id: users.id,
  createdAt: users.createdAt,
  name: users.name,
  version: users.version,
});
type Row = { id: string; createdAt: string; name: string; version: number };
const fields = ["id", "createdAt", "name", "version"] as const;

// Few values, so that many rows share one. They hold what orders differ on: cases, accents, and characters that UTF-16 and UTF-8 order
// differently.
const names = ["", " ", "10", "9", "B", "a", "b", "é", "e\u0301", "\ue000", "\u{1f600}", "%_'\\"];
const times = ["0001-01-01T00:00:00.000Z", "2026-01-31T09:30:00.000Z", "2026-01-31T09:30:00.001Z"];
const versions = [1, 2, 10, 2 ** 31 - 1];

const content = fc.record({
  name: fc.constantFrom(...names),
  createdAt: fc.constantFrom(...times),
  version: fc.constantFrom(...versions),
});
/** What happens while the nth page is read: rows come, and some go (told by a number that picks one of those that are there). */
const meanwhile = fc.record({ come: fc.array(content, { maxLength: 4 }), go: fc.array(fc.nat(), { maxLength: 2 }) });

const walks = fc.record({
  rows: fc.array(content, { maxLength: 25 }),
  limit: fc.integer({ min: 1, max: 6 }),
  sort: fc.record({ field: fc.constantFrom(...fields), descending: fc.boolean() }),
  events: fc.array(meanwhile, { maxLength: 8 }),
});

/** More than there can be rows in a run: whoever meets more pages goes in a circle. */
const MAX_PAGES = 25 + 8 * 4 + 1;

function listOf(db: Db) {
  const { users } = db.tables;
  const page = pages<Row>(db, {
    columns: sortable,
    from: (q, _, columns) => q.select(columns as never).from(users) as never,
  });
  const all = { key: "all", sql: undefined, values: {} };
  return {
    async add(contents: Omit<Row, "id">[]): Promise<string[]> {
      const rows = contents.map((one) => ({ ...one, id: newId("user"), email: newId("user"), role: "user" as const }));
      if (rows.length > 0) await db.atomic((tx) => [tx.insert(users).values(rows)]);
      return rows.map(({ id }) => id);
    },
    remove: (ids: string[]) => db.atomic((tx) => ids.map((id) => tx.delete(users).where(eq(users.id, id)))),
    clear: () => db.atomic((tx) => [tx.delete(users)]),
    page: (input: ListInput) => page(input, all, { fresh: true }),
  };
}

describe.each([
  ["PGlite", () => openPglite("memory", openBunSqlite)],
  ["SQLite", () => openSqlite("memory", openBunSqlite)],
])("pages on %s", (_, open: () => Promise<Opened>) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open();
  }, 30_000);
  afterAll(() => opened?.done());

  test("a walk meets every row that is there from its beginning to its end once, and none twice, while others come and go", async () => {
    const list = listOf(opened.db);
    await fc.assert(
      fc.asyncProperty(walks, async ({ rows, limit, sort, events }) => {
        await list.clear();
        const first = await list.add(rows);
        const there = [...first];
        const gone = new Set<string>();
        const met: Row[] = [];
        let input: ListInput = { limit, sort, after: null, filters: [], fields: null, count: false };
        for (let n = 0; ; n++) {
          const { come = [], go = [] } = events[n] ?? {};
          const leaving = there.length > 0 ? [...new Set(go.map((i) => there[i % there.length] as string))] : [];
          for (const id of leaving) gone.add(id);
          // Sent together: the engine decides what the page sees of it.
          const [page, added] = await Promise.all([list.page(input), list.add(come), list.remove(leaving)]);
          there.push(...added);
          met.push(...page.items);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          expect(n).toBeLessThan(MAX_PAGES);
          const last = page.items.at(-1);
          if (!page.more || !last) break;
          const cursor = cursors.encode({ value: last[sort.field], id: last.id }, scopeOf("/rows", input));
          input = { ...input, after: cursors.decode(cursor, scopeOf("/rows", input)) };
          expect(input.after).not.toBeNull();
        }
        const ids = met.map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
        expect(first.filter((id) => !gone.has(id) && !ids.includes(id))).toEqual([]);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  test("each order is the reverse of the other, and the same in pages of any size", async () => {
    const list = listOf(opened.db);
    await fc.assert(
      fc.asyncProperty(walks, async ({ rows, limit, sort: { field } }) => {
        await list.clear();
        await list.add(rows);
        const walk = async (descending: boolean, size: number) => {
          const ids: string[] = [];
          for (let after: Position | null = null; ; ) {
            const { items, more } = await list.page({
              limit: size,
              sort: { field, descending },
              after,
              filters: [],
              fields: null,
              count: false,
            });
            ids.push(...items.map(({ id }) => id));
            const last = items.at(-1);
            expect(ids.length).toBeLessThanOrEqual(rows.length);
            if (!more || !last) return ids;
            after = { value: last[field], id: last.id };
          }
        };
        const whole = await walk(false, 100);
        expect(whole).toHaveLength(rows.length);
        expect(await walk(false, limit)).toEqual(whole);
        expect(await walk(true, limit)).toEqual(whole.toReversed());
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

describe("cursors", () => {
  const positions = fc.record({
    value: fc.oneof(fc.string({ unit: "binary", maxLength: 80 }), fc.integer()),
    id: fc.constantFrom("user_01kfyb0m7ve4z9q2x8c5h3n6t1"),
  });
  const isWellFormed = ({ value }: Position) => typeof value === "number" || value.isWellFormed();

  test("a cursor is read as it was written, for the list that it was made for alone", () => {
    fc.assert(
      fc.property(positions.filter(isWellFormed), fc.string(), fc.string(), (position, scope, other) => {
        const cursor = cursors.encode(position, scope);
        expect(cursors.decode(cursor, scope)).toEqual(position);
        if (other !== scope) expect(cursors.decode(cursor, other)).toBeNull();
      }),
    );
  });

  test("a cursor that was changed anywhere, cut off, or made with another key is none", () => {
    const foreign = cursorCodec(nodeHmac(new Uint8Array(32).fill(8)));
    fc.assert(
      fc.property(positions.filter(isWellFormed), fc.nat(), fc.constantFrom(..."AQgw09-_"), (position, at, letter) => {
        const cursor = cursors.encode(position, "scope");
        const i = at % cursor.length;
        const changed = `${cursor.slice(0, i)}${letter}${cursor.slice(i + 1)}`;
        // The bits that fill up the last letter say nothing.
        const found = changed === cursor ? null : cursors.decode(changed, "scope");
        expect(found === null || (i === cursor.length - 1 && Bun.deepEquals(found, position))).toBe(true);
        expect(cursors.decode(cursor.slice(0, i), "scope")).toBeNull();
        expect(foreign.decode(cursor, "scope")).toBeNull();
      }),
    );
  });

  test("no text that was not made here is a cursor, and none is a fault", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => expect(cursors.decode(text, "scope")).toBeNull()));
  });
});
