import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";

const own = new URL("../../src/ports/db/", import.meta.url);

test("the packed cluster was made by the PGlite that is installed (bun scripts/pglite-cluster.ts)", () => {
  const { version } = JSON.parse(
    readFileSync(new URL("../../node_modules/@electric-sql/pglite/package.json", import.meta.url), "utf8"),
  );
  expect(readFileSync(new URL("cluster.version", own), "utf8").trim()).toBe(version);
  expect(existsSync(new URL("cluster.tar.br", own))).toBe(true);
});
