#!/usr/bin/perl
my $job = <STDIN>;
print qq({"type":"x-banner","caf\xe9":{"a\x00b":"\xff\xfe"}}\n);
print qq({"type":"done","status":"ok"}\n);
