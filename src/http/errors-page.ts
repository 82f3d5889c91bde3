/** The page of the error codes, which the `type` of every problem document points into. One section a code, no script. */
import { errors } from "../core/error.ts";

const css = `
:root { color-scheme: light dark; --ink: #1c1b19; --soft: #66625a; --paper: #fdfcfa; --line: #e2ded5; --mark: #b3450a; --code: #f3f0e9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece8e0; --soft: #a39d91; --paper: #171614; --line: #35322d; --mark: #f08a4b; --code: #24221f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 2rem 1.25rem 6rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; }
code { font: .92em ui-monospace, monospace; background: var(--code); border-radius: .25rem; padding: .1em .3em; }
h2 code { background: none; padding: 0; }
a { color: var(--mark); }
h2 a { color: inherit; text-decoration: none; }
h2 a:hover, h2 a:focus { text-decoration: underline; }
section { border-top: 1px solid var(--line); padding: 1.25rem 0; scroll-margin-top: 1rem; }
section:target { border-left: .25rem solid var(--mark); padding-left: 1rem; }
section p { margin: .35rem 0; }
.status { font-variant-numeric: tabular-nums; color: var(--mark); font-weight: 700; }
.title, footer { color: var(--soft); }
.title { font-weight: 400; font-size: 1rem; }
`;

export const errorsPage = (): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hearth error codes</title>
<link rel="icon" href="data:,">
<style>${css}</style>
</head>
<body>
<header>
<h1>Error codes</h1>
<p>Every failure is a problem document (RFC 9457, <code>application/problem+json</code>). Programs go by its <code>code</code>; its
<code>type</code> is the address of one of the sections below. Quote its <code>requestId</code> when you ask the operator about it.</p>
<p>${Object.keys(errors)
  .map((code) => `<a href="#${code}"><code>${code}</code></a>`)
  .join(" ")}</p>
</header>
<main>
${Object.entries(errors)
  .map(
    ([code, { status, title, about, remedy }]) => `<section id="${code}">
<h2><span class="status">${status}</span> <a href="#${code}"><code>${code}</code></a> <span class="title">${prose(title)}</span></h2>
<p>${prose(about)}</p>
<p><strong>What to do:</strong> ${prose(remedy)}</p>
</section>`,
  )
  .join("\n")}
</main>
<footer><a href="../docs">API reference</a></footer>
</body>
</html>
`;

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** The table's texts may hold \`code\`, and characters that mean something in HTML. */
const prose = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => entities[character] as string).replace(/`([^`]+)`/g, "<code>$1</code>");

/** Its own style by its hash, and nothing else. */
export async function errorsPolicy(): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(css)));
  return `default-src 'none'; style-src 'sha256-${btoa(String.fromCharCode(...hash))}'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;
}
