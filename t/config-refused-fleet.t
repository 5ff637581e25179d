use strict;
use warnings;

# What nginx -t refuses of "agilicus_token_fleet", and what it takes.

use File::Temp;
use Test::More;

use lib 't/lib';

use NginxProcess;

my $dir = File::Temp->newdir;

sub file {
    my ($name, $text, $mode) = @_;

    open my $fh, '>', "$dir/$name" or die "$name: $!\n";
    print $fh $text;
    close $fh;
    chmod $mode, "$dir/$name";

    return "$dir/$name";
}

my $key = file('fleet.key', '5a' x 32 . "\n", 0600);
my $next = file('next.key', '6b' x 32 . "\n", 0640);
my $third = file('third.key', '7c' x 32 . "\n", 0600);
my $short = file('short.key', '5a' x 31 . "\n", 0600);
my $long = file('long.key', '5a' x 33 . "\n", 0600);
my $words = file('words.key', 'not hexadecimal' x 5 . "\n", 0600);
my $open = file('open.key', '5a' x 32 . "\n", 0644);
my $empty = file('empty.key', '', 0600);
my $password = file('password', "s3same\n", 0600);
my $bare = file('bare', "s3same\n", 0644);
my $lines = file('lines', "s3same\ns3same\n", 0600);
my $near = 'redis://127.0.0.1:6379';


sub try {
    my ($directive, $more) = @_;

    return NginxProcess->new(
        http => "agilicus_token_api http://127.0.0.1:1;\n" . ($more || '')
                . "\nagilicus_token_fleet $directive;\n",
        config => 'location / { agilicus_token on; }')->test_config;
}


for my $case (
    [ $near, qr/needs a "key"/ ],
    [ "key=$key", qr/needs a URL/ ],
    [ "$near key=$dir/none", qr/none", which/ ],
    [ "$near key=", qr/"key=" .* must be/ ],
    [ "$near key=$short", qr/short\.key", which/ ],
    [ "$near key=$long", qr/long\.key", which/ ],
    [ "$near key=$words", qr/words\.key", which/ ],
    [ "$near key=$empty", qr/empty\.key", which/ ],
    [ "$near key=$open", qr/open\.key", which .*chmod/ ],
    [ "$near key=$key key=$next key=$third", qr/two keys at most/ ],
    [ "redis://192.0.2.1 key=$key", qr/not on this machine.*plaintext/ ],
    [ "$near redis://192.0.2.1 key=$key", qr/not on this machine/ ],
    [ "redis://user:s3same\@127.0.0.1 key=$key", qr/without a user/ ],
    [ "rediss://:s3same\@127.0.0.1/x key=$key", qr/without a user/ ],
    [ "redis://user:s3same/\@127.0.0.1 key=$key", qr/without a user/ ],
    [ "redis://127.0.0.1/x key=$key", qr/must be like/ ],
    [ "redis:// key=$key", qr/must be like/ ],
    [ "http://127.0.0.1 key=$key", qr/must be a URL/ ],
    [ "$near key=$key timeout=0", qr/timeout=0" .*between 100ms and 1m/ ],
    [ "$near key=$key timeout=2m", qr/between 100ms and 1m/ ],
    [ "$near key=$key timeout=1s timeout=1s",
      qr/duplicate parameter "timeout=1s"/ ],
    [ "$near key=$key name=", qr/name=" .* must be/ ],
    [ "$near key=$key name=a:b", qr/must be like/ ],
    [ "$near key=$key name=" . 'a' x 65, qr/64 at most/ ],
    [ "$near key=$key user=edge", qr/needs a "password"/ ],
    [ "$near key=$key password=$bare", qr/everybody can read it/ ],
    [ "$near key=$key password=$lines", qr/holds no password/ ],
    [ "$near key=$key password=$empty", qr/is empty/ ],
    [ "$near key=$key ca=$password", qr/no "rediss:\/\/" to verify/ ],
    [ "rediss://127.0.0.1 key=$key ca=$password", qr/no certificate in PEM/ ],
    [ "$near key=$key plaintext plaintext", qr/plaintext/ ],
    [ "$near key=$key what", qr/"what" .* must be a URL/ ],
    [ "off key=$key", qr/off/ ],
    [ "$near key=$key", qr/256k at least/, 'agilicus_token_denials 128k;' ],
    [ "off; agilicus_token_fleet off", qr/is duplicate/ ],
) {
    my ($directive, $why, $more) = @$case;
    my $res = try($directive, $more);

    isnt($res->{code}, 0, "\"$directive\" is refused");
    like($res->{output}, $why, 'and it is said why');
    unlike($res->{output}, qr/5a5a|s3same/, 'without the key or a password');
}

for my $directive (
    'off',
    "$near key=$key",
    "$near key=$key key=$next name=a-b.C_1 timeout=200ms",
    "redis://[::1]:6379/3 key=$key user=edge password=$password",
    "redis://localhost key=$key",
    "unix:$dir/redis.sock key=$key",
    "redis://192.0.2.1 key=$key plaintext",
    "rediss://192.0.2.1:6380/1 key=$key",
    "rediss://192.0.2.1 $near unix:/tmp/x key=$key",
) {
    my $res = try($directive);

    is($res->{code}, 0, "\"$directive\" is taken") or diag $res->{output};
}

for my $where ("server { agilicus_token_fleet off; }",
               "server { location / { agilicus_token_fleet off; } }")
{
    my $res = NginxProcess->new(http => $where)->test_config;

    isnt($res->{code}, 0, 'elsewhere than in http');
    like($res->{output}, qr/is not allowed here/, 'it is not allowed');
}

done_testing();
