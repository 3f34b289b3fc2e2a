#!/usr/bin/env node
// One page, and the code that it takes from others. Here: the job, its time, and what is said.
// Fetching is in page.mjs, reading HTML in tags.mjs, the judgement in rules.mjs.

import { readFileSync, writeSync } from "node:fs";
import { fetchPage, NoPage, probe } from "./page.mjs";
import { judge } from "./rules.mjs";
import { startTags } from "./tags.mjs";

const out = (message) => {
  let rest = Buffer.from(`${JSON.stringify(message)}\n`);
  while (rest.length) rest = rest.subarray(write(rest)); // synchronous: nothing is lost at exit
};

function write(bytes) {
  try {
    return writeSync(1, bytes);
  } catch (error) {
    if (error.code !== "EAGAIN") throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); // the reader is slow: wait for it
    return 0;
  }
}

const finish = (status, message) => out({ type: "done", status, ...(message ? { message } : {}) });
const fail = (kind, message) => out({ type: "done", status: "error", error: { kind, message } });
const within = (ms, what) => AbortSignal.any([stop.signal, timer(ms, what)]);

function timer(ms, what) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new NoPage("target", what)), ms).unref();
  return controller.signal;
}

const stop = new AbortController();
process.on("SIGTERM", () => stop.abort(new NoPage("target", "stopped by SIGTERM before the page was read")));

async function main() {
  const job = JSON.parse(readFileSync(0, "utf8"));
  const url = job.targets[0].value;
  const limit = job.deadline_s * 1000;
  const reserve = Math.min(8000, limit / 4); // ours, to ask again and to say what was found
  const beat = setInterval(() => out({ type: "progress", message: "reading the page" }), 5000);
  const signal = within(limit - reserve, `${url} gave no answer in time`);
  const page = await fetchPage(url, job.http, signal).finally(() => clearInterval(beat));
  if (page.untrusted && Object.keys(job.http.headers).length)
    out({ type: "log", level: "warn", message: "the certificate is not trusted: http.headers are not sent" });
  if (page.type && !/html/.test(page.type)) return finish("skipped", `${page.url.href} is ${page.type}, not HTML`);
  if (page.status >= 500) return fail("target", `${page.url.href} answered ${page.status}: there is no page to judge`);
  if (page.status >= 400) return finish("skipped", `${page.url.href} answered ${page.status}: there is no page to judge`);

  const { findings, thirdParties, dropped } = judge(page, startTags(page.text), job.options.own_hosts);
  for (const finding of findings) out({ type: "finding", ...finding });
  for (const [host, kinds] of thirdParties)
    out({ type: "asset", kind: "third-party", value: host, attrs: { gives: [...kinds].sort(), page: page.url.href } });
  if (dropped) out({ type: "log", level: "warn", message: `${dropped} more findings of the same rules were left out` });

  if (page.truncated) return finish("partial", page.truncated);
  return again(page, reserve / 2);
}

async function again(page, ms) {
  try {
    await probe(page.url.href, page.sent, within(ms, "no answer in time"));
  } catch (error) {
    if (!(error instanceof NoPage)) throw error;
    if (stop.signal.aborted) return finish("partial", "stopped by SIGTERM");
    return finish("partial", `the target stopped answering during this job: ${error.message}`);
  }
  return finish("ok");
}

main().catch((error) => {
  if (error instanceof NoPage && stop.signal.aborted) finish("partial", error.message);
  else if (error instanceof NoPage && error.kind === "skipped") finish("skipped", error.message);
  else if (error instanceof NoPage) fail(error.kind, error.message);
  else fail("internal", String(error?.stack ?? error).slice(0, 2000));
});
