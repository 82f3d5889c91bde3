/** Reaches a D1 database by wrangler, on Node, for a command that runs on Bun: ./d1.ts. */
import process from "node:process";
import { createInterface } from "node:readline";
import { getPlatformProxy } from "wrangler";
import type { D1Database } from "../src/ports/db/d1.ts";
import type { D1Options, D1Query, D1Question } from "./d1.ts";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const print = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

const { configPath, persist }: D1Options = JSON.parse((await lines.next()).value ?? "");
const proxy = await getPlatformProxy<{ DB: D1Database }>({ configPath, persist: { path: persist } });
print({ value: null });

const { DB } = proxy.env;
const prepared = ({ text, params }: D1Query) => DB.prepare(text).bind(...params);
const answer = (question: D1Question): Promise<unknown> =>
  "all" in question ? prepared(question.all).raw() : DB.batch(question.batch.map(prepared));

for (let line = await lines.next(); !line.done; line = await lines.next()) {
  await answer(JSON.parse(line.value)).then(
    (value) => print({ value }),
    (error) => print({ error: String(error) }),
  );
}
await proxy.dispose();
process.exit(0);
