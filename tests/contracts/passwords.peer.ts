/** Run by a real Node: reads `{ password, hashes }`, answers with a hash of its own and what it makes of the others. */
import { text } from "node:stream/consumers";
import { createNodePasswords } from "../../src/ports/passwords/node.ts";

const cheap = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const { password, hashes } = JSON.parse(await text(process.stdin)) as { password: string; hashes: string[] };
const passwords = await createNodePasswords();
const flood = await Promise.allSettled(Array.from({ length: 110 }, () => passwords.verify("password", cheap)));
console.log(
  JSON.stringify({
    hash: await passwords.hash(password),
    right: await Promise.all(hashes.map((phc) => passwords.verify(password, phc))),
    wrong: await Promise.all(hashes.map((phc) => passwords.verify(`${password}!`, phc))),
    refused: flood.filter(({ status }) => status === "rejected").length,
  }),
);
