#!/usr/bin/perl
close STDIN;
print qq({"type":"done","status":"ok"}\n);
