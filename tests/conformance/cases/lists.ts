/** What a list can be asked for: limits, counts, filters, fields, cursors and conditional reads. */
import { expect } from "bun:test";
import type { Case } from "../world.ts";
import { crowdOf, ofCrowd, query, type Row, walk } from "./crowd.ts";

export const listCases: Case[] = [
  {
    name: "limit is 20 when it is not given, from 1 to 100, and decimal digits alone",
    async run(world) {
      const { api } = world.admin;
      await crowdOf(world);
      expect((await api("GET", "/v1/users")).data).toHaveLength(20);
      for (const limit of [1, 7, 100]) expect((await api("GET", query({ limit }))).data).toHaveLength(limit);
      for (const limit of [
        "0",
        "101",
        "-1",
        "1.5",
        "0x10",
        "1e1",
        " 5",
        "5 ",
        "+5",
        "٣",
        "",
        "NaN",
        "Infinity",
        "9".repeat(40),
      ]) {
        const answer = await api("GET", query({ limit }));
        expect([limit, answer.status, answer.json.errors?.[0]?.pointer]).toEqual([limit, 422, "/limit"]);
      }
    },
  },
  {
    name: "count=exact tells the number of all rows of the filter on every page, and without it nothing is counted",
    async run(world) {
      const { mark } = await crowdOf(world);
      const { api } = world.admin;
      const [first, last] = [`${mark}.000@example.com`, `${mark}.119@example.com`];
      const found = await api("GET", query({ count: "exact", "filter[email][eq]": first }));
      expect(found.json.meta.page).toEqual({ limit: 20, next: null, total: 1 });
      const { rows, metas } = await walk(api, { count: "exact", limit: 50, "filter[role][eq]": "user" });
      expect(new Set(metas.map(({ total }) => total))).toEqual(new Set([rows.length]));
      const plain = await api("GET", query({ "filter[email][eq]": last }));
      expect(plain.json.meta.page).toEqual({ limit: 20, next: null });
      expect((await api("GET", query({ count: "all" }))).status).toBe(422);
    },
  },
  {
    name: "each filter finds exactly the rows that it says",
    async run(world) {
      const { mark, ids } = await crowdOf(world);
      const { api } = world.admin;
      const all = (await walk(api, { limit: 100 })).rows;
      const middle = ofCrowd(all, ids)[60]?.createdAt ?? "";
      const email = `${mark}.042@example.com`;
      const filters: [Record<string, string>, (row: Row) => boolean][] = [
        [{ "filter[email][eq]": email }, (row) => row.email === email],
        [{ "filter[email][eq]": email.toUpperCase() }, (row) => row.email === email],
        [{ "filter[role][eq]": "admin" }, (row) => row.role === "admin"],
        [{ "filter[role][in]": "admin,user" }, () => true],
        [{ "filter[role][in]": "user" }, (row) => row.role === "user"],
        [{ "filter[createdAt][gt]": middle }, (row) => row.createdAt > middle],
        [{ "filter[createdAt][gte]": middle }, (row) => row.createdAt >= middle],
        [{ "filter[createdAt][lt]": middle }, (row) => row.createdAt < middle],
        [{ "filter[createdAt][lte]": middle }, (row) => row.createdAt <= middle],
        [{ "filter[createdAt][gte]": "0001-01-01T00:00:00.000Z" }, () => true],
        [
          {
            "filter[createdAt][gte]": middle,
            "filter[createdAt][lt]": "9999-01-01T00:00:00.000Z",
            "filter[role][eq]": "admin",
          },
          (row) => row.createdAt >= middle && row.role === "admin",
        ],
        [{ "filter[email][eq]": "nobody@example.com" }, () => false],
      ];
      for (const [filter, fits] of filters) {
        const { rows } = await walk(api, { ...filter, limit: 100 });
        const found = rows.map(({ id }) => id).toSorted();
        expect([filter, found]).toEqual([
          filter,
          all
            .filter(fits)
            .map(({ id }) => id)
            .toSorted(),
        ]);
      }
    },
  },
  {
    name: "a filter, sort or field that is not declared, or has a value that it cannot have, is 422 and names the parameter",
    async run({ admin }) {
      const wrong: [string, string][] = [
        ["filter[hash][eq]", "x"],
        ["filter[name][eq]", "x"],
        ["filter[email][ne]", "a@b.cd"],
        ["filter[email]", "a@b.cd"],
        ["filter[email][eq]", "not an address"],
        ["filter[role][eq]", "root"],
        ["filter[role][in]", ""],
        ["filter[role][in]", "admin,,user"],
        ["filter[createdAt][gt]", "yesterday"],
        ["filter[createdAt][gt]", "2026-02-30T00:00:00.000Z"],
        ["filter[createdAt][gt]", "2026-01-01"],
        ["filter[createdAt][gte]", "0000-01-01T00:00:00.000Z"],
        ["filter[__proto__][eq]", "x"],
        ["sort", "role"],
        ["sort", "name,email"],
        ["sort", "--name"],
        ["sort", "name;drop table users"],
        ["sort", ""],
        ["fields", "hash"],
        ["fields", "id,nope"],
        ["fields", ""],
        ["cursor", ""],
        ["offset", "5"],
        ["filter[role][in]", Array(60).fill("user").join()],
        ["filter[email][eq]", "a\u0000@b.cd"],
      ];
      for (const [name, value] of wrong) {
        const answer = await admin.api("GET", query({ [name]: value }));
        expect([name, value, answer.status]).toEqual([name, value, 422]);
        expect(answer.json.errors[0]).toMatchObject({ in: "query" });
        expect(answer.json.errors[0].pointer).toStartWith(`/${name}`);
      }
    },
  },
  {
    name: "a parameter that is given twice is 422",
    async run({ admin }) {
      for (const text of ["limit=1&limit=2", "sort=name&sort=email", "filter[role][eq]=user&filter[role][eq]=admin"]) {
        const answer = await admin.api("GET", `/v1/users?${text}`);
        expect([text, answer.status]).toEqual([text, 422]);
      }
    },
  },
  {
    name: "fields cuts each row down to those and the id",
    async run({ admin }) {
      const { data } = await admin.api("GET", query({ fields: "email,role", limit: 3 }));
      for (const row of data) expect(Object.keys(row).toSorted()).toEqual(["email", "id", "role"]);
      const all = await admin.api("GET", query({ fields: "id", limit: 1, sort: "email" }));
      expect(Object.keys(all.data[0])).toEqual(["id"]);
      expect(all.json.meta.page.next).toBeString();
    },
  },
  {
    name: "a cursor that was changed, forged, or made for another order or filter is 400",
    async run(world) {
      const { api } = world.admin;
      await crowdOf(world);
      const { next } = (await api("GET", query({ limit: 1, sort: "email" }))).json.meta.page as { next: string };
      expect((await api("GET", query({ limit: 5, sort: "email", fields: "id", cursor: next }))).status).toBe(200);
      const first = next.startsWith("A") ? "B" : "A";
      const forged = btoa(JSON.stringify(["a", world.owner.id])).replace(/=+$/, "");
      const wrong: Record<string, string>[] = [
        { sort: "email", cursor: `${next}x` },
        { sort: "email", cursor: next.slice(0, -4) },
        { sort: "email", cursor: `${first}${next.slice(1)}` },
        { sort: "email", cursor: forged },
        { sort: "email", cursor: "x" },
        { sort: "email", cursor: "%" },
        { sort: "email", cursor: "null" },
        { sort: "-email", cursor: next },
        { sort: "name", cursor: next },
        { cursor: next },
        { sort: "email", cursor: next, "filter[role][eq]": "user" },
      ];
      for (const params of wrong) {
        const answer = await api("GET", query(params));
        expect([params, answer.status, answer.json.code]).toEqual([params, 400, "invalid_cursor"]);
      }
    },
  },
  {
    name: "a list has an entity tag, is 304 to whoever has it, and has another one when a row has changed",
    async run(world) {
      const made = await world.account();
      const path = query({ "filter[email][eq]": made.email });
      const { api } = world.admin;
      const etag = (await api("GET", path)).headers.get("etag") ?? "";
      expect(etag).toMatch(/^W\/"[^"]+"$/);
      for (const tag of [etag, `"x", ${etag}`, etag.slice(2), "*"]) {
        const answer = await api("GET", path, { headers: { "if-none-match": tag } });
        expect([tag, answer.status, answer.text, answer.headers.get("etag")]).toEqual([tag, 304, "", etag]);
      }
      await api("PATCH", `/v1/users/${made.id}`, { body: { name: "Changed" } });
      const changed = await api("GET", path, { headers: { "if-none-match": etag } });
      expect(changed.status).toBe(200);
      expect(changed.headers.get("etag")).not.toBe(etag);
    },
  },
];
