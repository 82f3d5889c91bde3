/** Run by each runtime: writes as many lines as its second argument says, and ends in the way that the first one names. */
import { createPinoLog } from "../../src/ports/log/pino.ts";

const [end, count] = process.argv.slice(2);
const log = createPinoLog({ level: "info" });
process.on("uncaughtException", (error) => {
  log.error({ err: error }, "fault");
  void log.flush().then(() => process.exit(1));
});

for (let n = 0; n < Number(count); n++) log.info({ n }, "line");

if (end === "exit") process.exit(3);
if (end === "throw") throw new Error("fault");
if (end === "flush") {
  await log.flush();
  process.kill(process.pid, "SIGKILL");
}
// Else nothing is left to do: the log alone does not keep the process alive.
