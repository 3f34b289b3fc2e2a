#!/usr/bin/perl
my $job = <STDIN>;
print STDERR "a" x 8192, "b" x (10_000_000 - 8192 - 57344), "c" x 57344;
exit 1;
