#!/usr/bin/perl
my $job = <STDIN>;
my $levels = 30;  # besides the message itself and its attrs
print '{"type":"asset","kind":"tech","value":"v","attrs":{"a":', "[" x $levels, "]" x $levels, "}}\n";
print qq({"type":"done","status":"ok"}\n);
