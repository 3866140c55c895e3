#!/usr/bin/perl
# certdata.pl - the CAs that Mozilla trusts for TLS servers, out of its certdata.txt, as PEM
# usage: certdata.pl BLACKLIST CERTDATA >BUNDLE
#
# certdata.txt is a list of objects, each a list of "ATTRIBUTE TYPE VALUE" lines. A certificate and what it is trusted
# for are two objects; issuer and serial number are the same in both.
use strict;
use warnings;
use MIME::Base64;

my ($blacklist, $certdata) = @ARGV;
my (%bad, @objects);
open my $list, '<', $blacklist or die "$blacklist: $!\n";
while (<$list>) { $bad{$1} = 1 if /^"?([^"#\n]+?)"?\s*$/ }

open my $in, '<', $certdata or die "$certdata: $!\n";
while (<$in>) {
    next unless my ($name, $type, $value) = /^(CKA_\w+)\s+(\w+)\s*(.*?)\s*$/;
    push @objects, {} if $name eq 'CKA_CLASS';
    if ($type eq 'MULTILINE_OCTAL') {
        $value = '';
        while (<$in>) {
            last if /^END/;
            $value .= chr oct $1 while /\\([0-7]{3})/g;
        }
    }
    $objects[-1]{$name} = $value if @objects;
}

my $id = sub { my $object = shift; ($object->{CKA_ISSUER} // '') . "\0" . ($object->{CKA_SERIAL_NUMBER} // '') };
my %trusted = map { $id->($_) => 1 }
    grep { $_->{CKA_CLASS} eq 'CKO_NSS_TRUST' && $_->{CKA_TRUST_SERVER_AUTH} eq 'CKT_NSS_TRUSTED_DELEGATOR' } @objects;

for my $cert (grep { $_->{CKA_CLASS} eq 'CKO_CERTIFICATE' && $trusted{$id->($_)} } @objects) {
    (my $label = $cert->{CKA_LABEL}) =~ s/^"|"$//g;
    next if $bad{$label};
    my $pem = encode_base64($cert->{CKA_VALUE}, '');
    $pem =~ s/(.{1,64})/$1\n/g;
    print "# $label\n-----BEGIN CERTIFICATE-----\n$pem-----END CERTIFICATE-----\n";
}
