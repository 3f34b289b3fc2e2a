// What is wrong with a page's tags: one page in, findings and third parties out. No I/O.

const HASHES = /^sha(256|384|512)-[A-Za-z0-9+/_-]+={0,2}(\?.*)?$/;
const SCRIPT_TYPES = /^(|module|(text|application)\/(x-)?(java|ecma)script|text\/(jscript|livescript|javascript1\.\d))$/i;
const PASSIVE = { img: "src", audio: "src", video: "src", source: "src" };
const PER_RULE = 100; // instances of one rule that are said; the rest are counted

/** {findings, thirdParties: Map host → Set of kinds, dropped} for `page`, whose start tags are `tags`. */
export function judge(page, tags, ownHosts) {
  const state = { page, base: page.url, based: false, ownHosts, found: new Map(), thirdParties: new Map(), handlers: [] };
  for (const tag of tags) look(state, tag);
  const findings = [...state.found.values()].flatMap((byKey) => [...byKey.values()].slice(0, PER_RULE));
  const dropped = [...state.found.values()].reduce((sum, byKey) => sum + Math.max(0, byKey.size - PER_RULE), 0);
  if (state.handlers.length) findings.push(inlineHandlers(state));
  return { findings, thirdParties: state.thirdParties, dropped };
}

function look(state, { name, attributes }) {
  if (name === "base" && attributes.has("href") && !state.based) {
    state.based = true; // only the first counts
    state.base = resolve(attributes.get("href"), state.page.url) ?? state.base;
  }
  for (const [attribute] of attributes) if (/^on[a-z]{3,}$/.test(attribute)) state.handlers.push(`<${name} ${attribute}>`);
  if (name === "script" && attributes.has("src") && SCRIPT_TYPES.test((attributes.get("type") ?? "").trim()))
    lookAtCode(state, "script", attributes.get("src"), attributes);
  else if (name === "link" && attributes.has("href") && isStylesheet(attributes))
    lookAtCode(state, "stylesheet", attributes.get("href"), attributes);
  else if (name === "iframe" && attributes.get("src")) lookAtFrame(state, attributes.get("src"));
  else if (name === "form" && attributes.get("action")) lookAtForm(state, attributes.get("action"));
  else if (PASSIVE[name] && attributes.get(PASSIVE[name])) lookAtMedia(state, name, attributes.get(PASSIVE[name]));
}

const isStylesheet = (attributes) => (attributes.get("rel") ?? "").toLowerCase().split(/\s+/).includes("stylesheet");

