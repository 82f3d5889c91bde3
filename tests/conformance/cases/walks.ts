/** Lists walked page by page, while rows come and go. */
import { expect } from "bun:test";
import { type Case, unique } from "../world.ts";
import { crowdOf, ofCrowd, type Row, walk } from "./crowd.ts";

const isOnce = (rows: readonly Row[]) => expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);

const sorts: Record<string, (row: Row) => string> = {
  createdAt: ({ createdAt }) => createdAt,
  email: ({ email }) => email,
  name: ({ name }) => name,
};

export const walkCases: Case[] = [
  ...Object.entries(sorts).flatMap(([field, keyOf]) =>
    ["", "-"].map(
      (sign): Case => ({
        name: `a walk by ${sign}${field} meets each of 120 rows once, in order, also those of equal values`,
        async run(world) {
          const { ids } = await crowdOf(world);
          const { rows, metas } = await walk(world.admin.api, { sort: `${sign}${field}`, limit: 17 });
          isOnce(rows);
          const mine = ofCrowd(rows, ids);
          expect(mine).toHaveLength(ids.size);
          const keys = mine.map((row) => `${keyOf(row)}\u0000${row.id}`);
          const byValue = (a: string, b: string) => (a < b ? -1 : 1);
          expect(keys).toEqual(sign ? keys.toSorted(byValue).reverse() : keys.toSorted(byValue));
          expect(
            metas.every(({ limit, next }, i) => limit === 17 && (next === null) === (i === metas.length - 1)),
          ).toBe(true);
        },
      }),
    ),
  ),
  {
    name: "rows that are made during a walk make it neither skip nor repeat one that was there before",
    async run(world) {
      const { mark, ids } = await crowdOf(world);
      for (const sort of ["name", "-createdAt"]) {
        const { rows } = await walk(world.admin.api, { sort, limit: 25 }, async () => {
          await Promise.all([
            world.account({ name: mark }),
            world.account({ name: `${mark} 0` }),
            world.account({ name: "A" }),
          ]);
        });
        isOnce(rows);
        expect(ofCrowd(rows, ids)).toHaveLength(ids.size);
      }
    },
  },
  {
    name: "a row that goes during a walk takes no other with it, also when it is the last of a page",
    async run(world) {
      const mark = unique();
      const made = await Promise.all(Array.from({ length: 6 }, (_, i) => world.account({ name: `${mark} ${i}` })));
      const created = made.map((row) => (row as unknown as Row).createdAt).toSorted()[0] ?? "";
      const params = { sort: "name", limit: 2, "filter[createdAt][gte]": created };
      let gone: Row | null = null;
      const { rows } = await walk(world.admin.api, params, async (seen) => {
        const last = seen.at(-1);
        // Rows of others may be among them, made in the millisecond of the first of these.
        if (gone || !last?.name.startsWith(mark)) return;
        gone = last;
        await world.admin.api("DELETE", `/v1/users/${last.id}`);
      });
      expect(gone).not.toBeNull();
      const names = rows.map(({ name }) => name).filter((name) => name.startsWith(mark));
      expect(names).toEqual([0, 1, 2, 3, 4, 5].map((i) => `${mark} ${i}`));
    },
  },
];
