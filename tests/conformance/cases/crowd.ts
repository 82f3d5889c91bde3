/** A crowd of accounts to list, and the walk over a list from its first page to its last. */
import { expect } from "bun:test";
import type { Client, Json } from "../../helpers/client.ts";
import { unique, type World } from "../world.ts";

export type Row = { id: string; email: string; name: string; role: string; createdAt: string };

export const query = (params: Record<string, string | number>) =>
  `/v1/users?${new URLSearchParams(Object.entries(params).map(([name, value]): [string, string] => [name, `${value}`]))}`;

/** Every row, in the order of the list, and what the pages said of themselves. */
export async function walk(
  api: Client,
  params: Record<string, string | number>,
  between?: (rows: readonly Row[]) => Promise<void>,
) {
  const rows: Row[] = [];
  const metas: Json[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const { status, json } = await api("GET", query({ ...params, ...(cursor && { cursor }) }));
    expect(status).toBe(200);
    rows.push(...json.data);
    metas.push(json.meta.page);
    cursor = json.meta.page.next;
    await between?.(rows);
  }
  return { rows, metas };
}

/** 120 accounts: of each two neighbours one has a name of its own, the other shares its name with 59. */
async function crowd({ account }: World): Promise<{ mark: string; ids: Set<string> }> {
  const mark = unique();
  const ids = new Set<string>();
  for (let batch = 0; batch < 12; batch++) {
    const made = await Promise.all(
      Array.from({ length: 10 }, (_, i) => {
        const n = String(batch * 10 + i).padStart(3, "0");
        const role = i === 0 ? "admin" : "user";
        return account({ email: `${mark}.${n}@example.com`, name: i % 2 ? `${mark} ${n}` : mark, role });
      }),
    );
    for (const { id } of made) ids.add(id);
  }
  return { mark, ids };
}

const crowds = new WeakMap<World, ReturnType<typeof crowd>>();
/** Made once for all cases that only look at it. */
export const crowdOf = (world: World) => {
  const known = crowds.get(world) ?? crowd(world);
  crowds.set(world, known);
  return known;
};

/** The rows of the crowd, whose values compare alike in every collation: they differ in digits alone. */
export const ofCrowd = (rows: readonly Row[], ids: ReadonlySet<string>) => rows.filter(({ id }) => ids.has(id));