function resolve(text, base) {
  try {
    const url = new URL(text.trim(), base);
    return /^https?:$/.test(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** Whether `host` belongs to someone else: not the page's own, above or below it, nor named as own. */
export function isForeign(host, own, ownHosts) {
  const home = own.replace(/^www\./, "");
  if (host === home || host.endsWith(`.${home}`) || home.endsWith(`.${host}`)) return false;
  return !ownHosts.some((name) => (name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name));
}

function lookAtCode(state, kind, source, attributes) {
  const url = resolve(source, state.base);
  if (!url) return;
  if (isMixed(state, url)) add(state, "mixed-active-content", url, mixedActive(kind));
  const integrity = (attributes.get("integrity") ?? "").trim();
  const foreign = isForeign(url.hostname, state.page.url.hostname, state.ownHosts);
  if (foreign) meet(state, url, kind);
  const usable = integrity.split(/\s+/).some((hash) => HASHES.test(hash));
  if (integrity && !usable) add(state, "integrity-malformed", url, malformed(kind, integrity));
  else if (foreign && !integrity) add(state, `${kind}-without-integrity`, url, kind === "script" ? bareScript : bareStyle);
  else if (integrity && url.origin !== state.page.url.origin && !attributes.has("crossorigin"))
    add(state, "integrity-without-crossorigin", url, noCrossorigin(kind));
}

function lookAtFrame(state, source) {
  const url = resolve(source, state.base);
  if (!url) return;
  if (isMixed(state, url)) add(state, "mixed-active-content", url, mixedActive("frame"));
  if (isForeign(url.hostname, state.page.url.hostname, state.ownHosts)) meet(state, url, "frame");
}

function lookAtForm(state, action) {
  const url = resolve(action, state.base);
  if (url && isMixed(state, url)) add(state, "insecure-form-action", url, insecureForm);
}

function lookAtMedia(state, name, source) {
  const url = resolve(source, state.base);
  if (url && isMixed(state, url)) add(state, "mixed-passive-content", url, mixedPassive(name));
}

const isMixed = (state, url) => state.page.url.protocol === "https:" && url.protocol === "http:";

function meet(state, url, kind) {
  const kinds = state.thirdParties.get(url.hostname) ?? new Set();
  state.thirdParties.set(url.hostname, kinds.add(kind));
}

/** One finding for a rule and address, however often the page has it. Queries may hold secrets and change: left out. */
function add(state, rule, url, words) {
  const key = `${url.origin}${url.pathname}`.slice(0, 1024);
  const byKey = state.found.get(rule) ?? new Map();
  state.found.set(rule, byKey);
  if (byKey.has(key)) return;
  byKey.set(key, { rule, ...words, key, evidence: words.evidence ?? key, location: { url: state.page.url.href } });
}

const bareScript = {
  title: "Script from another host without an integrity hash",
  severity: "low",
  confidence: "high",
  description: "Whoever controls that host, or breaks into it, can change the script and so run code in your visitors' browsers.",
  remediation: "Serve the script from your own host, or add integrity=\"sha384-…\" and crossorigin=\"anonymous\" to its tag.",
  refs: ["CWE-353", "CWE-829", "OWASP-A08:2021"],
};
const bareStyle = {
  title: "Stylesheet from another host without an integrity hash",
  severity: "info",
  confidence: "high",
  description: "Whoever controls that host can change how your page looks, and with CSS alone read some of what is typed into it.",
  remediation: "Serve the stylesheet from your own host, or add integrity and crossorigin to its tag where its content never changes.",
  refs: ["CWE-353", "CWE-829"],
};
const mixedActive = (kind) => ({
  title: `A page over HTTPS takes a ${kind} over plain HTTP`,
  severity: "medium",
  confidence: "high",
  description: "Anyone on the way can replace it and take over the page. Present browsers refuse to load it, so the page may be broken as well.",
  remediation: "Use an https:// address for it.",
  refs: ["CWE-319", "CWE-829"],
});
const mixedPassive = (name) => ({
  title: "A page over HTTPS shows media taken over plain HTTP",
  severity: "low",
  confidence: "high",
  description: `Anyone on the way can see that this ${name} is loaded, and replace it.`,
  remediation: "Use an https:// address for it.",
  refs: ["CWE-319"],
});
const insecureForm = {
  title: "A form on an HTTPS page is sent over plain HTTP",
  severity: "medium",
  confidence: "high",
  description: "What visitors type into the form travels unencrypted, for anyone on the way to read and change.",
  remediation: "Use an https:// address as the form's action.",
  refs: ["CWE-319"],
};
const malformed = (kind, integrity) => ({
  title: "An integrity attribute that browsers ignore",
  severity: "low",
  confidence: "high",
  description: `The ${kind}'s integrity attribute has no sha256, sha384 or sha512 hash in the right form, so nothing is checked.`,
  remediation: "Make the hash anew: sha384- and the Base64 of the file's SHA-384.",
  evidence: `integrity="${integrity.slice(0, 200)}"`,
  refs: ["CWE-353"],
});
const noCrossorigin = (kind) => ({
  title: "Integrity without crossorigin",
  severity: "info",
  confidence: "high",
  description: `Browsers cannot check the hash of a ${kind} from another origin without the crossorigin attribute, and refuse to load it.`,
  remediation: "Add crossorigin=\"anonymous\" to the tag.",
  refs: ["CWE-353"],
});

function inlineHandlers({ page, handlers }) {
  return {
    rule: "inline-event-handlers",
    title: "Inline event handlers",
    severity: "info",
    confidence: "high",
    description: `Inline event handlers on the page: ${handlers.length}. While it needs them, its Content-Security-Policy cannot forbid inline code, which is what stops most script injection.`,
    remediation: "Attach the handlers with addEventListener in a script file.",
    refs: ["CWE-79"],
    evidence: [...new Set(handlers)].slice(0, 20).join(" "),
    location: { url: page.url.href },
  };
}
