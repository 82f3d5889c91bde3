/**
 * The floor: what the same answers cost when they are written by hand on Bun.serve and postgres.js, with nothing between. What it leaves
 * out is listed in README.md.
 */
import { afterOf, type Bearer, findMe, listUsers, logLine, nextOf, settings } from "./by-hand.ts";

const { port, sql, bearerOf } = settings(process.env);
const out = Bun.stdout.writer({ highWaterMark: 1 << 16 });

interface Call {
  request: Request;
  route: string;
  id: string;
  t0: number;
  bearer: Bearer | null;
}

const call = (request: Request, route: string): Call => ({
  request,
  route,
  id: request.headers.get("x-request-id") ?? crypto.randomUUID(),
  t0: performance.now(),
  bearer: null,
});

function answer({ request, route, id, t0, bearer }: Call, status: number, body: string, location?: string): Response {
  out.write(logLine(id, bearer?.userId ?? null, request.method, route, status, t0));
  const headers = { "content-type": "application/json", "x-request-id": id };
  return new Response(body, { status, headers: location ? { ...headers, location } : headers });
}

const data = (c: Call, status: number, value: unknown, page = "", location?: string) =>
  answer(
    c,
    status,
    `{"data":${JSON.stringify(value)},"meta":{"requestId":"${c.id}","timestamp":"${new Date().toISOString()}"${page}}}`,
    location,
  );
const problem = (c: Call, status: number) => answer(c, status, `{"status":${status},"requestId":"${c.id}"}`);

const known = (route: string, work: (c: Call, bearer: Bearer) => Promise<Response>) => async (request: Request) => {
  const c = call(request, route);
  const found = bearerOf(request.headers.get("authorization"));
  c.bearer = found instanceof Promise ? await found : found;
  if (!c.bearer) return problem(c, 401);
  try {
    return await work(c, c.bearer);
  } catch (error) {
    if ((error as { code?: string }).code === "23505") return problem(c, 409);
    console.error(error);
    return problem(c, 500);
  }
};

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
/** A UUIDv7 as 26 digits of base 32, as Hearth's ids are. */
function newId(prefix: string): string {
  const hex = Bun.randomUUIDv7().replaceAll("-", "");
  let text = "";
  let bits = 2;
  let held = 0;
  for (let i = 0; i < 32; i++) {
    held = (held << 4) | Number.parseInt(hex[i] as string, 16);
    bits += 4;
    if (bits < 5) continue;
    bits -= 5;
    text += DIGITS[held >> bits];
    held &= (1 << bits) - 1;
  }
  return `${prefix}_${text}`;
}

interface NewUser {
  email?: unknown;
  name?: unknown;
  role?: unknown;
}

Bun.serve({
  port,
  hostname: "127.0.0.1",
  development: false,
  routes: {
    "/livez": { GET: (request) => data(call(request, "/livez"), 200, { status: "ok" }) },
    "/v1/me": {
      GET: known("/v1/me", async (c, { userId }) => {
        const [user] = await findMe(sql, userId);
        return user ? data(c, 200, user) : problem(c, 404);
      }),
    },
    "/v1/users": {
      GET: known("/v1/users", async (c, { role }) => {
        if (role !== "admin") return problem(c, 403);
        const query = new URL(c.request.url).searchParams;
        const limit = Number(query.get("limit") ?? 20);
        const cursor = query.get("cursor");
        const after = cursor === null ? null : afterOf(cursor);
        if (!Number.isInteger(limit) || limit < 1 || limit > 100) return problem(c, 422);
        if (cursor !== null && after === null) return problem(c, 400);
        const rows = await listUsers(sql, limit + 1, after);
        const next = nextOf(rows, limit);
        return data(c, 200, rows, `,"page":{"limit":${limit},"next":${next && `"${next}"`}}`);
      }),
      POST: known("/v1/users", async (c, { userId, role: by }) => {
        if (by !== "admin") return problem(c, 403);
        const { email: address, name, role = "user" } = (await c.request.json()) as NewUser;
        if (typeof address !== "string") return problem(c, 422);
        const email = address.toLowerCase();
        if (!/^[^\s@]+@[^\s@]+$/.test(email) || email.length > 254) return problem(c, 422);
        if (typeof name !== "string" || name === "" || name.length > 100) return problem(c, 422);
        if (role !== "user" && role !== "admin") return problem(c, 422);
        const id = newId("user");
        const told = JSON.stringify({ email, name, role });
        const [user] = await sql`
          with made as (
            insert into users (id, email, name, role) values (${id}, ${email}, ${name}, ${role})
            returning id, created_at as "createdAt", updated_at as "updatedAt", version, email, name, role, remark
          ), told as (
            insert into audit_entries (id, actor_type, actor_id, action, entity_type, entity_id, new_value, request_id)
            values (${newId("aud")}, 'user', ${userId}, 'user.create', 'User', ${id}, ${told}::text::jsonb, ${c.id})
          ) select * from made`;
        return data(c, 201, user, "", `/v1/users/${id}`);
      }),
    },
  },
  fetch: (request) => problem(call(request, "none"), 404),
});
