/** The environment of every server under test. */
import { generateKeys } from "../../src/modules/auth/keys.ts";

const admin = { email: "root@example.org", password: "only for these tests 7319" };
const [key] = await generateKeys();
const [auditKey] = await generateKeys();
if (!key || !auditKey) throw new Error("there is no key");

export const settings = {
  admin,
  /** Signs the tokens of all servers, so that tests can sign some too. */
  key,
  /** Seals the audit trail. */
  auditKey,
  issuer: "https://api.example.com",
  audience: "conformance",
  origin: "https://app.example.com",
  probeToken: "probe-3f9a1c77e0d24b5f8a6b90c2d1e4f357",
  /** Requests to the authentication endpoints of one address; failed logins of one account. */
  limits: { auth: 30, login: 5, api: 100_000 },
};

export const environment: Record<string, string> = {
  ADMIN_EMAIL: admin.email,
  ADMIN_PASSWORD: admin.password,
  PUBLIC_URL: settings.issuer,
  JWT_AUDIENCE: settings.audience,
  JWT_KEYS: JSON.stringify({ keys: [key] }),
  AUDIT_KEYS: JSON.stringify({ keys: [auditKey] }),
  CORS_ORIGINS: `https://other.example.com,${settings.origin}`,
  PROBE_TOKEN: settings.probeToken,
  // Each client of a test has an address of its own, which it says itself.
  TRUSTED_PROXIES: "127.0.0.1,::1",
  LIMIT_API: `${settings.limits.api}/3600s`,
  LIMIT_AUTH: `${settings.limits.auth}/3600s`,
  LIMIT_LOGIN: `${settings.limits.login}/3600s`,
  SHUTDOWN_LEAD_MS: "0",
};
