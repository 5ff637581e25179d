use strict;
use warnings;

# Responses that run on when their token is denied: cut, whatever their upstream
# is doing, and whatever became of their parts.

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use NginxControl;
use NginxProcess;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;


sub introspect {
    my ($request) = @_;

    return { token => { jti => "jti-$request->{token}",
                        exp => int time + 600 } };
}


# an application that takes half a minute for its answer

my $mock = MockAPI->start(
    default => \&introspect,
    paths   => {
        'POST /v1/tokens/reissue' => 403,
        'GET /long' => { type => 'text/plain', chunks => [ 'line' x 30_000,
                         map({ ("more $_\n", { pause => 0.5 }) } 1 .. 60) ] },
        'GET /page' => { type => 'text/plain', chunks => [
                         '<!--# include virtual="/part" -->',
                         map({ ("more $_\n", { pause => 0.5 }) } 1 .. 60) ] },
    },
);

my $nginx = NginxProcess->new(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_timeout @{[ 2 * $slow ]}s;
        agilicus_token_recheck 1s;
        proxy_cache_path \$TEST_NGINX_PREFIX/cache keys_zone=pages:1m;
EOC
    config => <<'EOC',
        agilicus_token on;
        location /long {
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/long;
            location /long/unbuffered {
                proxy_buffering off;
                proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/long;
            }
            location /long/cached {
                proxy_cache pages;
                proxy_cache_valid 1m;
                proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/long;
            }
        }
        location /page {
            ssi on;
            ssi_types text/plain;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/page;
        }
        location /part {
            agilicus_token_reissue north;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/long;
        }
        location = /hook {
            agilicus_token off;
            agilicus_token_revocation_hook trusted;
        }
EOC
);

$nginx->start;


# begins a request, denies its token when enough has come, and returns what
# came and how long after the denial the end did

sub cut {
    my ($path, $token, $enough) = @_;

    my $c = $nginx->connect;

    $c->send("GET $path HTTP/1.1\r\nHost: localhost\r\n"
             . "Authorization: Bearer $token\r\n\r\n");

    my ($text, $until) = ('', time + 10 * $slow);

    while ($text !~ $enough && time < $until) {
        $text .= $c->read_some(0.1);
    }

    like($text, $enough, "$path: the answer begins");

    # those that run for less than a second are not looked at

    sleep 1.1;

    is($nginx->request(POST => '/hook',
        headers => { 'Content-Type' => 'application/json' },
        body => $json->encode({ jti => [ "jti-$token" ] }))->{status}, 204,
       '... its token is denied');

    my $denied = time;

    ok($c->closed(5 * $slow), '... and it is cut');
    cmp_ok(time - $denied, '<', 4 * $slow, '... in time');

    return $text;
}


subtest 'a response that upstream is writing' => sub {
    my $n = 0;

    for my $path ('/long', '/long/unbuffered', '/long/cached') {
        cut($path, 'long-' . ++$n, qr/line/);
        is(scalar(my @cut = $nginx->log_lines(qr/response cut: revoked, jti/)),
           $n, '... which is logged');
    }

    is($nginx->get('/hook')->{status}, 405, 'and the worker serves on');
};


subtest 'a page one part of which was refused' => sub {
    my $text = cut('/page', 'page-1', qr/more 2/);

    like($text, qr/403 Forbidden/, 'the part was');
};


$nginx->finish('nginx ends with a clean log');

done_testing();
