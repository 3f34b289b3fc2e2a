#!/usr/bin/env node
require("fs").readFileSync(0);
let beats = 0;
const timer = setInterval(() => {
    if (++beats < 14) return console.log('{"type":"progress"}');
    clearInterval(timer);
    console.log('{"type":"done","status":"ok"}');
}, 250);
