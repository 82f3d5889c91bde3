/** Runs the cases of the Db contract under Node, on the engine that is named as argument, and prints `{ name: error | null }` as JSON. */
import process from "node:process";
import { openUnderNode } from "../helpers/engines.node.ts";
import { outcomes } from "../helpers/peer.ts";
import { dbCases } from "./db.ts";

const { db, done } = await openUnderNode(process.argv[2]);
const results = await outcomes(dbCases, ({ run }) => run(db));
await done();
console.log(JSON.stringify(results));
