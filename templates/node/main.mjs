#!/usr/bin/env node
// plain-http: is plain HTTP sent on to HTTPS? One job line in, messages out; no packages.

import { readFileSync } from "node:fs";
import http from "node:http";

console.log = console.info = console.error; // stdout is the protocol's: what a library prints goes to stderr
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** Status and Location of what answers at `url`. http.headers may be secrets, and this goes in clear. */
function answer(url, wishes, seconds) {
  const options = {
    headers: { "User-Agent": wishes.user_agent },
    insecureHTTPParser: true, // servers in need of a scan are not always tidy
    signal: AbortSignal.timeout(seconds * 1000), // of the whole answer: a byte a second is no answer
  };
  return new Promise((resolve, reject) => {
    const read = (response) => {
      resolve([response.statusCode, response.headers.location ?? ""]);
      response.destroy(); // the body is not needed
    };
    http.get(url, options, read).on("error", reject);
  });
}

const fail = (kind, message) => say({ type: "done", status: "error", error: { kind, message } });

async function main() {
  const job = JSON.parse(readFileSync(0, "utf8"));
  const { host } = job.targets[0];
  const where = host.includes(":") ? `[${host}]` : host; // an IPv6 address stands in brackets in a URL
  const url = `http://${where}:${job.options.port}/`;
  if (job.http.proxy) return fail("config", "this plugin cannot use http.proxy");

  let status, location;
  try {
    [status, location] = await answer(url, job.http, Math.min(5, job.deadline_s / 2));
  } catch (error) {
    return fail("target", `${url} does not answer: ${error.message || error.code}`);
  }

  const redirects = status >= 300 && status < 400 && location;
  const seen = redirects ? `HTTP ${status} to ${location}` : `HTTP ${status}`;
  if (!redirects || !location.toLowerCase().startsWith("https://"))
    say({
      type: "finding",
      rule: "http.no-redirect",
      title: "Plain HTTP is not sent on to HTTPS",
      severity: "medium",
      location: { url },
      evidence: seen,
      remediation: "Answer every plain request with a redirect to the https:// address.",
      refs: ["CWE-319"],
    });
  say({ type: "done", status: "ok", message: seen });
}

await main();
