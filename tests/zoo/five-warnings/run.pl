#!/usr/bin/perl
$| = 1;
unless (fork) { setpgrp; sleep 300; exit }
print qq({"type":"finding","rule":"r1","title":"caf\xe9","severity":"low","severitty":"high"}\n);
print qq({"type":"log","level":"info","message":"m"}\n) x 300;
print qq({"type":"done","status":"ok"}\n);
