import { seed } from "../db/seed.ts";
import { systemClock } from "../src/core/clock.ts";
import type { Env } from "../src/env.ts";
import type { Db } from "../src/ports/db/port.ts";
import { createNativePasswords } from "../src/ports/passwords/native.ts";

/** Seeds as the server does at its start. Then prints that it is done, and the password of an administrator who was made. */
export async function seedAndTell(env: Env, db: Db, done: string): Promise<void> {
  const passwords = createNativePasswords();
  const admin = await seed(db, { passwords, clock: systemClock, mode: env.mode, admin: env.admin, samples: env.seed });
  console.log(done);
  if (admin) console.log(`Administrator: ${admin.email}, password ${admin.password} (shown this once)`);
}
