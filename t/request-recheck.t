use strict;
use warnings;

# Responses that run on are cut when their token is denied or expires, over
# HTTP/1.1 and HTTP/2, also when only a part of them was let in by it, whatever
# their upstream is doing, and whatever became of their parts; those where it is
# off, and other tokens', run on.

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI qw(raw_token_json);
use NginxControl;
use NginxProcess;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();

$ENV{TEST_NGINX_H2_PORT} = TestPorts::free_port();

my $mock = MockAPI->start(
    tokens => {
        changes => [ { token => { jti => 'changes', exp => time + 600 } },
                     sub { { token => { jti => 'changes',
                                        exp => time + 3 } } } ],
    },
    default => sub {
        my ($life) = $_[0]{token} =~ /-lives(\d+)/;

        return { token => { jti => $_[0]{token}, sub => 'ann', org => 'org-1',
                            scopes => ['a', 'b'],
                            $life ? (exp => time + $life) : () } };
    },
    paths => {
        '/events' => { type => 'text/event-stream', chunked => 1,
                       chunks => [ map { ("data: x\n\n", { pause => 0.2 }) }
                                   1 .. 60 ] },
        'POST /second/v1/tokens/introspect' => sub {
            my ($life) = $_[0]{token} =~ /-second(\d+)/;

            return { token => { jti => "second-$_[0]{token}",
                                exp => time + ($life || 600) } };
        },
        'POST /v1/tokens/reissue' => {
            delay => 3, body => raw_token_json('reissued-waits') },
        '/socket' => { raw => "HTTP/1.1 101 Switching Protocols\r\n"
                              . "Connection: Upgrade\r\n"
                              . "Upgrade: websocket\r\n\r\nhello",
                       end => 'hang' },
    },
);

my $nginx = NginxProcess->new(
    log_level => 'info',
    http      => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_cache_valid active=600s;
        agilicus_token_recheck 1s;
        log_format whose "$uri: $agilicus_token_verdict $agilicus_token_sub "
                         "$agilicus_token_jti $agilicus_token_org "
                         "$agilicus_token_scopes";
        access_log $TEST_NGINX_PREFIX/whose.log whose;
        server {
            listen 127.0.0.1:$TEST_NGINX_H2_PORT http2;
            location /file { root $TEST_NGINX_PREFIX/html; agilicus_token on;
                             limit_rate 1k; }
        }
EOC
    config    => <<'EOC',
        location = /file { agilicus_token on; limit_rate 1k; }
        location = /off { agilicus_token on; agilicus_token_recheck off;
                          limit_rate 1k; try_files /file =404; }
        location = /events {
            agilicus_token on;
            proxy_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        }
        location = /socket {
            agilicus_token on;
            proxy_http_version 1.1;
            proxy_set_header Connection upgrade;
            proxy_set_header Upgrade websocket;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        }
        location = /reissued {
            agilicus_token on;
            agilicus_token_api_timeout 20s;
            agilicus_token_reissue acme;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        }
        location = /denials { agilicus_token_revocation_hook trusted; }

        location /part/ {
            agilicus_token on;
            proxy_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/events?;
        }
        location = /part/off {
            agilicus_token on;
            agilicus_token_recheck off;
            proxy_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/events;
        }
        location = /part/report {
            agilicus_token report;
            proxy_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/events;
        }
        location = /part/again {
            agilicus_token on;
            agilicus_token_cache off;
            proxy_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/events;
        }
        location = /part/second {
            agilicus_token on;
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT/second;
            proxy_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT/events;
        }
        location = /short {
            agilicus_token on;
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT/second;
            try_files /short =404;
        }
        location = /first { agilicus_token on; try_files /short =404; }
        location /ssi/ { ssi on; default_type text/html; }
        location /ssi/on/ { ssi on; default_type text/html; agilicus_token on; }
        location = /addition {
            add_after_body /part/addition;
            default_type text/html;
            try_files /short =404;
        }
        location = /guarded {
            auth_request /short;
            limit_rate 1k;
            try_files /file =404;
        }
        location = /mirrored {
            mirror /part/mirror;
            limit_rate 1k;
            try_files /file =404;
        }
EOC
);

$nginx->write_file('html/file', 'x' x 100_000);
$nginx->write_file('html/short', 'first');

# pages of one part, and of a short one and a long one

