import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EnvError } from "../../src/env.ts";
import { readEnvironment, withoutBunsLayers } from "../../src/runtimes/dotenv.ts";

const root = join(import.meta.dir, "../..");
const scratch = mkdtempSync(join(tmpdir(), "hearth-dotenv-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function folder(name: string, files: Record<string, string>): string {
  const dir = join(scratch, name);
  mkdirSync(dir);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text);
  return dir;
}

/** Each variable is named for the layer that must win it, and every layer before that one sets it too. */
const layers = [".env", ".env.local", ".env.development", ".env.development.local"] as const;
const winners = ["ENV", "LOCAL", "MODE", "MODE_LOCAL"];
const layered = folder(
  "layered",
  Object.fromEntries(
    layers.map((layer, i) => [layer, winners.map((name, j) => (i <= j ? `${name}=${layer}\n` : "")).join("")]),
  ),
);

describe("layers", () => {
  test("the last one wins, and the process environment over all", () => {
    expect(readEnvironment(layered, { PATH: "/bin", MODE_LOCAL: "process", GONE: undefined })).toEqual({
      ENV: ".env",
      LOCAL: ".env.local",
      MODE: ".env.development",
      MODE_LOCAL: "process",
      PATH: "/bin",
    });
  });

  test(".env.local is not read in test", () => {
    const dir = folder("test", {
      ".env": "A=env\nB=env",
      ".env.local": "A=local\nC=local",
      ".env.test.local": "B=test",
    });
    expect(readEnvironment(dir, { NODE_ENV: "test" })).toEqual({ NODE_ENV: "test", A: "env", B: "test" });
    expect(readEnvironment(dir, { NODE_ENV: "production" })).toMatchObject({ A: "local", B: "env", C: "local" });
  });

  test("files of another mode are not read, and an unknown mode has none", () => {
    const dir = folder("modes", { ".env": "A=env", ".env.production": "A=production", ".env.staging": "A=staging" });
    expect(readEnvironment(dir, {}).A).toBe("env");
    expect(readEnvironment(dir, { NODE_ENV: "" }).A).toBe("env");
    expect(readEnvironment(dir, { NODE_ENV: "production" }).A).toBe("production");
    expect(readEnvironment(dir, { NODE_ENV: "staging" }).A).toBe("env");
  });

  test("no file is no fault, and a file that cannot be read is one", () => {
    expect(readEnvironment(join(scratch, "nowhere"), { A: "1" })).toEqual({ A: "1" });
    const dir = folder("unreadable", {});
    mkdirSync(join(dir, ".env"));
    expect(() => readEnvironment(dir, {})).toThrow("EISDIR");
  });

  test("a file cannot change the mode that chose it", () => {
    const dir = folder("contradiction", { ".env": "NODE_ENV=production" });
    expect(() => readEnvironment(dir, {})).toThrow(EnvError);
    expect(() => readEnvironment(dir, { NODE_ENV: "test" })).toThrow("NODE_ENV: expected to be set in the process");
    expect(readEnvironment(dir, { NODE_ENV: "production" })).toEqual({ NODE_ENV: "production" });
  });

  test("what Bun took from the files is not the process environment", () => {
    const loaded = { ENV: ".env", MODE: ".env.local", PATH: "/bin", SET_BY_PRELOAD: "x", LOCAL: "given" };
    const own = withoutBunsLayers(layered, loaded, new Set(["PATH", "LOCAL"]));
    expect(own).toEqual({ PATH: "/bin", SET_BY_PRELOAD: "x", LOCAL: "given" });
    expect(withoutBunsLayers(layered, loaded, null)).toBe(loaded);
  });
});

