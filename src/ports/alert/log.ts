/** Alerts as lines of the log: for a log that is watched. */
import type { Log } from "../log/port.ts";
import type { Alerts } from "./port.ts";

export const createLogAlerts = ({ log }: { log: Log }): Alerts => ({
  driver: "log",
  async tell({ id, kind, subject, state, message, detail, since }) {
    const fields = { alert: id, kind, subject, state, since, detail };
    if (state === "raised") log.error(fields, message);
    else log.info(fields, message);
  },
});
