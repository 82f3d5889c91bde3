/** The matrix in README.md, which the suite writes itself between two marks. */
import { readFile, writeFile } from "node:fs/promises";
import { row, runtimes, table } from "./cells.ts";

const readme = new URL("../../README.md", import.meta.url);
const block = /(<!-- matrix -->\n)([\s\S]*?)(<!-- \/matrix -->)/;

export async function writtenMatrix(): Promise<string | null> {
  return block.exec(await readFile(readme, "utf8"))?.[2]?.trim() ?? null;
}

/** Throws for a table that is not of a whole and clean run, so that README never says more than was seen. */
export async function writeMatrix(matrix: string): Promise<void> {
  if (withoutCounts(matrix) !== declared())
    throw new Error("this run was not whole and clean: README.md stays as it is");
  const text = await readFile(readme, "utf8");
  if (!block.test(text)) throw new Error("README.md has no marks for the matrix");
  await writeFile(
    readme,
    text.replace(block, (_, begin, _old, end) => `${begin}\n${matrix}\n\n${end}`),
  );
}

/** Which cells there are, and why the others are not, without how many cases passed. */
export const withoutCounts = (matrix: string): string => matrix.replace(/✓ \d+/g, "✓");
export const declared = (): string => table(runtimes.map((runtime) => row(runtime, () => "✓")));
