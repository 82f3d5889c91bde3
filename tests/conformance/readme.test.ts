import { expect, test } from "bun:test";
import { declared, withoutCounts, writtenMatrix } from "./readme.ts";

test("README says of each runtime and engine what this suite runs: `bun run matrix` writes it", async () => {
  expect(withoutCounts((await writtenMatrix()) ?? "README.md has no marks for the matrix")).toBe(declared());
});
