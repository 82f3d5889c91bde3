/** Where the service runs: each runtime with each engine of the Db port, or the reason that the two do not meet. */
import { capabilities, type Engine } from "../../src/ports/db/port.ts";
import { processRuntimes } from "../helpers/server.ts";

export const runtimes = [...processRuntimes, "workerd"] as const;
export type Runtime = (typeof runtimes)[number];
const engines = Object.keys(capabilities) as Engine[];

export const runtimeNames: Record<Runtime, string> = {
  bun: "Bun",
  node22: "Node 22",
  node24: "Node 24",
  workerd: "workerd",
};
export const engineNames: Record<Engine, string> = {
  pglite: "PGlite",
  postgres: "PostgreSQL",
  sqlite: "SQLite",
  d1: "D1",
};

const binding = "a binding of Workers";
const noFiles = "Workers have no file system";
const onProcess: Record<Engine, string | null> = { pglite: null, postgres: null, sqlite: null, d1: binding };

/** Null where the two meet. */
const apart: Record<Runtime, Record<Engine, string | null>> = {
  bun: onProcess,
  node22: onProcess,
  node24: onProcess,
  workerd: { pglite: noFiles, postgres: null, sqlite: noFiles, d1: null },
};

export interface Cell {
  runtime: Runtime;
  engine: Engine;
}

export const cells: readonly Cell[] = runtimes.flatMap((runtime) =>
  engines.filter((engine) => apart[runtime][engine] === null).map((engine) => ({ runtime, engine })),
);

export const nameOf = ({ runtime, engine }: Cell): string => `${runtimeNames[runtime]} × ${engineNames[engine]}`;

const line = (texts: readonly string[]) => `| ${texts.join(" | ")} |`;

/** One line of the Markdown table; `told` says what stands where the two meet. */
export const row = (runtime: Runtime, told: (cell: Cell) => string): string =>
  line([
    runtimeNames[runtime],
    ...engines.map((engine) => {
      const reason = apart[runtime][engine];
      return reason === null ? told({ runtime, engine }) : `– ${reason}`;
    }),
  ]);

/** The whole table of these rows. */
export const table = (rows: readonly string[]): string =>
  [
    line(["", ...engines.map((engine) => engineNames[engine])]),
    line(["---", ...engines.map(() => "---")]),
    ...rows,
  ].join("\n");
