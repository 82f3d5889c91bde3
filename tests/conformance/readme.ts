/** The tables in README.md about what runs where, each between two marks. The suite writes the matrix itself. */
import { readFile, writeFile } from "node:fs/promises";
import { row, runtimes, table } from "./cells.ts";

const readme = new URL("../../README.md", import.meta.url);
const blocks = {
  matrix: /(<!-- matrix -->\n)([\s\S]*?)(<!-- \/matrix -->)/,
  drivers: /(<!-- drivers -->\n)([\s\S]*?)(<!-- \/drivers -->)/,
};
type Block = keyof typeof blocks;

export async function written(name: Block): Promise<string | null> {
  return blocks[name].exec(await readFile(readme, "utf8"))?.[2]?.trim() ?? null;
}

export async function write(name: Block, table: string): Promise<void> {
  const text = await readFile(readme, "utf8");
  if (!blocks[name].test(text)) throw new Error(`README.md has no marks for ${name}`);
  await writeFile(
    readme,
    text.replace(blocks[name], (_, begin, _old, end) => `${begin}\n${table}\n\n${end}`),
  );
}

/** Throws for a table that is not of a whole and clean run, so that README never says more than was seen. */
export async function writeMatrix(matrix: string): Promise<void> {
  if (withoutCounts(matrix) !== declared())
    throw new Error("this run was not whole and clean: README.md stays as it is");
  await write("matrix", matrix);
}

/** Which cells there are, and why the others are not, without how many cases passed. */
export const withoutCounts = (matrix: string): string => matrix.replace(/✓ \d+/g, "✓");
export const declared = (): string => table(runtimes.map((runtime) => row(runtime, () => "✓")));
