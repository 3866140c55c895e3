#!/usr/bin/env perl
# not-postgresql.pl - listens on a port of loopback, prints its number, and is no PostgreSQL.
#
#   not-postgresql.pl mute     accepts and says nothing
#   not-postgresql.pl http     speaks another protocol
#   not-postgresql.pl deaf     has a queue that is full: who connects waits for ever, as behind a firewall
use strict;
use warnings;
use IO::Socket::INET;

my $manner = shift or die "mute, http or deaf?\n";
my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp') or die "bind: $!\n";
listen $port, $manner eq 'deaf' ? 0 : 10 or die "listen: $!\n";
my @kept;
if ($manner eq 'deaf') {
    for (1 .. 4) {
        push @kept, IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port->sockport, Proto => 'tcp', Blocking => 0);
    }
}
$| = 1;
print $port->sockport, "\n";
sleep 600 while $manner eq 'deaf';
while (my $client = $port->accept) {
    push @kept, $client;
    next if $manner eq 'mute';
    sysread $client, my $hello, 8;
    syswrite $client, "HTTP/1.1 400 Bad Request\r\n\r\n";
    close $client;
}
