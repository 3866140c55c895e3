#!/usr/bin/env perl
# name-server.pl ADDRESS NAME ANSWER - a DNS server on UDP port 53 of ADDRESS that knows one name; prints "ready" when it
# listens. Names that it does not know, and IPv6 addresses, do not exist.
use strict;
use warnings;
use IO::Socket::INET;

my ($address, $name, $answer) = @ARGV;
my $socket = IO::Socket::INET->new(LocalAddr => $address, LocalPort => 53, Proto => 'udp') or die "port 53: $!\n";
$| = 1;
print "ready\n";
while (defined(my $from = $socket->recv(my $query, 512))) {
    my ($id) = unpack 'n', $query;
    my @labels;
    my $at = 12;
    while (my $n = unpack 'C', substr $query, $at, 1) {
        push @labels, substr $query, $at + 1, $n;
        $at += $n + 1;
    }
    my $question = substr $query, 12, $at + 5 - 12;
    my $type = unpack 'n', substr $query, $at + 1, 2;
    my $known = lc join('.', @labels) eq $name;
    my $found = $known && $type == 1;
    my $reply = pack('n6', $id, $known ? 0x8180 : 0x8183, 1, $found ? 1 : 0, 0, 0) . $question;
    $reply .= pack('n3 N n', 0xc00c, 1, 1, 60, 4) . join '', map { chr } split /\./, $answer if $found;
    $socket->send($reply, 0, $from);
}
