#!/usr/bin/env node
const fs = require("fs");
fs.readFileSync(0);
fs.writeFileSync("artifacts/a\nb", "x");
console.log(JSON.stringify({ type: "done", status: "ok" }));
