/** A D1 database for commands: that of this machine, which `wrangler dev` uses too, or the one at Cloudflare, as whoever is logged in to wrangler. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createD1Client, type D1Database, type D1Statement } from "../src/ports/db/d1.ts";
import type { Db } from "../src/ports/db/port.ts";
import { createSqliteDb } from "../src/ports/db/sqlite.ts";
import { askNode } from "./ask-node.ts";
import { wranglerConfig } from "./wrangler.ts";

export interface D1Place {
  remote: boolean;
  /** The environment of wrangler.toml. */
  env: string | undefined;
  /** Where the one of this machine is kept. */
  persistTo: string | undefined;
}

/** What the Node process is told first, and what it is asked then. */
export interface D1Options {
  configPath: string;
  persist: string;
}
export interface D1Query {
  text: string;
  params: unknown[];
}
export type D1Question = { all: D1Query } | { batch: D1Query[] };

const script = fileURLToPath(new URL("./d1.node.ts", import.meta.url));
const root = fileURLToPath(new URL("../", import.meta.url));
const { CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID, XDG_CONFIG_HOME } = process.env;
const login = { CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID, XDG_CONFIG_HOME };

export async function openD1({ remote, env, persistTo }: D1Place): Promise<Db> {
  const { d1_databases } = env === undefined ? wranglerConfig : (wranglerConfig.env?.[env] ?? {});
  const database = d1_databases?.find(({ binding }) => binding === "DB");
  if (!database) throw new Error(`wrangler.toml binds no D1 database as DB${env ? ` in ${env}` : ""}.`);
  const folder = mkdtempSync(join(tmpdir(), "hearth-d1-"));
  const configPath = join(folder, "wrangler.json");
  const config = { name: "hearth-command", compatibility_date: wranglerConfig.compatibility_date };
  writeFileSync(configPath, JSON.stringify({ ...config, d1_databases: [{ ...database, remote }] }));
  const node = askNode(script, remote ? login : { CLOUDFLARE_CF_FETCH_ENABLED: "false" });
  const close = async () => {
    await node.end();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const persist = join(persistTo ?? join(root, ".wrangler/state"), "v3");
    await node.tell({ configPath, persist } satisfies D1Options);
  } catch (error) {
    await close();
    throw error;
  }
  return { ...createSqliteDb("d1", createD1Client(bindingOf((question) => node.tell(question)))), close };
}

function bindingOf(ask: (question: D1Question) => Promise<unknown>): D1Database {
  const queries = new WeakMap<D1Statement, D1Query>();
  function statement(query: D1Query): D1Statement {
    const made: D1Statement = {
      bind: (...params) => statement({ ...query, params }),
      raw: () => ask({ all: query }) as Promise<unknown[][]>,
    };
    queries.set(made, query);
    return made;
  }
  return {
    prepare: (text) => statement({ text, params: [] }),
    batch: (list) => ask({ batch: list.map((one) => queries.get(one) as D1Query) }) as ReturnType<D1Database["batch"]>,
  };
}
