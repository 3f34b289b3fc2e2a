#!/usr/bin/perl
my $job = <STDIN>;
print qq({"type":"finding","rule":"r","title":"t","severity":"low","location":{"host":"h","colum":3,"x_col":4}}\n);
print qq({"type":"done","status":"ok"}\n);
