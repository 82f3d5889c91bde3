/** Runs the suite in each cell of a runtime, and afterwards prints the row of the matrix. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { type Cell, cells, nameOf, type Runtime, row } from "./cells.ts";
import { lacks, missing, type Running, startCell } from "./start.ts";
import { suite } from "./suite.ts";

const START_MS = 60_000;
const CASE_MS = 30_000;

interface Tally {
  passed: number;
  failed: number;
}

export function runSuiteOn(runtime: Runtime): void {
  const tallies = new Map<string, Tally>();
  for (const cell of cells.filter((known) => known.runtime === runtime)) {
    const reason = missing(cell);
    if (reason === null) describe(nameOf(cell), () => runCell(cell, tallies));
    else describe.skip(`${nameOf(cell)} (${reason})`, () => test("the suite", () => {}));
  }
  afterAll(() => {
    const told = (cell: Cell): string => {
      const tally = tallies.get(nameOf(cell));
      if (!tally) return missing(cell) ?? "not run";
      return tally.failed > 0 ? `✗ ${tally.failed} of ${tally.passed + tally.failed}` : `✓ ${tally.passed}`;
    };
    console.log(`\n${row(runtime, told)}`);
  });
}

function runCell(cell: Cell, tallies: Map<string, Tally>): void {
  const tally: Tally = { passed: 0, failed: 0 };
  const absent = lacks(cell);
  let running: Running;
  beforeAll(async () => {
    tallies.set(nameOf(cell), tally);
    running = await startCell(cell);
  }, START_MS);
  afterAll(() => running?.stop(), START_MS);

  for (const { name, needs = [], run } of suite) {
    const why = needs.map((need) => absent[need]).find((text) => text !== undefined);
    if (why !== undefined) test.skip(`${name} (${why})`, () => {});
    else
      test(
        name,
        async () => {
          tally.failed++;
          await run(running.world);
          tally.failed--;
          tally.passed++;
        },
        CASE_MS,
      );
  }
}
