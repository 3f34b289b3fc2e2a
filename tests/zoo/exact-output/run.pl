#!/usr/bin/perl
my $job = <STDIN>;
my $done = qq({"type":"done","status":"ok"}\n);
my $frame = length qq({"type":"x-blob","data":""}\n);
my $left = 1048576 - length $done;
while ($left) {
    my $size = $left > 200_000 ? 100_000 : $left;
    print '{"type":"x-blob","data":"', "a" x ($size - $frame), qq("}\n);
    $left -= $size;
}
print $done;
