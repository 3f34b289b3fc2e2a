#!/usr/bin/perl
my $job = <STDIN>;
print '{"type":"x-blob","data":"';
print "a" x 65536 while 1;
