/** Changes that depend on the version that was read (RFC 9110, 13): `If-Match` and `If-None-Match`. */
import { expect } from "bun:test";
import { type Case, unique, type World } from "../world.ts";

type Table = Record<string, [header: (current: string) => string, status: number]>;

const forWrites: Table = {
  "the current tag": [(current) => current, 200],
  "*": [() => "*", 200],
  "a list that has the current tag": [(current) => `"x", ${current},"y"`, 200],
  "a list with a comma within a tag, and empty elements": [(current) => `,"x,y" ,, ${current},`, 200],
  "a stale tag": [() => '"999"', 412],
  "a list without the current tag": [() => '"998", "999"', 412],
  "the current tag, but weak": [(current) => `W/${current}`, 412],
  "no quotes": [(current) => current.replaceAll('"', ""), 400],
  "half a quote": [(current) => current.slice(1), 400],
  "only a comma": [() => ",", 400],
  "two tags without a comma": [(current) => `${current} ${current}`, 400],
};

const forReads: Table = {
  "the current tag": [(current) => current, 304],
  "the current tag, but weak": [(current) => `W/${current}`, 304],
  "*": [() => "*", 304],
  "a list that has the current tag": [(current) => `"x", ${current}`, 304],
  "a list of which a tag has commas": [(current) => `"x,y", "a,", ${current}`, 304],
  "another tag": [() => '"999"', 200],
  "no quotes": [() => "1", 400],
};

export const conditionalCases: Case[] = [
  ...Object.entries(forWrites).map(
    ([what, [header, status]]): Case => ({
      name: `If-Match with ${what} is ${status}${status === 200 ? "" : ", and nothing changes"}`,
      async run(world) {
        const { id, etag } = await world.account();
        const { api } = world.admin;
        const path = `/v1/users/${id}`;
        const before = (await api("GET", path)).data;
        const name = `Changed ${unique()}`;
        const answer = await api("PATCH", path, { body: { name }, headers: { "if-match": header(etag) } });
        expect(answer.status).toBe(status);
        const after = await api("GET", path);
        expect(after.data.name).toBe(status === 200 ? name : before.name);
        expect(after.headers.get("etag")).toBe(status === 200 ? '"2"' : '"1"');
        if (status === 200) expect(answer.headers.get("etag")).toBe('"2"');
        else expect(after.data).toEqual(before);
      },
    }),
  ),
  ...Object.entries(forReads).map(
    ([what, [header, status]]): Case => ({
      name: `If-None-Match with ${what} is ${status}`,
      async run({ owner }) {
        const current = (await owner.api("GET", "/v1/me")).headers.get("etag") ?? "";
        const answer = await owner.api("GET", "/v1/me", { headers: { "if-none-match": header(current) } });
        expect(answer.status).toBe(status);
        if (status !== 400) expect(answer.headers.get("etag")).toBe(current);
        if (status === 304) expect([answer.text, answer.headers.get("content-type")]).toEqual(["", null]);
      },
    }),
  ),
  {
    name: "the tag is that of the row whoever reads it, and is answered by creation and change",
    async run(world) {
      const made = await world.admin.api("POST", "/v1/users", {
        body: { email: `${unique()}@example.com`, name: "New" },
      });
      expect(made.headers.get("etag")).toBe('"1"');
      expect(made.headers.get("location")).toBe(`/v1/users/${made.data.id}`);
      expect((await world.admin.api("GET", made.headers.get("location") ?? "")).data).toEqual(made.data);
      const own = (await world.owner.api("GET", "/v1/me")).headers.get("etag");
      expect((await world.admin.api("GET", `/v1/users/${world.owner.id}`)).headers.get("etag")).toBe(own);
    },
  },
  {
    name: "a change to what it is already leaves the version and the time as they were",
    async run(world) {
      const { id, name } = await world.account();
      const before = (await world.admin.api("GET", `/v1/users/${id}`)).data;
      for (const body of [{ name }, {}]) {
        const answer = await world.admin.api("PATCH", `/v1/users/${id}`, { body });
        expect(answer.data).toEqual(before);
      }
    },
  },
  {
    name: "of twelve changes that name one version exactly one is made; the others are 412",
    async run(world: World) {
      const { id, etag } = await world.account();
      const path = `/v1/users/${id}`;
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          world.admin.api("PATCH", path, { body: { name: `Racer ${i}` }, headers: { "if-match": etag } }),
        ),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(11).fill(412)]);
      const won = answers.find(({ status }) => status === 200);
      expect((await world.admin.api("GET", path)).data).toEqual(won?.data);
      expect(won?.data.version).toBe(2);
    },
  },
  {
    name: "of twelve changes that name no version each is made or told that it was not: none is lost in silence",
    async run(world: World) {
      const { id } = await world.account();
      const path = `/v1/users/${id}`;
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, i) => world.admin.api("PATCH", path, { body: { name: `Racer ${i}` } })),
      );
      const made = answers.filter(({ status }) => status === 200);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(12 - made.length);
      expect(made.map(({ data }) => data.version).toSorted((a, b) => a - b)).toEqual(made.map((_, i) => i + 2));
      const { data } = await world.admin.api("GET", path);
      expect(data).toEqual(made.find((answer) => answer.data.version === data.version)?.data);
    },
  },
  {
    name: "a deletion takes If-Match too, and of twelve that come together one is made",
    async run(world) {
      const { id, etag } = await world.account();
      const path = `/v1/users/${id}`;
      expect((await world.admin.api("DELETE", path, { headers: { "if-match": '"7"' } })).status).toBe(412);
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => world.admin.api("DELETE", path, { headers: { "if-match": etag } })),
      );
      expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
      for (const { status } of answers) expect([204, 404, 412]).toContain(status);
    },
  },
];
