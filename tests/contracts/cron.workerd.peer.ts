/** Run by Node: the cases of cron.ts in workerd, whose main file is cron.worker.peer.ts. Prints each with its fault, or null. */
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";

process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.WRANGLER_SEND_METRICS = "false";
const main = fileURLToPath(new URL("./cron.worker.peer.ts", import.meta.url));
const config = { name: "cron", main, compatibility_date: "2026-11-17", compatibility_flags: ["nodejs_compat"] };
const harness = createTestHarness({ root: fileURLToPath(new URL(".", import.meta.url)), workers: [{ config }] });
const { url } = await harness.listen();
console.log(await (await fetch(url)).text());
await harness.close();
process.exit(0);
