/** Makes and changes accounts by verbs, as fast as it can, until it is killed. It says when it has begun. */
import { systemClock } from "../../src/core/clock.ts";
import { newId } from "../../src/core/id.ts";
import { parseEnv } from "../../src/env.ts";
import { createUsers } from "../../src/modules/users/service.ts";
import { inward } from "../../src/policy/context.ts";
import { abilities } from "../../src/rules.ts";
import { bunDrivers } from "../../src/runtimes/bun-drivers.ts";
import { openDb } from "../../src/runtimes/open-db.ts";

const db = await openDb(parseEnv({ NODE_ENV: "test", DATABASE_URL: process.argv[2] }).database, bunDrivers);
const actor = { type: "system", id: "killed" } as const;
const ability = abilities.abilityFor(actor);
const users = createUsers({
  db,
  passwords: { hash: async () => "hash" },
  revocations: { forgetUser() {} },
  abilityOf: async () => ability,
} as never);
const context = () => {
  const now = new Date(systemClock.now()).toISOString();
  const signal = new AbortController().signal;
  return inward({ requestId: null, traceId: null, now, signal }, { actor, ability });
};

async function work(): Promise<void> {
  for (;;) {
    const email = `${newId("user")}@example.com`;
    const { id } = await users.create(context(), { email, name: "0", role: "user", remark: null });
    console.log("begun");
    for (let i = 1; i <= 3; i++) {
      // Entries of one row are told apart by the millisecond.
      await Bun.sleep(1);
      await users.update(context(), id, { name: String(i) }, null);
    }
    await Bun.sleep(1);
    await users.remove(context(), id, null);
  }
}
await Promise.all(Array.from({ length: 4 }, work));
