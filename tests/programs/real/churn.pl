# SPDX-License-Identifier: BSD-2-Clause
# churn.pl SCALE: hashes, sorting, regular expressions and fork.
use strict;
use warnings;

my $scale = shift;
my $state = 12345;

sub next_number {
	$state = ($state * 1103515245 + 12345) & 0x7FFFFFFF;
	return $state;
}

# An order-sensitive checksum that needs no module.
sub checksum {
	my $sum = 0;
	$sum = (($sum * 31) + unpack('%32C*', $_) + length) & 0x7FFFFFFF for @_;
	return $sum;
}

my %table;
for my $i (1 .. $scale) {
	my $n = next_number();
	push @{$table{"key" . $n % ($scale / 4)}}, "value $n" x ($n % 5);
	delete $table{"key" . ($n >> 4) % ($scale / 4)} if $n % 7 == 0;
}
print "hash ", scalar(keys %table), " ",
    checksum(map { ($_, @{$table{$_}}) } sort keys %table), "\n";

my @rows = map { [next_number() % 1000, sprintf("%08x", next_number())] }
    1 .. $scale;
my @sorted = sort { $a->[0] <=> $b->[0] or $a->[1] cmp $b->[1] } @rows;
print "sort ", checksum(map { "@$_" } @sorted), "\n";

my $text = join(' ', map { sprintf("w%d=%x;", $_, next_number()) }
    1 .. $scale / 2);
my %seen;
$seen{$2}++ while $text =~ /w(\d+)=([0-9a-f]{2})[0-9a-f]*;/g;
(my $changed = $text) =~ s/(\d+)=([a-f]+)/<$2:$1>/g;
print "regex ", join(',', map { "$_$seen{$_}" } (sort keys %seen)[0 .. 9]),
    " ", checksum(split / /, $changed), "\n";

my $long = '';
$long .= chr(97 + $_ % 26) x ($_ % 50) for 1 .. $scale / 4;
substr($long, $_ * 10, 3, 'replacement') for 1 .. 500;
print "string ", length($long), " ", checksum(unpack('(A60)*', $long)), "\n";

for my $round (1 .. 8) {
	pipe(my $reader, my $writer) or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		close $reader;
		my @copy = map { [@$_, $round] } @sorted[0 .. $scale / 8];
		print $writer checksum(map { "@$_" } @copy), "\n" for 1 .. 3;
		close $writer;
		exit $round;
	}
	close $writer;
	my @lines = <$reader>;
	waitpid $pid, 0;
	print "fork $round ", $? >> 8, " ", $? & 127, " ", @lines;
}
print "backtick ", `echo from a shell; exit 3`, $? >> 8, "\n";
