// One page, fetched: redirects within the host, a bound on bytes and time, a proxy where there is one.
// Node's own fetch() knows no proxy and cannot be bounded by bytes before decompression: hence node:http.
// Nothing here judges a page.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import tls from "node:tls";
import zlib from "node:zlib";

export const BODY_LIMIT = 4 * 1024 * 1024;
const REDIRECT_LIMIT = 5;
const UNTRUSTED = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|CRL_|INVALID_)/;
const DECODERS = {
  gzip: zlib.createGunzip,
  "x-gzip": zlib.createGunzip,
  deflate: zlib.createInflate,
  br: zlib.createBrotliDecompress,
};

/** Why there is no page to judge; `kind` is the protocol's error.kind, or "skipped". */
export class NoPage extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/**
 * The page at `url` as {url, status, type, text, truncated, untrusted, sent}, after redirects within its host;
 * `sent` is what was left of `wishes` on the way.
 * `wishes` is the job's `http`. Throws NoPage; what `signal` aborts is thrown as its reason.
 */
export async function fetchPage(url, wishes, signal) {
  let here = new URL(url);
  let sent = wishes;
  for (let hops = 0; hops <= REDIRECT_LIMIT; hops++) {
    const response = await send(here, sent, signal);
    const next = redirect(here, response);
    if (!next) return { ...(await read(here, response, signal)), sent };
    response.destroy();
    if (next.hostname !== here.hostname || !/^https?:$/.test(next.protocol))
      throw new NoPage("skipped", `${here.href} sends every visitor on to ${next.host}, which is not this target`);
    if (here.protocol === "https:" && next.protocol === "http:") sent = { ...wishes, headers: {} }; // never in clear
    here = next;
  }
  throw new NoPage("target", `more than ${REDIRECT_LIMIT} redirects, the last to ${here.href}`);
}

/** Whether anything answers in HTTP at `url`: resolves to its status, throws NoPage where nothing does. */
export async function probe(url, wishes, signal) {
  const response = await send(new URL(url), wishes, signal);
  response.destroy();
  return response.statusCode;
}

function redirect(here, response) {
  const location = response.headers.location;
  if (![301, 302, 303, 307, 308].includes(response.statusCode) || !location) return null;
  try {
    return new URL(location, here);
  } catch {
    throw new NoPage("target", `${here.href} redirects to what is no URL: ${location.slice(0, 200)}`);
  }
}

async function send(url, wishes, signal) {
  try {
    return await attempt(url, wishes, signal, true);
  } catch (error) {
    if (!error.untrusted) throw error;
    // The tls plugin judges certificates; here the page is what matters. But a host that cannot
    // prove who it is does not get the profile's own headers, which may be secrets.
    const response = await attempt(url, { ...wishes, headers: {} }, signal, false);
    response.untrusted = true;
    return response;
  }
}

async function attempt(url, wishes, signal, verify) {
  const headers = {
    "User-Agent": wishes.user_agent,
    Accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    ...wishes.headers,
  };
  const trust = { rejectUnauthorized: verify, ca: authorities(wishes) };
  const options = { method: "GET", headers, signal, agent: false, ...trust };
  const proxy = wishes.proxy ? proxyOf(wishes.proxy) : null;
  try {
    if (!proxy) return await exchange(url.protocol === "https:" ? https : http, url, options);
    if (url.protocol === "http:") return await viaProxy(proxy, url, options);
    const socket = await tunnel(proxy, url, signal);
    const name = bare(url.hostname);
    const servername = isIP(name) ? "" : name;
    const createConnection = () => tls.connect({ socket, host: name, servername, ...trust });
    return await exchange(https, url, { ...options, createConnection });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof NoPage) throw error;
    const failure = new NoPage("target", `${url.href} does not answer: ${error.message || error.code}`);
    failure.untrusted = verify && UNTRUSTED.test(error.code ?? "");
    throw failure;
  }
}

function authorities(wishes) {
  if (!wishes.ca_file) return undefined;
  try {
    return [...tls.rootCertificates, readFileSync(wishes.ca_file, "utf8")];
  } catch (error) {
    throw new NoPage("config", `http.ca_file cannot be read: ${error.message}`);
  }
}

const bare = (hostname) => hostname.replace(/^\[|\]$/g, "");

function exchange(module, url, options) {
  return new Promise((resolve, reject) => {
    module.request(url, options).on("response", resolve).on("error", reject).end();
  });
}

function proxyOf(text) {
  let url = null;
  try {
    url = new URL(text.includes("://") ? text : `http://${text}`);
  } catch {
    // said below, with the other kinds that will not do
  }
  if (url?.protocol !== "http:") throw new NoPage("config", `http.proxy must be an http:// URL for this plugin`);
  const headers = {};
  if (url.username) {
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers["Proxy-Authorization"] = `Basic ${Buffer.from(login).toString("base64")}`;
  }
  return { host: bare(url.hostname), port: Number(url.port || 80), headers };
}

function viaProxy(proxy, url, options) {
  const headers = { Host: url.host, ...options.headers, ...proxy.headers };
  return new Promise((resolve, reject) => {
    http
      .request({ ...options, host: proxy.host, port: proxy.port, path: url.href.split("#")[0], headers })
      .on("response", resolve)
      .on("error", reject)
      .end();
  });
}

function tunnel(proxy, url, signal) {
  const path = `${url.hostname}:${url.port || 443}`;
  const options = { host: proxy.host, port: proxy.port, method: "CONNECT", path, agent: false, signal };
  return new Promise((resolve, reject) => {
    http
      .request({ ...options, headers: { Host: path, ...proxy.headers } })
      .on("connect", (response, socket) =>
        response.statusCode === 200 ? resolve(socket) : reject(new Error(`the proxy said ${response.statusCode}`)),
      )
      .on("response", (response) => reject(new Error(`the proxy said ${response.statusCode}`)))
      .on("error", reject)
      .end();
  });
}

async function read(url, response, signal) {
  const type = (response.headers["content-type"] ?? "").split(";")[0].trim().toLowerCase();
  const page = { url, status: response.statusCode, type, text: "", truncated: null };
  page.untrusted = response.untrusted === true;
  const decoder = DECODERS[(response.headers["content-encoding"] ?? "").trim().toLowerCase()];
  const body = decoder ? response.on("error", () => {}).pipe(decoder()) : response;
  const chunks = [];
  let size = 0;
  response.on("aborted", () => body.destroy(new Error("the connection was closed early")));
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > BODY_LIMIT) {
        page.truncated = `only the first ${BODY_LIMIT / 1024 / 1024} MiB were read`;
        break;
      }
    }
  } catch (error) {
    // What came before the break is still a part of the page, and is judged as such.
    page.truncated = signal.aborted ? signal.reason.message : `the page broke off: ${error.message}`;
  }
  response.destroy();
  page.text = Buffer.concat(chunks).toString("utf8");
  return page;
}
