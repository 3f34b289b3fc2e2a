#!/usr/bin/perl
my $job = <STDIN>;
print qq({"type":"done","status":"ok","error":{"kind":"target","message":"it is down"}}\n);
