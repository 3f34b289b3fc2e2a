#!/usr/bin/perl
my $job = <STDIN>;
print '{"type":"done","status":"error","error":{"kind":"transient","message":"a transient fault"}}', "\n";
