/** Whether a server's answers are the ones that are to be compared: status, content type, request id, and the body field by field. */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { type Fixture, userId } from "./fixture.ts";
import type { Running } from "./servers.ts";

interface Body {
  data: Record<string, unknown> & Record<string, unknown>[];
  meta: { requestId: string; timestamp: string; page?: { limit: number; next: string | null } };
}

const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const WITHOUT_TOKEN = ["/v1/me", "/v1/users"];

/** Throws at the first difference. Answers the cursors of the first 100 pages, for the load. */
export async function check({ url, target }: Running, { sql, userTokens, adminTokens }: Fixture): Promise<string[]> {
  const has = (key: string) => !target.only || target.only.includes(key);
  async function ask(path: string, status: number, token?: string, body?: unknown) {
    const response = await fetch(`${url}${path}`, {
      method: body ? "POST" : "GET",
      headers: {
        "x-request-id": "bench-1",
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    strictEqual(response.status, status, `${path} of ${target.name}`);
    strictEqual(response.headers.get("x-request-id"), "bench-1");
    const answer = (await response.json()) as Body;
    if (status < 400) {
      ok(response.headers.get("content-type")?.startsWith("application/json"));
      deepStrictEqual(Object.keys(answer), ["data", "meta"]);
      strictEqual(answer.meta.requestId, "bench-1");
      ok(UTC.test(answer.meta.timestamp));
    }
    return answer;
  }
  const at = (time: unknown) => new Date(time as string).toISOString();
  const shown = (row: Record<string, unknown>) => ({
    ...row,
    createdAt: at(row.createdAt),
    updatedAt: at(row.updatedAt),
  });

  // A server that migrates answers 503 until it has.
  const ready = () => fetch(`${url}/v1/me`, { headers: { authorization: `Bearer ${userTokens[0]}` } });
  for (let i = 0; i < 200 && (await ready()).status === 503; i++) await Bun.sleep(25);

  deepStrictEqual((await ask("/livez", 200)).data as unknown, { status: "ok" });
  for (const path of WITHOUT_TOKEN) {
    await ask(path, 401);
    await ask(path, 401, `${userTokens[0]?.slice(0, -8)}AAAAAAAA`);
  }
  await ask("/v1/users", 403, userTokens[0]);

  const [me] = await sql`
    select id, created_at as "createdAt", updated_at as "updatedAt", version, email, name, role from users where id = ${userId(7)}`;
  deepStrictEqual(
    (await ask("/v1/me", 200, userTokens[6])).data as unknown,
    shown(me as object as Record<string, unknown>),
  );

  const all = await sql`
    select id, created_at as "createdAt", updated_at as "updatedAt", version, email, name, role, remark
    from users where deleted_at is null order by created_at desc, id desc limit 2000`;
  const cursors: string[] = [];
  for (let i = 0; i < 100; i++) {
    const query: string = i === 0 ? "" : `&cursor=${encodeURIComponent(cursors[i - 1] as string)}`;
    const { data, meta } = await ask(`/v1/users?limit=20${query}`, 200, adminTokens[i]);
    deepStrictEqual(
      data as unknown,
      all.slice(i * 20, i * 20 + 20).map((row) => shown(row as Record<string, unknown>)),
    );
    strictEqual(meta.page?.limit, 20);
    cursors.push(meta.page?.next as string);
  }
  if (!has("create")) return cursors;

  const input = { email: `Check.${target.name.replaceAll(" ", "-")}@Example.com`, name: 'Ann "é" Smith' };
  const { data: made } = await ask("/v1/users", 201, adminTokens[0], input);
  ok(/^user_0[0-9a-hjkmnp-tv-z]{25}$/.test(String(made.id)), String(made.id));
  ok(UTC.test(String(made.createdAt)) && UTC.test(String(made.updatedAt)));
  const { id, createdAt, updatedAt, ...rest } = made;
  deepStrictEqual(rest as unknown, {
    version: 1,
    ...rest,
    email: input.email.toLowerCase(),
    name: input.name,
    role: "user",
    remark: null,
  });
  const [entry] = await sql`
    select a.actor_id, a.action, a.entity_type, a.request_id, a.new_value ->> 'email' as email, a.xmin = u.xmin as together
    from audit_entries a join users u on u.id = a.entity_id where u.id = ${String(id)}`;
  deepStrictEqual(
    { ...entry },
    {
      actor_id: userId(201),
      action: "user.create",
      entity_type: "User",
      request_id: "bench-1",
      email: input.email.toLowerCase(),
      together: true,
    },
  );
  await ask("/v1/users", 409, adminTokens[0], input);
  await ask("/v1/users", 422, adminTokens[0], { email: "no address", name: "" });
  return cursors;
}
