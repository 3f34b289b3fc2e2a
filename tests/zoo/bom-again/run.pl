#!/usr/bin/perl
my $job = <STDIN>;
for (1 .. 2) { print qq(\xef\xbb\xbf{"type":"finding","rule":"r$_","title":"t","severity":"low"}\n); }
print qq({"type":"done","status":"ok"}\n);
