#!/usr/bin/perl
my $job = <STDIN>;
print qq({"type":"finding","rule":"r","title":"t","severity":"HIGH"}\n);
