use strict;
use warnings;

# Lines of the log that many requests cause at the same time: one of all workers
# writes each of them, once a second.

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use NginxProcess;
use TestPorts;

my $n = 0;
my $port = $ENV{TEST_NGINX_EVEN_PORT} = TestPorts::free_port();

my $mock = MockAPI->start(
    default => sub { $_[0]{token} =~ /^not-/
                         ? { token => { revoked => JSON::PP::true() } } : {} },
    paths   => { 'POST /v1/tokens/reissue' => sub {
        return { status => 200, json => { token => 'child-' . rand } } } },
);

# a memory that a few denials fill

my $nginx = NginxProcess->new(
    workers   => 4,
    log_level => 'info',
    http      => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_denials 32k;
        agilicus_token_revocation_ttl 1h;
        add_header X-Pid $pid always;

        server {
            # each worker has its share of connections
            listen 127.0.0.1:$TEST_NGINX_EVEN_PORT reuseport backlog=4096;
            root $TEST_NGINX_PREFIX/html;

            location = /page { agilicus_token on; try_files /page =404; }
            location = /hook { agilicus_token_revocation_hook trusted; }
            location = /north {
                agilicus_token on;
                agilicus_token_reissue north;
                proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
            }
        }
EOC
);

$nginx->write_file('html/page', "page\n");
$nginx->start;

my $http = HttpClient->new(port => $port, timeout => 30);


# requests for more than a second, each of its own

sub many {
    my ($request) = @_;

    my (@res, %pids);
    my $until = time + 1.5;

    $nginx->mark;

    push @res, $http->many([ map { $request->(++$n) } 1 .. 100 ],
                           at_once => 50)
        while time < $until;

    $pids{ HttpMessage::header($_, 'X-Pid') || 0 }++ for @res;
    delete $pids{0};

    return scalar keys %pids;
}


sub once {
    my ($line, $level, $workers) = @_;

    my %seconds;

    $seconds{$_}++ for map { /^(\S+ \S+) \[$level\] .*agilicus token: $line/ }
                       split /\n/, $nginx->new_log;

    cmp_ok($workers, '>', 1, "$level, $line: several workers could say it");
    cmp_ok(scalar keys %seconds, '>', 0, '... one does');
    is_deeply([ grep { $_ > 1 } values %seconds ], [], '... once a second');

    return;
}


sub bearer {
    my ($path, $token) = @_;

    return { path => $path, headers => { Authorization => "Bearer $token" } };
}


once('the member "revoked" of an answer says no', 'error',
     many(sub { bearer('/page', "not-$_[0]") }));

once('no room for records of tokens', 'error',
     many(sub { bearer('/north', "good-$_[0]") }));

once('no room for all denials', 'error',
     many(sub { return { method => 'POST', path => '/hook',
                    headers => { 'Content-Type' => 'application/json' },
                    body => '{"jti":[' . join(',', map { "\"$_[0]-$_\"" }
                                                       1 .. 40) . ']}' } }));

$nginx->finish('each line once a second', allow => [ qr/no room/ ]);

done_testing();
