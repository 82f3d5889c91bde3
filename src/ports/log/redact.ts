/** What must not be in a log, told by the name of a field or by the form of a text. */
export const REDACTED = "[redacted]";

/**
 * Names of fields whose values are secret, compared without case, `-`, `_` and what stands before: `x-api-key`, `DB_PASSWORD` and
 * `currentPassword` are among them, `tokenType` and `passwordChangedAt` are not.
 */
const SECRET_NAME =
  /(?:authorization|cookie|password|passwd|pwd|passphrase|passcode|token|secret|(?:api|private|secret|access|signing|encryption)key|credential|connectionstring|databaseurl|redisurl|dsn|jwt|otp)s?(?:hash|hashes|digest|confirm|confirmation|header|value|\d)?$/;

const names = new Map<string, boolean>();
/** Names come from clients too, so the memory of them is bounded. */
const MAX_NAMES = 1_000;

export function isSecretName(name: string): boolean {
  let known = names.get(name);
  if (known === undefined) {
    known = SECRET_NAME.test(
      name
        .slice(-64)
        .toLowerCase()
        .replace(/[-_\s]/g, ""),
    );
    if (names.size >= MAX_NAMES) names.clear();
    names.set(name, known);
  }
  return known;
}

/**
 * Secrets inside of texts. Each pattern is anchored on a fixed word and bounded in length, so that no text makes it slow. In a web address
 * the user information ends before the path; people put `/` and `@` unescaped into the passwords of other connection strings.
 */
const forms: [hint: string, pattern: RegExp, replacement: string][] = [
  ["://", /\b(https?:\/\/)[^\s/?#@"'<>]{1,512}@/gi, `$1${REDACTED}@`],
  ["://", /\b((?!https?:)[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s"'<>]{1,512}@/gi, `$1${REDACTED}@`],
  [
    "=",
    /\b((?:\w{0,32}[_-]?)(?:password|passwd|pwd|token|secret|api_?key|apikey)=)("[^"]{0,512}"|'[^']{0,512}'|[^\s&;,"']{1,512})/gi,
    `$1${REDACTED}`,
  ],
  [
    ":",
    /("\w{0,32}(?:password|passwd|token|secret|api_?key|authorization|cookie)\w{0,8}"\s?:\s?)"(?:[^"\\]|\\.){0,8192}"/gi,
    `$1"${REDACTED}"`,
  ],
  [" ", /\b(bearer|basic) [a-z0-9._~+/=-]{8,}/gi, `$1 ${REDACTED}`],
  ["eyJ", /\beyJ[\w-]{8,}\.[\w-]{2,}\.[\w-]*/g, REDACTED],
  ["$argon2", /\$argon2\w{1,2}\$[^\s"']{1,512}/g, REDACTED],
];

/** The text without credentials in it. */
export function scrub(text: string): string {
  let scrubbed = text;
  for (const [hint, pattern, replacement] of forms) {
    if (scrubbed.includes(hint)) scrubbed = scrubbed.replace(pattern, replacement);
  }
  return scrubbed;
}
