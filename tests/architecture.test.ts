/** What the layout promises, checked on the imports of every source file. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

const root = join(import.meta.dir, "..");
const files = ["src", "db"].flatMap((folder) =>
  (readdirSync(join(root, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".gen.ts"))
    .map((name) => join(folder, name).split(sep).join("/")),
);
const text = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));
/** A file without its comments, whose words are free. */
const code = (file: string) => (text.get(file) as string).replace(/\/\*[\s\S]*?\*\/|(?<![:"'])\/\/.*$/gm, "");

interface Import {
  file: string;
  /** The imported file from the root, or the package's name. */
  target: string;
  typeOnly: boolean;
}

const IMPORT = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?[^;"']*?from\s+"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g;

const imports: Import[] = files.flatMap((file) =>
  [...(text.get(file) as string).matchAll(IMPORT)].map(([, type, from, lazy]) => {
    const target = (from ?? lazy) as string;
    const local = target.startsWith(".")
      ? relative(root, join(root, dirname(file), target))
          .split(sep)
          .join("/")
      : target;
    return { file, target: local, typeOnly: type !== undefined };
  }),
);

const room = (file: string): string => {
  if (!file.startsWith("src/")) return file.startsWith("db/") ? "db" : "";
  const [, first = ""] = file.split("/");
  return first.endsWith(".ts") ? first.replace(/\.ts$/, "").replace(/^env-.*/, "env") : first;
};

/** What each room may import from, apart from itself. */
const mayImport: Record<string, readonly string[]> = {
  core: [],
  env: ["core"],
  db: ["core", "ports", "modules", "env"],
  ports: ["core", "db"],
  policy: ["core", "db"],
  http: ["core", "policy", "ports"],
  modules: ["core", "db", "http", "policy", "ports"],
  deps: ["core", "env", "modules", "ports"],
  app: ["core", "db", "deps", "env", "http", "modules", "policy", "ports", "rules"],
  schedules: ["modules", "ports"],
  rules: ["modules", "policy"],
  work: ["core", "db", "deps", "env", "modules", "ports"],
  runtimes: ["app", "schedules", "work", "core", "db", "deps", "env", "modules", "ports"],
};

const offences = (test: (i: Import) => boolean) =>
  imports.filter(test).map(({ file, target }) => `${file} → ${target}`);

describe("the layout", () => {
  test("imports go one way: runtimes, app, modules, then http, policy and ports, then db and core", () => {
    const wrong = offences(({ file, target }) => {
      const [from, to] = [room(file), room(target)];
      return to !== "" && from !== to && !mayImport[from]?.includes(to);
    });
    expect(wrong).toEqual([]);
  });

  test("outside ports, only runtimes import a driver; everybody else its types", () => {
    const isDriver = (target: string) =>
      /^src\/ports\/(alert|bus|cache|log|limits|passwords)\/(?!(?:port|redact)\.ts)/.test(target) ||
      /^src\/ports\/db\/(bun-sqlite|node-sqlite|sqlite-file|pglite|postgres|bun-sql|d1)\.ts/.test(target);
    const wrong = offences(
      ({ file, target, typeOnly }) => isDriver(target) && !typeOnly && !["runtimes", "ports"].includes(room(file)),
    );
    expect(wrong).toEqual([]);
  });

  test("a module knows another by its service's types, its statements, its schemas and its policy", () => {
    const noun = (file: string) => /^src\/modules\/(\w+)\//.exec(file)?.[1];
    const wrong = offences(({ file, target, typeOnly }) => {
      const [from, to] = [noun(file), noun(target)];
      if (!from || !to || from === to || typeOnly) return false;
      return !/\/(statement|store|schema|policy)\.ts$/.test(target);
    });
    expect(wrong).toEqual([]);
  });

  test("only runtimes, and drivers that are named for one, name a runtime", () => {
    const vendor =
      /^src\/(runtimes\/|ports\/\w+\/(bun|node|native|pglite|postgres|redis|worker|d1|wasm|pino|pretty|console)[\w-]*\.ts)/;
    const wrong = files.filter(
      (file) =>
        !vendor.test(file) &&
        /from "(?:node:|bun[:"]|cloudflare:)|\bBun\.|\bprocess\.(?:env|exit|on|once|pid|argv|cwd|version|stdout|stderr)\b/.test(
          code(file),
        ),
    );
    expect(wrong).toEqual([]);
  });

  test("the environment is read by runtimes alone", () => {
    expect(files.filter((file) => !file.startsWith("src/runtimes/") && /process\.env/.test(code(file)))).toEqual([]);
  });

  test("no file only passes on what another one exports", () => {
    const barrel = files.filter((file) => /^export (\*|\{[^}]*\}) from/m.test(text.get(file) as string));
    expect(barrel).toEqual([]);
  });

  test("a context is not spread, because that loses what it looks up when it is read", () => {
    expect(files.filter((file) => /\.\.\.ctx\b/.test(code(file)))).toEqual([]);
  });

  test("folders are at most three deep, and files at most 300 lines long", () => {
    expect(files.filter((file) => file.split("/").length > 4)).toEqual([]);
    expect(files.filter((file) => (text.get(file) as string).split("\n").length > 300)).toEqual([]);
  });
});
