use strict;
use warnings;

# An API that moves to another address: its name is looked up again as soon as
# no connection could be made.

use Cwd ();
use File::Basename ();
use File::Temp ();
use Test::More;

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxProcess;
use TestCA;

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/..');
my $dir = File::Temp::tempdir(CLEANUP => 1);
my $ca = TestCA->new;

# the worker's user reads it

chmod 0755, $dir;

system($ENV{CC} || 'gcc', qw(-O2 -fPIC -shared -Wall -Wextra -Werror),
       '-o', "$dir/moving.so", "$top/t/lib/moving.c") == 0
    or die "t/lib/moving.c cannot be built\n";

my $mock = MockAPI->start(
    tls => $ca->issue('moving', cn => 'api.moving', san => [ 'DNS:api.moving' ]),
    default => {},
);

my $nginx = NginxProcess->new(
    env => {
        AGILICUS_MOVING => "$dir/address",
        LD_PRELOAD => join(' ', grep { defined && length }
                                $ENV{AGILICUS_NGINX_PRELOAD},
                                "$dir/moving.so"),
    },
    http => <<'EOC',
        agilicus_token_api https://api.moving:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_CA_FILE;
        agilicus_token_api_breaker off;
        agilicus_token_api_timeout 5s;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
EOC
    config => 'location = /page { agilicus_token on; try_files /page =404; }',
);

$nginx->write_file('html/page', "page\n");

# nothing listens at the first address

lives_at('127.0.0.9');
$nginx->start;

is(why('one'), 'unavailable/connect', 'there is no connection');

lives_at('127.0.0.1');

is(why('two'), 'active/', 'its name is looked up again at once');

$nginx->finish('moves');
done_testing();


sub lives_at {
    my ($address) = @_;

    open my $file, '>', "$dir/address.new" or die "$dir: $!\n";
    print {$file} "$address\n";
    close $file;
    rename "$dir/address.new", "$dir/address" or die "$dir: $!\n";
}


sub why {
    my ($token) = @_;

    return HttpClient::header(
        $nginx->get('/page', headers => { Authorization => "Bearer $token" }),
        'X-Why');
}