for my $page (qw(one off report second)) {
    $nginx->write_file("html/ssi/$page",
                       qq{<!--#include virtual="/part/$page" -->});
}

$nginx->write_file('html/ssi/nested', '<!--#include virtual="/ssi/one" -->');
$nginx->write_file('html/ssi/both', '<!--#include virtual="/short" -->'
                                    . '<!--#include virtual="/part/both" -->');
$nginx->write_file('html/ssi/changes',
                   '<!--#include virtual="/first" -->'
                   . '<!--#include virtual="/part/again" -->');
$nginx->write_file("html/ssi/on/$_", qq{<!--#include virtual="/part/$_" -->})
    for qw(same second);
$nginx->start;


# seconds until the response ends

sub until_end {
    my ($c, $most) = @_;

    my $begun = time;

    while (time - $begun < $most) {
        last if $c->closed(0);
        $c->read_some(0.02);
    }

    return time - $begun;
}


sub start {
    my ($path, $token) = @_;

    my $c = $nginx->connect;

    $c->send("GET $path HTTP/1.1\r\nHost: a\r\n"
             . ($path eq '/socket' ? "Connection: upgrade\r\n"
                                     . "Upgrade: websocket\r\n" : '')
             . "Authorization: Bearer $token\r\n\r\n");
    like($c->read_some(3 * $slow), qr{^HTTP/1.1 (?:200|101) },
         "$token: a response begins");

    return $c;
}


sub deny {
    return $nginx->request(POST => '/denials',
        headers => { 'Content-Type' => 'application/json' },
        body => "{\"jti\":[\"$_[0]\"]}")->{status};
}


for my $old (0, 1.3) {
    for my $path (qw(/file /events /socket)) {
        my $token = substr($path, 1) . "-$old";
        my $c = start($path, $token);

        sleep $old;
        is(deny($token), 204, 'the token is denied');
        cmp_ok(until_end($c, 6), '<', 1 + 0.3 * $slow,
               "which cuts a response that is $old seconds old");
    }
}

my $c = start('/file', 'file-lives3');

cmp_ok(until_end($c, 9), '<', 4 + 0.3 * $slow, 'a token that expires');

my $off = start('/off', 'unwatched');
my $other = start('/events', 'other');

is(deny('unwatched'), 204, 'a token is denied');
sleep 2.5;
isnt($off->read_some(2), '', 'where it is off, the response runs on');
isnt($other->read_some(2), '', 'and so does that of another token');
$_->close for $off, $other;


# parts: whatever let one of them in lets the whole in

for my $path (qw(/ssi/one /ssi/nested /ssi/both /ssi/on/same /addition
                 /guarded))
{
    my $token = 'part' . $path =~ tr{/}{-}r;
    my $c = start($path, $token);

    sleep 1.3;
    is(deny($path eq '/guarded' ? "second-$token" : $token), 204,
       'the token is denied');
    cmp_ok(until_end($c, 6), '<', 1 + 0.3 * $slow, "$path is cut");
}

# denied at, or ended at, another API than the one of the page

for my $path (qw(/ssi/second /ssi/on/second)) {
    my $token = 'other' . $path =~ tr{/}{-}r;
    my $c = start($path, $token);

    sleep 1.3;
    is(deny("second-$token"), 204, 'the token of a part is denied');
    cmp_ok(until_end($c, 6), '<', 1 + 0.3 * $slow, "$path is cut");

    $c = start($path, 'ends' . $path =~ tr{/}{-}r . '-second3');
    cmp_ok(until_end($c, 9), '<', 4 + 0.3 * $slow,
           "$path is cut when a part's facts end first");
}

my $both = start('/ssi/both', 'ends-first-second3');

cmp_ok(until_end($both, 9), '<', 4 + 0.3 * $slow,
       'a part that is over counts, too');

# the same token, of which the API says something else by then

my $changes = start('/ssi/changes', 'changes');

cmp_ok(until_end($changes, 9), '<', 4 + 0.3 * $slow,
       'each part goes by what let it in');
is($mock->calls(token => 'changes'), 2, 'and was asked about');

# tokens that were checked, but let no client in

my %on = map { $_ => start($_, 'runs' . tr{/}{-}r) } qw(/ssi/off /ssi/report
                                                        /mirrored);

sleep 1.3;
is(deny('runs' . tr{/}{-}r), 204, "$_: the token is denied") for keys %on;
sleep 2.2;
isnt($on{$_}->read_some(2), '', "$_ runs on") for sort keys %on;
$_->close for values %on;


# a stream is cut, its connection goes on

sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
           . pack('CCN', $type, $flags, $stream) . $payload;
}


sub headers_of {
    my ($stream, $token) = @_;

    my $block = "\x82\x86";

    $block .= pack('C C/a*', 4, '/file') . pack('C C/a*', 1, 'a')
              . pack('C C/a* C/a*', 0, 'authorization', "Bearer $token");

    return frame(1, 5, $stream, $block);
}


my $h2 = HttpClient->new(port => $ENV{TEST_NGINX_H2_PORT})->connect;

$h2->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '')
          . headers_of(1, 'stream-1') . headers_of(3, 'stream-2'));

my ($buf, %ended, $pinged, $reset) = ('');
my $begun = time;
my $denied = 0;

while (time - $begun < 5 * $slow && !$pinged) {
    my $more = $h2->read_some(0.1);

    $buf .= $more;

    while (length $buf >= 9) {
        my ($high, $low, $type, $flags, $stream) = unpack 'CnCCN', $buf;
        my $len = $high << 16 | $low;

        last if length $buf < 9 + $len;
        my $payload = substr $buf, 9, $len;

        substr $buf, 0, 9 + $len, '';
        $ended{$stream} = time if $type == 3 || $type == 7;
        $reset = unpack 'N', $payload if $type == 3;
        $pinged = 1 if $type == 6;
        $h2->send(frame(6, 0, 0, 'x' x 8)) if $type == 3 && $stream == 1;
    }

    if (!$denied && time - $begun > 1.3) {
        is(deny('stream-1'), 204, 'the token of a stream is denied');
        $denied = time;
    }
}

cmp_ok(($ended{1} || time) - $denied, '<', 1 + 0.3 * $slow, 'which cuts it');
is_deeply([ keys %ended ], [ 1 ], 'and no other stream of its connection');
is($reset, 2, 'which is reset with INTERNAL_ERROR');
ok($pinged, 'which lives on');
$h2->close;

# a request that still waits for a token for upstream is refused, and not cut

my $waits = $nginx->connect;

$waits->send("GET /reissued HTTP/1.1\r\nHost: a\r\n"
             . "Authorization: Bearer waits\r\n\r\n");
ok($mock->wait_calls(1, path => '/v1/tokens/reissue', timeout => 3 * $slow),
   'a token for upstream is asked for');
is(deny('waits'), 204, 'the token is denied meanwhile');
like($waits->read_some(6 * $slow), qr{^HTTP/1.1 401 }, 'which is answered');
$waits->close;

# the log names the users, although their tokens are no longer good

open my $whose, '<', $nginx->prefix . '/whose.log' or die "whose.log: $!\n";
my $log = do { local $/; <$whose> };
close $whose;

for my $line ('/file: revoked ann file-0', '/events: revoked ann events-1.3',
              '/socket: revoked ann socket-1.3',
              '/file: expired ann file-lives3', '/file: revoked ann stream-1',
              '/ssi/on/same: revoked ann part-ssi-on-same',
              '/ssi/on/second: revoked ann other-ssi-on-second',
              '/ssi/on/second: expired ann ends-ssi-on-second-second3')
{
    like($log, qr/^\Q$line\E org-1 a b$/m, "the log has $line");
}

is(scalar($nginx->log_lines(qr/response cut: (?:revoked|expired)/)), 20,
   'each is told');
$nginx->finish('nothing else was cut');


# an application that takes half a minute for its answer

my $long = MockAPI->start(
    name    => 'LONG',
    default => sub { { token => { jti => $_[0]{token},
                                  exp => int time + 600 } } },
    paths   => {
        'POST /v1/tokens/reissue' => 403,
        'GET /long' => { type => 'text/plain', chunks => [ 'line' x 30_000,
                         map({ ("more $_\n", { pause => 0.5 }) } 1 .. 60) ] },
        'GET /page' => { type => 'text/plain', chunks => [
                         '<!--# include virtual="/part" -->',
                         map({ ("more $_\n", { pause => 0.5 }) } 1 .. 60) ] },
    },
);

$nginx = NginxProcess->new(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_LONG_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_timeout @{[ 2 * $slow ]}s;
        agilicus_token_recheck 1s;
        proxy_cache_path \$TEST_NGINX_PREFIX/cache keys_zone=pages:1m;
EOC
    config => <<'EOC',
        agilicus_token on;
        location /long {
            proxy_pass http://127.0.0.1:$TEST_NGINX_LONG_PORT/long;
            location /long/unbuffered {
                proxy_buffering off;
                proxy_pass http://127.0.0.1:$TEST_NGINX_LONG_PORT/long;
            }
            location /long/cached {
                proxy_cache pages;
                proxy_cache_valid 1m;
                proxy_pass http://127.0.0.1:$TEST_NGINX_LONG_PORT/long;
            }
        }
        location /page {
            ssi on;
            ssi_types text/plain;
            proxy_pass http://127.0.0.1:$TEST_NGINX_LONG_PORT/page;
        }
        location /part {
            agilicus_token_reissue north;
            proxy_pass http://127.0.0.1:$TEST_NGINX_LONG_PORT/long;
        }
        location = /denials {
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

    is(deny($token), 204, '... its token is denied');

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

    is($nginx->get('/denials')->{status}, 405, 'and the worker serves on');
};


subtest 'a page one part of which was refused' => sub {
    my $text = cut('/page', 'page-1', qr/more 2/);

    like($text, qr/403 Forbidden/, 'the part was');
};


$nginx->finish('nginx ends with a clean log');

done_testing();
