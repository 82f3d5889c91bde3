/** What every driver of the passwords port does. */
import { expect, test } from "bun:test";
import { parsePhc } from "../../src/ports/passwords/phc.ts";
import type { Passwords } from "../../src/ports/passwords/port.ts";
import { computing } from "../helpers/time.ts";

const PASSWORD = "correct horse battery staple";

/** Test vectors of the reference implementation (phc-winner-argon2, test.c, version 19): password "password", salt "somesalt". */
const vectors = [
  "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
  "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
];

export function passwordsContract(name: string, make: () => Promise<Passwords>): void {
  test(`${name}: a hash is a PHC string with today's parameters, a salt of 16 bytes and a tag of 32`, async () => {
    expect(await (await make()).hash(PASSWORD)).toMatch(
      /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
  });

  test(`${name}: the right password is told from every other, and no two hashes are the same`, async () => {
    const passwords = await make();
    const [one, two] = await Promise.all([passwords.hash(PASSWORD), passwords.hash(PASSWORD)]);
    expect(one).not.toBe(two);
    expect(await passwords.verify(PASSWORD, one)).toEqual({ ok: true, stale: false });
    for (const wrong of ["", "Correct horse battery staple", `${PASSWORD} `, `${PASSWORD}\0`, PASSWORD.slice(0, -1)]) {
      expect(await passwords.verify(wrong, one)).toEqual({ ok: false, stale: false });
    }
  });

  test(`${name}: a password counts to its last byte, in any script and at any length`, async () => {
    const passwords = await make();
    for (const password of [
      "пароль-длинный",
      "日本語のパスワード",
      "🐎🔋📎🐎",
      "nul\0inside",
      "é",
      "x".repeat(4_000),
    ]) {
      const phc = await passwords.hash(password);
      expect(await passwords.verify(password, phc)).toEqual({ ok: true, stale: false });
      expect(await passwords.verify(`${password.slice(0, -1)}!`, phc)).toEqual({ ok: false, stale: false });
    }
    // One letter, two spellings: what was received is what is hashed.
    expect(await passwords.verify("e\u0301", await passwords.hash("\u00e9"))).toEqual({ ok: false, stale: false });
  });

  test(`${name}: the reference implementation's own vectors verify, and are stale`, async () => {
    const passwords = await make();
    for (const phc of vectors) {
      expect(await passwords.verify("password", phc)).toEqual({ ok: true, stale: true });
      expect(await passwords.verify("Password", phc)).toEqual({ ok: false, stale: false });
    }
  });

  test(`${name}: what cannot be read, or asks for too much, matches nothing and costs nothing`, async () => {
    const passwords = await make();
    const salt = "c29tZXNhbHRzb21lc2FsdA";
    const tag = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    const unreadable = [
      "",
      "password",
      "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
      `$argon2i$v=19$m=4096,t=3,p=1$${salt}$${tag}`,
      `$argon2id$v=16$m=4096,t=3,p=1$${salt}$${tag}`,
      `$argon2id$m=4096,t=3,p=1$${salt}$${tag}`,
      `$argon2id$v=19$m=4194304,t=1,p=1$${salt}$${tag}`,
      `$argon2id$v=19$m=65536,t=5,p=1$${salt}$${tag}`,
      `$argon2id$v=19$m=256,t=9999999,p=1$${salt}$${tag}`,
      `$argon2id$v=19$m=256,t=2,p=17$${salt}$${tag}`,
      `$argon2id$v=19$m=8,t=2,p=2$${salt}$${tag}`,
      `$argon2id$v=19$m=256,m=256,t=2$${salt}$${tag}`,
      `$argon2id$v=19$m=0,t=2,p=1$${salt}$${tag}`,
      `$argon2id$v=19$m=256,t=2,p=1$${salt}$`,
      `$argon2id$v=19$m=256,t=2,p=1$${salt}$${tag.slice(0, 20)}`,
      `$argon2id$v=19$m=256,t=2,p=1$c2Fs$${tag}`,
      `$argon2id$v=19$m=256,t=2,p=1$${salt}$${tag}$`,
      `$argon2id$v=19$m=256,t=2,p=1$${salt}$${tag}\n`,
    ];
    const took = computing();
    expect(unreadable.map(parsePhc)).toEqual(unreadable.map(() => null));
    for (const phc of unreadable) expect(await passwords.verify("password", phc)).toEqual({ ok: false, stale: false });
    expect(took()).toBeLessThan(250);
  });
}
