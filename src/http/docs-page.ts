/** The API reference: a page, and the few lines that start Scalar on it. Scalar is configured to load nothing from another host. */

/** The version in package.json, which a test compares: it is in the script's address, so that the script can be cached for good. */
export const scalarVersion = "1.72.1";
export const scalarPath = `/docs/scalar-${scalarVersion}.js` as const;

/** Addresses are relative, so that the page works behind any host name, and under a prefix that a proxy cuts off. */
export const referencePage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Hearth API reference</title>
<link rel="icon" href="data:,">
</head>
<body>
<noscript>
<p>This page needs JavaScript. The same is in the <a href="openapi.json">OpenAPI document</a>, and the error codes are on
<a href="docs/errors">a page without scripts</a>.</p>
</noscript>
<main id="reference"></main>
<script src=".${scalarPath}"></script>
<script src="./docs/start.js"></script>
</body>
</html>
`;

/** Every option that would have the browser ask another host is off; the policy below would stop it as well. */
const options = {
  url: "./openapi.json",
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  showDeveloperTools: "never",
  persistAuth: false,
  authentication: { preferredSecurityScheme: "bearerAuth" },
  orderSchemaPropertiesBy: "preserve",
  defaultOpenAllTags: true,
};

/** Requests that are tried out go to where the page came from, whatever host name it was reached by. */
export const startScript = `Scalar.createApiReference("#reference", {
  ...${JSON.stringify(options)},
  servers: [{ url: new URL(".", location.href).href.replace(/\\/$/, "") }],
});
`;

/** Scalar sets styles on elements and adds style elements, so that inline styles have to be allowed; inline scripts and eval are not. */
export const referencePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
