// HTML, tokenised as far as start tags go: tolerant, in one pass, no tree.
// Follows the states of the HTML standard (section 13.2.5) that matter for finding tags and
// attributes: comments and declarations are skipped (so is `<![CDATA[`, up to the next `>`, as
// browsers do outside SVG), raw text ends at its own end tag.

const RAW_TEXT = new Set(["script", "style", "textarea", "title", "noembed", "noframes", "iframe", "xmp"]);
const NAME_END = /[\s/>]/g;
const ATTRIBUTE_NAME_END = /[\s/>=]/g;
const UNQUOTED_END = /[\s>]/g;

/** Yields {name, attributes} for each start tag of `html`; names lower-cased, the first of two equal attributes kept. */
export function* startTags(html) {
  let at = 0;
  while (true) {
    at = html.indexOf("<", at);
    if (at < 0) return;
    const next = html[at + 1] ?? "";
    if (!/[a-z]/i.test(next)) {
      at = afterOther(html, at, next);
      continue;
    }
    const nameEnd = find(html, at + 1, NAME_END);
    const name = html.slice(at + 1, nameEnd).toLowerCase();
    const { attributes, end } = readAttributes(html, nameEnd);
    if (end < 0) return; // the page ends inside this tag: a browser drops it
    yield { name, attributes };
    at = RAW_TEXT.has(name) ? rawEnd(html, end, name) : end;
  }
}

function find(html, from, pattern) {
  pattern.lastIndex = from;
  const match = pattern.exec(html);
  return match ? match.index : html.length;
}

function past(html, needle, from) {
  const found = html.indexOf(needle, from);
  return found < 0 ? html.length : found + needle.length;
}

/** The place after what begins at `at` with `<` and is no start tag: a comment, declaration, end tag or text. */
function afterOther(html, at, next) {
  if (html.startsWith("<!--", at)) {
    if (html.startsWith("<!-->", at) || html.startsWith("<!--->", at)) return past(html, ">", at);
    return past(html, "-->", at + 4);
  }
  if (next === "!" || next === "?" || next === "/") return past(html, ">", at);
  return at + 1;
}

function rawEnd(html, from, name) {
  const pattern = new RegExp(`</${name}[\\s/>]`, "gi");
  return find(html, from, pattern);
}

/** Attributes from `at` on, and the place after the tag's `>` (-1 where there is none). */
function readAttributes(html, at) {
  const attributes = new Map();
  while (at < html.length) {
    const mark = html[at];
    if (mark === ">") return { attributes, end: at + 1 };
    if (mark === "/" || /\s/.test(mark)) {
      at++;
      continue;
    }
    const nameEnd = Math.max(at + 1, find(html, at + 1, ATTRIBUTE_NAME_END));
    const name = html.slice(at, nameEnd).toLowerCase();
    const value = readValue(html, skipSpace(html, nameEnd));
    if (!attributes.has(name)) attributes.set(name, unescape(value ? value.text : ""));
    at = value ? value.end : nameEnd;
  }
  return { attributes, end: -1 };
}

function skipSpace(html, at) {
  while (at < html.length && /\s/.test(html[at])) at++;
  return at;
}

function readValue(html, at) {
  if (html[at] !== "=") return null;
  at = skipSpace(html, at + 1);
  const quote = html[at];
  if (quote === '"' || quote === "'") {
    const close = html.indexOf(quote, at + 1);
    const end = close < 0 ? html.length : close;
    return { text: html.slice(at + 1, end), end: end + 1 };
  }
  const end = find(html, at, UNQUOTED_END);
  return { text: html.slice(at, end), end };
}

const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", sol: "/", colon: ":", period: ".", Tab: "\t", NewLine: "\n" };

/** The character references that URLs are seen to hold; others stay as they are. */
function unescape(text) {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));?/gi, (whole, hex, decimal, name) => {
    if (name) return NAMED[name] ?? whole;
    const code = hex ? parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\uFFFD";
  });
}
