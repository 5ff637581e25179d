#!/usr/bin/perl

# A token among the protocols of WebSocket, with a client and a server that are
# not ours: Debian's python3-websockets.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__) . '/lib';

use IO::Socket::INET;
use MockAPI;
use NginxProcess;
use TestPorts;

my $python = '/usr/bin/python3';
my $program = dirname(abs_path(__FILE__)) . '/lib/websocket.py';

plan skip_all => 'python3-websockets is not installed'
    if system("$python -c 'import websockets' 2>/dev/null") != 0;

my $mock = MockAPI->start(tokens => { 'good.canary' => {} });
my $port = $ENV{TEST_NGINX_WEBSOCKET_PORT} = TestPorts::free_port();

my $server = fork;

die "fork: $!\n" if !defined $server;

if (!$server) {
    open STDIN, '<', '/dev/null';
    open STDERR, '>', '/dev/null';
    exec $python, '-B', $program, 'serve', $port or exit 127;
}

END {
    if ($server) {
        my $status = $?;

        kill 'TERM', $server;
        waitpid $server, 0;
        $? = $status;
    }
}

for (my $end = time + 20; time < $end; sleep 0.05) {
    last if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
}

my $nginx = NginxProcess->new(
    http   => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        log_format offered '$status <$http_sec_websocket_protocol> <$request>';
        access_log $TEST_NGINX_PREFIX/offered.log offered;
EOC
    config => <<'EOC',
        location /ws {
            agilicus_token         on;
            agilicus_token_source  subprotocol=bearer.;
            proxy_http_version     1.1;
            proxy_set_header       Upgrade $http_upgrade;
            proxy_set_header       Connection upgrade;
            proxy_pass             http://127.0.0.1:$TEST_NGINX_WEBSOCKET_PORT;
        }
EOC
);

$nginx->start;


sub offer {
    my (@protocols) = @_;

    open my $out, '-|', $python, '-B', $program, 'connect',
        'ws://127.0.0.1:' . $nginx->port . '/ws', @protocols
        or die "$python: $!\n";

    local $/;
    return scalar <$out>;
}


is(offer('chat', 'bearer.good.canary'), <<'EOT', 'a client gets in');
chosen: chat
protocols: ['chat'], credentials: ['Bearer good.canary']
echo: hello
EOT

is(offer('bearer.good.canary', 'chat'), <<'EOT', '... in any order');
chosen: chat
protocols: ['chat'], credentials: ['Bearer good.canary']
echo: hello
EOT

is(offer('chat'), "refused: 401\n", 'without a token it does not');
is(offer('chat', 'bearer.bad.canary'), "refused: 401\n",
   'and not with a bad one');
is(offer('chat', 'bearer.good.canary', 'bearer.good.canary'),
   "refused: 400\n", 'nor with two');

ok(open(my $offered, '<', $nginx->prefix . '/offered.log'), 'an access log');

my @lines = <$offered>;

is_deeply([ map { /^\d+ <([^>]*)>/ } @lines ], [ ('chat') x 5 ],
          '... has the other protocols');
is(scalar(grep { /canary/ } @lines), 0, '... and no token');

$nginx->finish('nginx', secrets => [ 'canary' ]);

done_testing();
