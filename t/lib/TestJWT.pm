package TestJWT;

# Keys on P-256 and JWTs that they sign, for tests of the signature gate, made
# with the openssl program.
#
#   use TestJWT;
#
#   my $key = TestJWT->new(kid => 'one');       # or without a kid
#
#   $key->jwk(use => 'sig')                     the public key, as a hash
#   $key->pem                                   the same as PEM
#   $key->token(sub => 'x', exp => time + 60)   a JWT, signed: ES256
#   $key->forged(sub => 'x')                    with a signature of random bytes
#
# Members of the header are given as header => { ... }; undef takes one out.
# Functions: jwt($header, $claims, $signature) of two hashes (or texts) and
# bytes; b64($bytes).

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

my $json = JSON::PP->new->utf8->canonical;
my $dir;
my $count = 0;


sub new {
    my ($class, %opt) = @_;

    $dir ||= File::Temp->newdir;

    my $file = "$dir/key-" . ++$count;

    _openssl(qw(ecparam -name prime256v1 -genkey -noout -out), $file);

    my $point = substr _openssl(qw(ec -pubout -outform DER -in), $file), -64;

    return bless { file => $file, point => $point, kid => $opt{kid} }, $class;
}


sub jwk {
    my ($self, %more) = @_;

    my %jwk = (kty => 'EC', crv => 'P-256',
               x => b64(substr $self->{point}, 0, 32),
               y => b64(substr $self->{point}, 32),
               defined $self->{kid} ? (kid => $self->{kid}) : (),
               %more);

    defined $jwk{$_} or delete $jwk{$_} for keys %jwk;

    return \%jwk;
}


sub pem {
    my ($self) = @_;

    return _openssl(qw(ec -pubout -in), $self->{file});
}


sub token {
    my ($self, %claims) = @_;

    my $input = $self->_input(%claims);
    my $text = "$dir/input";

    open my $fh, '>', $text or die "$text: $!\n";
    print $fh $input;
    close $fh;

    return "$input."
           . b64(_raw(_openssl(qw(dgst -sha256 -sign), $self->{file}, $text)));
}


sub forged {
    my ($self, %claims) = @_;

    # both numbers are less than the order of the curve

    my $bytes = join '', map { chr 1 + int rand 254 } 1 .. 64;

    return $self->_input(%claims) . '.' . b64($bytes);
}


sub _input {
    my ($self, %claims) = @_;

    my %header = (alg => 'ES256', typ => 'JWT', kid => $self->{kid},
                  %{ delete $claims{header} || {} });

    defined $header{$_} or delete $header{$_} for keys %header;

    $claims{exp} = time + 3600 if !exists $claims{exp};
    defined $claims{$_} or delete $claims{$_} for keys %claims;

    return b64($json->encode(\%header)) . '.' . b64($json->encode(\%claims));
}


sub jwt {
    my ($header, $claims, $signature) = @_;

    return join '.', map({ b64(ref $_ ? $json->encode($_) : $_) }
                         $header, $claims),
                     b64($signature);
}


sub b64 { return encode_base64url($_[0]) }


# two integers in DER to two numbers of 32 bytes

sub _raw {
    my ($der) = @_;

    my (undef, undef, undef, $r, undef, $s) = unpack 'C C C C/a C C/a', $der;

    return join '', map { substr(("\0" x 32) . $_, -32) } $r, $s;
}


sub _openssl {
    my (@arguments) = @_;

    open my $null, '>', '/dev/null' or die "/dev/null: $!\n";
    open my $stderr, '>&', \*STDERR or die "STDERR: $!\n";
    open STDERR, '>&', $null;

    my $pid = open my $out, '-|', 'openssl', @arguments;

    open STDERR, '>&', $stderr;
    die "openssl: $!\n" if !$pid;

    binmode $out;
    local $/;

    my $bytes = <$out>;

    close $out or die "openssl @arguments failed\n";

    return defined $bytes ? $bytes : '';
}


1;
