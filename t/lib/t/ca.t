use strict;
use warnings;

# TestCA: each certificate is good or bad in its one way.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

use lib abs_path(dirname(__FILE__) . '/..');

use TestCA;

plan skip_all => 'no openssl' if system('openssl version >/dev/null 2>&1');

my $ca = TestCA->new;

ok(-f $ca->file, 'a CA');
is($ENV{TEST_NGINX_CA_FILE}, $ca->file, 'known to blocks');


sub verify {
    my ($kind, $purpose) = @_;

    my $cert = $ca->cert($kind)->{cert};
    my $said = `openssl verify -CAfile \Q@{[ $ca->file ]}\E \\
                -untrusted $cert -purpose $purpose $cert 2>&1`;

    return $said =~ /error (\d+) at/ ? $1 : $said =~ /: OK$/ ? 0 : $said;
}


sub text {
    my ($kind) = @_;

    my $cert = $ca->cert($kind)->{cert};

    return `openssl x509 -in $cert -noout -subject -ext subjectAltName 2>&1`;
}


# error numbers of openssl verify

my %server = (
    good => 0, wrong_host => 0, cn_only => 0, cn_not_san => 0, wildcard => 0,
    nul_san => 0, chain => 0, self_signed => 18, untrusted => 20,
    expired => 10, not_yet_valid => 9, no_chain => 20, no_server_use => 26,
);

is(verify($_, 'sslserver'), $server{$_}, "$_: error $server{$_}")
    for sort keys %server;

is(verify('client', 'sslclient'), 0, 'client');
is(verify('client_expired', 'sslclient'), 10, 'client_expired');
is(verify('client_untrusted', 'sslclient'), 20, 'client_untrusted');

like(text('good'), qr/DNS:localhost.*DNS:api\.localhost/, 'names');
like(text('good'), qr/IP Address:127\.0\.0\.1/, 'addresses');
like(text('cn_only'), qr/CN = localhost/, 'a common name');
unlike(text('cn_only'), qr/DNS:/, 'alone');
like(text('cn_not_san'), qr/CN = localhost.*DNS:other\.example/s,
     'one that SAN contradicts');
unlike(text('cn_not_san'), qr/DNS:localhost/, 'entirely');
like(text('wildcard'), qr/DNS:\*\.api\.localhost/, 'wildcard');

my $nul = $ca->cert('nul_san')->{cert};

like(`openssl x509 -in $nul -outform DER`, qr/localhost\0other\.example|
     localhost\0\.other\.example/x, 'a NUL in a name');

my $own = $ca->issue('own', cn => 'x', san => [ 'DNS:x.example' ],
                     from => -2, to => 2);

like(text('own'), qr/DNS:x\.example/, 'one of our own');
is($ca->cert('own'), $own, 'made once');
ok(-f $own->{key}, 'with a key');
is((stat $own->{key})[2] & 0777, 0600, 'that is secret');
ok(!eval { $ca->cert('bogus'); 1 }, 'an unknown kind');

my $dir = $ca->dir;

undef $ca;
ok(!-e $dir, 'nothing stays');

done_testing();
