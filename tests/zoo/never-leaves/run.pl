#!/usr/bin/perl
my $job = <STDIN>;
$| = 1;
print qq({"type":"done","status":"ok","message":"all well"}\n);
sleep 300;
