/** `db:seed`: writes what the environment asks for (ADMIN_EMAIL, ADMIN_PASSWORD, SEED), as the server does at start. */
import { seed } from "../db/seed.ts";
import { systemClock } from "../src/core/clock.ts";
import { createNativePasswords } from "../src/ports/passwords/native.ts";
import { nameOf, readEnv, withDb } from "./open.ts";

const env = readEnv();
const passwords = createNativePasswords();
await withDb(env, async (db) => {
  const admin = await seed(db, { passwords, clock: systemClock, mode: env.mode, admin: env.admin, samples: env.seed });
  console.log(`Seeded ${nameOf(env.database)}.`);
  if (admin) console.log(`Administrator: ${admin.email}, password ${admin.password} (shown this once)`);
});
