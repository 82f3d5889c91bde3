import type { Clock } from "../core/clock.ts";
import type { Env } from "../env.ts";
import { createLogAlerts } from "../ports/alert/log.ts";
import type { Alerts } from "../ports/alert/port.ts";
import { createWebhookAlerts } from "../ports/alert/webhook.ts";
import type { Log } from "../ports/log/port.ts";

/** Where the people who run the service are told. */
export const openAlerts = ({ alerts }: Env, { clock, log }: { clock: Clock; log: Log }): Alerts =>
  alerts.webhook ? createWebhookAlerts({ ...alerts.webhook, clock }) : createLogAlerts({ log });
