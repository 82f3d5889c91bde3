/** `audit <command>`: exports, verifies, proves and prunes the audit trail. `audit --help` tells all. */
import { createReadStream, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import process from "node:process";
import { fromInstant, systemClock, toInstant } from "../src/core/clock.ts";
import { AppError } from "../src/core/error.ts";
import type { Env } from "../src/env.ts";
import { exportLines, NoSuchSeal } from "../src/modules/audit/export.ts";
import { type Proof, prove, verifyProof } from "../src/modules/audit/proof.ts";
import { prune } from "../src/modules/audit/prune.ts";
import { createSealing } from "../src/modules/audit/sealing.ts";
import { createVerifier, type Report } from "../src/modules/audit/verify.ts";
import { importPublicKeys, type KeySet } from "../src/modules/auth/keys.ts";
import { openAuditKeys } from "../src/runtimes/open-audit.ts";
import { nameOf } from "../src/runtimes/open-db.ts";
import { flag, readArgs, text, type Wrong, wrongUse } from "./args.ts";
import { commandContext } from "./context.ts";
import { openD1 } from "./d1.ts";
import { causesOf, readEnv, refuseEmpty, withDb } from "./open.ts";

const HELP = `The audit trail: takes it out, checks it, proves single entries, and gives up what is old.

Usage: bun run audit <command> [options]

In the database that DATABASE_URL names, or in D1
  export                    The trail as lines of JSON, to standard output or a file
      --out <file>            into this file
      --after <n>             only what comes after seal n, for a file that is continued
  seal                      Seals at once what is open; a job does it every minute
  prove <entry id>          The proof that a sealed entry is in the trail, as JSON that shows no other entry
      --out <file>            into this file
  prune                     Deletes whole sealed parts that were exported; their seals stay
      --before <time>         sealed before: 2026-01-31T09:30:00.000Z, or 90d ago; it has to be said
      --export <file>         the export that they are in; it is verified first
      --reason <text>         for the entry that this leaves

      --d1 --local            in the D1 database of this machine (--persist-to <folder>)
      --d1 --remote           in the one at Cloudflare, by wrangler (--env <name>)

Without a database, and on another machine
  verify <export>           Whether every sealed entry is as it was and in its place; says which is not
      --anchor <file>         seals that were kept elsewhere, one a line: only they show that the newest are missing
  verify-proof <file>       Whether a proof holds

Keys
  --key <file>              The public keys: what GET /.well-known/audit-keys.json answers. Default: the keys
                            of this environment, which prove nothing against somebody who has them
  --json                    Prints JSON
  --help                    This

Ends with 0 when all is well, with 1 when something is wrong with the trail, with 2 when the command cannot be done.

Examples
  bun run audit export --out trail.ndjson
  bun run audit verify trail.ndjson --key audit-keys.json --anchor seals.txt
  bun run audit prune --before 365d --export trail.ndjson --reason "Retention of one year"`;

const wrong: Wrong = wrongUse("audit", 2);
const { values: given, positionals } = readArgs(
  {
    ...{ out: text, after: text, before: text, export: text, reason: text, anchor: text, key: text },
    ...{ json: flag, help: flag, d1: flag, local: flag, remote: flag, env: text, "persist-to": text },
  },
  wrong,
);
const [command, target] = positionals;
const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest();

const commands: Record<string, () => Promise<void>> = {
  export: () => inDatabase((db) => write(exportLines(db, { after: Number(given.after ?? 0) }))),
  prove: () =>
    inDatabase(async (db) => write([`${JSON.stringify(await prove(db, needed(target, "the id of an entry")))}\n`])),
  seal: sealNow,
  verify: async () => tell(await verified(needed(target, "the file of an export"))),
  "verify-proof": checkProof,
  prune: pruneCommand,
};

function cannot(error: unknown): never {
  console.error(error instanceof Error ? causesOf(error) : String(error));
  process.exit(2);
}

const needed = (value: string | undefined, what: string): string => value ?? wrong(`"audit ${command}" needs ${what}.`);

async function inDatabase(work: Parameters<typeof withDb>[1]): Promise<void> {
  const { after } = given;
  if (after !== undefined && !/^\d{1,9}$/.test(after)) wrong("--after is the number of a seal.");
  const expecting: typeof work = (db) =>
    work(db).catch((error) => (isExpected(error) ? cannot(error) : Promise.reject(error)));
  if (!given.d1) return withDb(readEnv(), expecting, { exitCode: 2 });
  if (given.local === given.remote) wrong("Say which database: --remote, or --local.");
  const db = await openD1({ remote: given.remote === true, env: given.env, persistTo: given["persist-to"] });
  await refuseEmpty(db, "D1", "apply the migrations that `bun run db:migrate --d1` writes")
    .then(() => expecting(db))
    .finally(() => db.close());
}

const placeOf = (env: Env) => (given.d1 ? "D1" : nameOf(env.database));

const isExpected = (error: unknown) => error instanceof AppError || error instanceof NoSuchSeal;

/** Waits for whoever reads, so that memory stays as it is however long the trail. */
async function write(texts: AsyncIterable<string> | Iterable<string>): Promise<void> {
  const file = given.out === undefined ? null : await open(given.out, "w", 0o600);
  for await (const text of texts) {
    if (file) await file.write(text);
    else if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  }
  await file?.sync();
  await file?.close();
}

async function keysOf(): Promise<KeySet["verifiers"]> {
  if (given.key !== undefined) return importPublicKeys(JSON.parse(readFileSync(given.key, "utf8")));
  const keys = await openAuditKeys(readEnv());
  if (!keys) return wrong("There is no AUDIT_KEYS here: name the public keys by --key.");
  return keys.verifiers;
}

async function verified(file: string): Promise<Report> {
  const anchors =
    given.anchor === undefined
      ? []
      : readFileSync(given.anchor, "utf8")
          .split("\n")
          .filter((line) => line.trim() !== "");
  statSync(file);
  const verifier = createVerifier({ verifiers: await keysOf(), sha256, anchors });
  let rest = "";
  for await (const chunk of createReadStream(file, { encoding: "utf8", highWaterMark: 1 << 20 })) {
    const text = rest + chunk;
    let from = 0;
    for (let to = text.indexOf("\n"); to !== -1; to = text.indexOf("\n", from)) {
      const wait = verifier.line(text.slice(from, to));
      if (wait) await wait;
      from = to + 1;
    }
    rest = text.slice(from);
  }
  if (rest !== "") await verifier.line(rest);
  return verifier.end();
}

function tell(report: Report): void {
  if (given.json) console.log(JSON.stringify(report));
  else {
    for (const { kind, id, position, seal, detail } of report.faults) {
      const where = [id, position === null ? null : `position ${position}`, seal === null ? null : `seal ${seal}`];
      console.log(
        `${kind.toUpperCase()}  ${where.filter((part) => part !== null).join(", ") || "the file"}\n  ${detail}`,
      );
    }
    const { proved, masked, pruned, open: unsealed, seals, newest, faults } = report;
    const counts = [
      `${proved} proved`,
      masked && `${masked} not shown`,
      pruned && `${pruned} pruned`,
      unsealed && `${unsealed} not sealed yet`,
    ];
    console.log(`${count(seals, "seal", "seals")}; entries: ${counts.filter(Boolean).join(", ")}.`);
    if (newest)
      console.log(`The newest seal is number ${newest.number} of ${newest.time}, over ${newest.size} entries.`);
    if (given.anchor === undefined)
      console.log("No anchor was given: whether newer seals are missing was not checked.");
    console.log(faults.length === 0 ? "OK" : `NOT OK: ${count(faults.length, "fault", "faults")}.`);
  }
  if (report.faults.length > 0) process.exitCode = 1;
}

async function sealNow(): Promise<void> {
  const env = readEnv();
  const keys = await openAuditKeys(env);
  if (!keys) wrong("There is no AUDIT_KEYS here.");
  await inDatabase(async (db) => {
    const done = await createSealing({ db, keys }).sweep(toInstant(systemClock.now()));
    console.log(
      given.json ? JSON.stringify(done) : `Sealed ${count(done.sealed, "entry", "entries")}: ${placeOf(env)}.`,
    );
  });
}

const count = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;

async function checkProof(): Promise<void> {
  const proof: Proof = JSON.parse(readFileSync(needed(target, "the file of a proof"), "utf8"));
  const seal = await verifyProof(proof, await keysOf(), sha256);
  if (given.json) console.log(JSON.stringify({ holds: seal !== null, seal }));
  else if (seal)
    console.log(
      `OK: the entry is number ${proof.position} of the ${seal.size} under seal ${seal.number} of ${seal.time}.\n${proof.entry}`,
    );
  else console.log("NOT OK: the proof does not lead to a seal of these keys.");
  if (!seal) process.exitCode = 1;
}

async function pruneCommand(): Promise<void> {
  const before = timeOf(needed(given.before, "--before"));
  const file = needed(given.export, "--export");
  const env = readEnv();
  const keys = await openAuditKeys(env);
  if (!keys) wrong("There is no AUDIT_KEYS here: what is given up is sealed.");
  const report = await verified(file);
  const userAgent = `bun run audit prune, ${userInfo().username}@${hostname()}`;
  const ctx = commandContext({ reason: given.reason, userAgent });
  await inDatabase(async (db) => {
    const { seal, deleted } = await prune({ db, keys }, ctx, before, report);
    const text = seal === 0 ? "There is nothing to prune" : `Pruned up to seal ${seal}, ${deleted} entries`;
    console.log(given.json ? JSON.stringify({ seal, deleted }) : `${text}: ${placeOf(env)}.`);
  });
}

function timeOf(text: string): string {
  const [, days] = /^(\d{1,5})d$/.exec(text) ?? [];
  const ms = days ? systemClock.now() - Number(days) * 86_400_000 : fromInstant(text);
  return Number.isNaN(ms) ? wrong(`"${text}" is no time: write 90d, or 2026-01-31T09:30:00.000Z.`) : toInstant(ms);
}

const run = command === undefined ? undefined : commands[command];
if (given.help || command === undefined) console.log(HELP);
else if (!run) wrong(`There is no command "${command}".`);
else await run().catch(cannot);
