import { z } from "zod";
import { type Route, route } from "../../http/route.ts";
import {
  pausedExample,
  runExample,
  runList,
  ScheduleChanges,
  ScheduleDto,
  ScheduleParams,
  ScheduleRunDto,
  ScheduleStart,
  scheduleExample,
  startedExample,
} from "./schema.ts";
import type { Schedules } from "./service.ts";

const tag = {
  name: "Schedules",
  description: "Jobs that run at times of the clock: when they are due, and what came of it. For administrators.",
};

export const scheduleRoutes = ({ schedules }: { schedules: Schedules }): Route[] => [
  route({
    method: "get",
    path: "/v1/schedules",
    id: "listSchedules",
    tag,
    summary: "List schedules",
    description: "All of them, by name.",
    access: ["list", "Schedule"],
    answer: z.array(ScheduleDto).max(1000),
    examples: { answer: [scheduleExample] },
    handler: ({ ctx }) => schedules.list(ctx),
  }),
  route({
    method: "patch",
    path: "/v1/schedules/{name}",
    id: "updateSchedule",
    tag,
    summary: "Pause or resume a schedule",
    description:
      "While it is paused nothing is due; what would have been is not made up for. Jobs that it has made go on.",
    access: ["update", "Schedule"],
    params: ScheduleParams,
    body: ScheduleChanges,
    answer: ScheduleDto,
    problems: ["conflict"],
    examples: { body: { paused: true }, answer: pausedExample },
    handler: ({ ctx, params, body }) => schedules.pause(ctx, params.name, body.paused),
  }),
  route({
    method: "get",
    path: "/v1/schedules/{name}/runs",
    id: "listScheduleRuns",
    tag,
    summary: "Show what came of a schedule",
    description: "Newest first. Runs are kept for 90 days.",
    access: ["read", "Schedule"],
    params: ScheduleParams,
    list: runList,
    answer: ScheduleRunDto,
    examples: { answer: runExample },
    handler: ({ ctx, params, list }) => schedules.runs(ctx, params.name, list),
  }),
  route({
    method: "post",
    path: "/v1/schedules/{name}/run",
    id: "runSchedule",
    tag,
    summary: "Run a schedule now",
    description:
      "Also while it is paused. When it is due next does not change. Where its runs may not overlap, one that has not ended is a conflict; so is a job that is there already, where there may be one.",
    access: ["update", "Schedule"],
    params: ScheduleParams,
    body: ScheduleStart,
    status: 202,
    answer: ScheduleRunDto,
    problems: ["conflict"],
    examples: { body: {}, answer: startedExample },
    handler: ({ ctx, params, body }) => schedules.run(ctx, params.name, body.input),
  }),
];
