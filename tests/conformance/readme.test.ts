import { expect, test } from "bun:test";
import { driversTable } from "./drivers.ts";
import { declared, withoutCounts, written } from "./readme.ts";

test("README says of each runtime and engine what this suite runs: `bun run matrix` writes it", async () => {
  expect(withoutCounts((await written("matrix")) ?? "README.md has no marks for the matrix")).toBe(declared());
});

test("README says of each driver what it lacks: `bun run matrix --drivers` writes it", async () => {
  expect(await written("drivers")).toBe(driversTable());
});
