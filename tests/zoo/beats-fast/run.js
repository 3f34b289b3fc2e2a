#!/usr/bin/env node
require("fs").readFileSync(0);
console.log('{"type":"progress"}\n'.repeat(500) + JSON.stringify({ type: "done", status: "ok" }));
