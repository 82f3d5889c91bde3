/** Hono by hand on Node: the reads of the floor, as somebody would write them who uses Hono, zod and postgres.js without a foundation. */
import { serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { pino } from "pino";
import { z } from "zod";
import { afterOf, type Bearer, findMe, listUsers, nextOf, settings } from "./by-hand.ts";

const { port, sql, bearerOf } = settings(process.env);
const log = pino(pino.destination({ dest: 1, sync: false, minLength: 16_000 }));

const UserDto = z.object({
  id: z.string(),
  createdAt: z.date(),
  updatedAt: z.date(),
  version: z.int(),
  email: z.string(),
  name: z.string(),
  role: z.string(),
  remark: z.string().nullish(),
});
const UserList = z.array(UserDto);
const ListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().optional(),
});

type Variables = { requestId: string; bearer: Bearer };
type HonoContext = Context<{ Variables: Variables }>;
const app = new Hono<{ Variables: Variables }>();

app.use(requestId());
app.use(async (c, next) => {
  const t0 = performance.now();
  await next();
  log.info(
    {
      requestId: c.get("requestId"),
      actor: c.get("bearer")?.userId,
      method: c.req.method,
      route: c.req.path,
      status: c.res.status,
      ms: performance.now() - t0,
    },
    "request",
  );
});
app.onError((error, c) => {
  const status = error instanceof HTTPException ? error.status : 500;
  return c.json({ status, requestId: c.get("requestId") }, status);
});

app.use("/v1/*", async (c, next) => {
  const bearer = await bearerOf(c.req.header("authorization") ?? null);
  if (!bearer) throw new HTTPException(401);
  c.set("bearer", bearer);
  await next();
});

const meta = (c: HonoContext) => ({ requestId: c.get("requestId"), timestamp: new Date().toISOString() });

app.get("/livez", (c) => c.json({ data: { status: "ok" }, meta: meta(c) }));

app.get("/v1/me", async (c) => {
  const [user] = await findMe(sql, c.get("bearer").userId);
  if (!user) throw new HTTPException(404);
  return c.json({ data: UserDto.parse(user), meta: meta(c) });
});

app.get("/v1/users", async (c) => {
  if (c.get("bearer").role !== "admin") throw new HTTPException(403);
  const query = ListQuery.safeParse(c.req.query());
  if (!query.success) throw new HTTPException(422);
  const { limit, cursor } = query.data;
  const after = cursor === undefined ? null : afterOf(cursor);
  if (cursor !== undefined && after === null) throw new HTTPException(400);
  const rows = await listUsers(sql, limit + 1, after);
  const next = nextOf(rows, limit);
  return c.json({ data: UserList.parse(rows), meta: { ...meta(c), page: { limit, next } } });
});

serve({ fetch: app.fetch, port, hostname: "127.0.0.1" });