/** Quotes, comments, several lines, and all that the runtimes' own parsers were seen to disagree about. */
const awkward = `\uFEFFFIRST=after a byte order mark
# PORT=1
PLAIN=plain # a comment
export EXPORTED=exported
export EXPORTED_EMPTY=
SINGLE='$HOME #1 \\n "x"'
DOUBLE="one\\ntwo # three"
ESCAPED="say \\"hi\\""
BACKTICK=\`it's "so"\`
LINES="first
second=2
third"
JSON='{"keys":[{"kid":"a"}]}'
EMPTY=
TAB=\t
AFTER_TAB=x
  INDENTED  =  spaced  out  \r
COLON: yes
DOLLAR=\${PLAIN}
URL=postgres://u:p%23@h/d?a=b&c=d
ENV=from the file
`;
const expected = {
  FIRST: "after a byte order mark",
  PLAIN: "plain",
  EXPORTED: "exported",
  EXPORTED_EMPTY: "",
  SINGLE: '$HOME #1 \\n "x"',
  DOUBLE: "one\ntwo # three",
  ESCAPED: 'say \\"hi\\"',
  BACKTICK: 'it\'s "so"',
  LINES: "first\nsecond=2\nthird",
  JSON: '{"keys":[{"kid":"a"}]}',
  EMPTY: "",
  TAB: "",
  AFTER_TAB: "x",
  INDENTED: "spaced  out",
  COLON: "yes",
  DOLLAR: "$" + "{PLAIN}",
  URL: "postgres://u:p%23@h/d?a=b&c=d",
  ENV: "from the process",
  ORDER: ".env.development",
};

describe("a real process", () => {
  const files = { ".env": awkward, ".env.local": "ORDER=.env.local", ".env.development": "ORDER=.env.development" };
  const bare = folder("bare", files);
  const configured = folder("configured", { ...files, "raw.mjs": "console.log(JSON.stringify(process.env))" });
  copyFileSync(join(root, "bunfig.toml"), join(configured, "bunfig.toml"));

  const entry = join(scratch, "entry.ts");
  writeFileSync(
    entry,
    `import { readOwnEnvironment } from ${JSON.stringify(join(root, "src/runtimes/dotenv.ts"))};
     console.log(JSON.stringify(readOwnEnvironment(process.cwd())));`,
  );
  const nodes = ["node22", "node24"].map((name) => join(root, "node_modules", name, "bin/node")).filter(existsSync);
  const real = nodes.length > 0 ? nodes : ["node"];

  function environmentOf(command: string[], cwd: string): Record<string, string> {
    const run = Bun.spawnSync(command, { cwd, env: { PATH: process.env.PATH ?? "", ENV: "from the process" } });
    if (run.exitCode !== 0) throw new Error(run.stderr.toString());
    return JSON.parse(run.stdout.toString());
  }

  test("bunfig.toml keeps Bun from reading the files itself", () => {
    const raw = join(configured, "raw.mjs");
    expect(environmentOf([process.execPath, raw], configured)).not.toContainKeys(["PLAIN"]);
    expect(environmentOf([process.execPath, "run", raw], configured)).not.toContainKeys(["PLAIN"]);
    expect(environmentOf([process.execPath, raw], bare)).toContainKeys(["PLAIN", "ORDER"]);
  });

  test("Bun and Node read the same", () => {
    const answers = [
      environmentOf([process.execPath, entry], configured),
      environmentOf([process.execPath, "--no-env-file", entry], bare),
      ...real.map((node) => environmentOf([node, entry], bare)),
    ];
    for (const answer of answers) expect(answer).toMatchObject(expected);
    for (const answer of answers) expect(Object.keys(answer).sort()).toEqual([...Object.keys(expected), "PATH"].sort());
  });

  test("a build reads the same, on Bun without bunfig.toml too", async () => {
    const built = await Bun.build({
      entrypoints: [entry],
      target: "node",
      outdir: join(scratch, "dist"),
      naming: "[name].mjs",
    });
    const bundle = built.outputs[0]?.path ?? "";
    for (const node of real) expect(environmentOf([node, bundle], bare)).toMatchObject(expected);
    if (process.platform === "linux") expect(environmentOf([process.execPath, bundle], bare)).toMatchObject(expected);
    expect(environmentOf([process.execPath, "--no-env-file", bundle], bare)).toMatchObject(expected);
  });

  test("files that the command line names are the process environment", () => {
    const given = environmentOf([process.execPath, "--env-file=.env.local", entry], bare);
    expect(given).toMatchObject({ ORDER: ".env.local", PLAIN: "plain" });
  });
});
