import type { Clock } from "../core/clock.ts";
import type { Env } from "../env.ts";
import { createLogAlerts } from "../ports/alert/log.ts";
import type { Alerts } from "../ports/alert/port.ts";
import type { Log } from "../ports/log/port.ts";

/** Where the people who run the service are told. Loads what signs requests only where one is sent. */
export async function openAlerts({ alerts }: Env, { clock, log }: { clock: Clock; log: Log }): Promise<Alerts> {
  if (!alerts.webhook) return createLogAlerts({ log });
  const { createWebhookAlerts } = await import("../ports/alert/webhook.ts");
  return createWebhookAlerts({ ...alerts.webhook, clock });
}
