use strict;
use warnings;

# "agilicus_token_phase preaccess": limits count users, while nothing is decided
# before the access phase, and no more is asked than without it.

use HTTP::Tiny ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

my $slow = NginxControl::slow();

sub user { my ($sub, %over) = @_; return { token => { sub => $sub, jti => "jti-$sub", %over } } }

my %out = map { ("out-$_" => 503) } 1 .. 4;

my $mock = MockAPI->start(
    tokens => {
        map({ $_ => user($_) } qw(alice bob carol dave erin frank heidi
                                  ivan judy ken lee mia
                                  nina)),
        grace  => { delay => 0.1, %{ user('grace') } },
        past   => user('past', exp => 1000),
        gone   => 410,
        %out,
        never  => { delay => 30 },
        stale  => [ user('stale'), 503 ],
    },
);

my $app = $ENV{TEST_NGINX_APP_PORT} = TestPorts::free_port();

my $nginx = NginxProcess->new(workers => 1, log_level => 'info');

$nginx->configure(
    http => <<'EOC',
        log_format seen '$uri $status [$agilicus_token_sub|$agilicus_token_verdict|$agilicus_token_reason|$agilicus_token_cache]';
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_breaker off;
        map $agilicus_token_sub $user { default $agilicus_token_sub; }
        limit_req_zone $agilicus_token_sub zone=sub:1m rate=1r/m;
        limit_req_zone $user zone=user:1m rate=1r/m;
        limit_req_zone $user zone=delay:1m rate=1r/s;
        limit_conn_zone $user zone=conn:1m;
        limit_req_status 429;
        limit_conn_status 429;
        server {
            listen 127.0.0.1:$TEST_NGINX_APP_PORT;
            location / { return 200 "passed"; }
            location /long { limit_rate 1; return 200 "0123456789"; }
            location /page {
                default_type text/html;
                return 200 '[<!--#include virtual="/part" -->][<!--#include virtual="/part" -->]';
            }
        }
EOC
    config => <<'EOC' =~ s/UP;/proxy_pass http:\/\/127.0.0.1:\$TEST_NGINX_APP_PORT;/gr);
        access_log logs/seen.log seen;
        agilicus_token on;
        agilicus_token_phase preaccess;
        location /sub { limit_req zone=sub; UP; }
        location /user { limit_req zone=user; UP; }
        location /late { agilicus_token_phase access; limit_req zone=sub; UP; }
        location /off { agilicus_token_cache off; limit_req zone=user; UP; }
        location /open { agilicus_token off; limit_req zone=sub; UP; }
        location /conn { limit_conn conn 1; proxy_buffering off; proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/long; }
        location /delay { limit_req zone=delay burst=5; agilicus_token_api_timeout 600ms; UP; }
        location /delay/off { limit_req zone=delay burst=5; agilicus_token_cache off;
            agilicus_token_cache_valid active=500ms watched=500ms; agilicus_token_api_timeout 600ms; UP; }
        location /delay/kept { limit_req zone=delay burst=5; agilicus_token_cache off; agilicus_token_api_timeout 600ms; UP; }
        location /delay/stale { limit_req zone=delay burst=5; agilicus_token_cache_valid active=0 watched=0;
            agilicus_token_cache_stale error=700ms; UP; }
        location /require { limit_req zone=user; agilicus_token_require_scopes none; UP; }
        location /timeout { agilicus_token_api_timeout 1s; limit_req zone=user; UP; }
        location /any {
            satisfy any;
            allow 127.0.0.1;
            deny all;
            limit_req zone=user;
            proxy_set_header X-Seen "$agilicus_token_verdict";
            UP;
        }
        location /page { agilicus_token off; ssi on; UP; }
        location /part { limit_req zone=user; UP; }
        location /set { set $early $user; agilicus_token_require $user; UP; }
        location /hook { agilicus_token off; agilicus_token_revocation_hook trusted; }
        location /closed {
            limit_req zone=user burst=10 nodelay;
            agilicus_token_require $agilicus_token_claim_none;
            error_page 403 = /sub;
            UP;
        }
EOC
$nginx->start;


sub ask {
    my ($path, $token, %header) = @_;

    my $res = HTTP::Tiny->new->get(
                  'http://127.0.0.1:' . $nginx->port . $path,
                  { headers => { $token ? (Authorization => "Bearer $token")
                                        : (), %header } });

    return wantarray ? ($res->{status}, $res->{content}) : $res->{status};
}

sub asked { my ($token) = @_; return $mock->calls(token => $token) }

# a line is written after its client has its answer

sub lines {
    my $name = $nginx->prefix . '/logs/seen.log';
    my $size = -1;

    while ($size != -s $name) {
        $size = -s $name;
        select undef, undef, undef, 0.3;
    }

    open my $in, '<', $name or die "$name: $!";

    return <$in>;
}

sub deny {
    my ($jti) = @_;

    return HTTP::Tiny->new->post('http://127.0.0.1:' . $nginx->port . '/hook', {
        content => qq({"jti":["$jti"]}),
        headers => { 'Content-Type' => 'application/json' } })->{status};
}


# users are counted, each by himself

is(join(' ', map { scalar ask('/sub', 'alice') } 1 .. 5), '200 429 429 429 429',
   'one user is limited');
is(scalar ask('/sub', 'bob'), 200, 'another is not');
is(scalar ask('/sub', 'bob'), 429, 'but for himself');
is(join(' ', map { scalar ask('/user', 'alice') } 1, 2), '200 429',
   'by a map too');
is(asked('alice'), 1, 'of whom the API is asked once');
is((lines())[1], "/sub 429 [alice||]\n" =~ s/\]/|HIT]/r,
   'who is limited is known, and nothing is decided');

is(join(' ', map { scalar ask('/late', 'alice') } 1 .. 3), '200 200 200',
   'in the access phase it is too late');
is(scalar(grep { /\[warn\].*"\$agilicus_token_sub" was read before.*limit_req.*"agilicus_token_phase preaccess"/ }
          split /^/m, $nginx->error_log), 1, 'which is said once');

is(join(' ', map { scalar ask('/open') } 1, 2), '200 200',
   'a location that enforces nothing looks for no token');

is(join(' ', map { scalar ask('/off', 'carol') } 1, 2), '200 429',
   'without a cache');
is(asked('carol'), 2, 'each request asks once');


# a request without a good token has no key, and is refused as ever

is(join(' ', map { scalar ask('/user', $_) } qw(unknown unknown past past gone gone)),
   '401 401 401 401 401 401', 'tokens that are no good');
is(join(' ', map { scalar ask('/user') } 1, 2), '401 401', 'and none at all');
is(scalar(grep { m{^/user 401 \[\|(?:invalid|expired|revoked|missing)\|\w+\|} } lines()), 8,
   'have no subject');
is(asked('unknown') + asked('past') + asked('gone'), 3, 'each is asked about once');
is(join(' ', map { scalar ask('/require', 'dave') } 1, 2), '403 429',
   'requirements are for the access phase');


# a call that failed is not made again

is(scalar ask('/user', 'out-1'), 503, 'the API is away');
cmp_ok(asked('out-1'), '<=', 2, 'no more is asked than without it');

my $tried = asked('out-1');

like((lines())[-1], qr{^/user 503 \[\|unavailable\|status\|MISS\]$}, 'with its reason');

is(scalar ask('/late', 'out-2'), 503, 'as in the access phase');
is(asked('out-2'), $tried, 'which tries as often');

my $began = time;

is(scalar ask('/timeout', 'never'), 503, 'a call that is not answered');
cmp_ok(time - $began, '<', 1.9 * $slow, 'is waited for once');


# between both phases

sub delayed { my ($path, $token, $do) = @_;

    is(scalar ask($path, $token), 200, "$path: the first passes at once");

    my $pid = open my $child, '-|';

    if (!$pid) {
        my $before = time;
        my ($status) = ask($path, $token);

        print $status, ' ', time - $before > 0.6 ? 'late' : 'soon';
        close STDOUT;
        POSIX::_exit(0);
    }

    sleep 0.3;
    $do->() if $do;

    my $got = <$child>;

    close $child;

    return $got;
}

require POSIX;

is(delayed('/delay', 'erin'), '200 late', 'the second is delayed');
is(delayed('/delay', 'frank', sub { is(deny('jti-frank'), 204, 'denied meanwhile') }),
   '401 late', 'a denial counts');
is(delayed('/delay/off', 'grace'), '200 late', 'what has become too old is asked for again');
is(asked('grace'), 3, 'with a wait of its own');
is(delayed('/delay/kept', 'mia'), '200 late', 'what has not');
is(asked('mia'), 2, 'is not');
ask('/delay/kept', 'nina');
is(scalar ask('/delay', 'nina'), 200, 'found late, asked for before');
like((lines())[-1], qr/\|MISS\]$/, 'is a miss');
is(delayed('/delay/stale', 'stale'), '503 late', 'what may serve for a while serves no longer');
is(asked('stale'), 1 + $tried, 'and is asked for once');


# limit_conn

my $long = $nginx->connect;

$long->send("GET /conn HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer heidi\r\n\r\n");
sleep 0.3;

is(scalar ask('/conn', 'heidi'), 429, 'connections of a user');
$long->close;


# other ways

is((ask('/page', 'ivan'))[1] =~ s/<html>.*?<\/html>\s*/429/gsr, '[passed][passed]', 'parts of a page, which nginx counts as one');
is(asked('ivan'), 1, 'ask once');
is(join(' ', map { scalar ask('/any', 'judy') } 1, 2), '200 429', 'an address that is allowed')
    or diag $nginx->error_log;
is(scalar ask('/any', 'unknown'), 200, 'whoever it is');
is(scalar ask('/set', 'ken'), 503, '"set" comes before that as well');
like($nginx->error_log, qr/"\$agilicus_token_sub" was read before.*empty: use a "map"/, 'which is said');
is(join(' ', map { scalar ask('/closed', 'lee') } 1, 2), '200 200',
   'after a redirect, each location looks by itself');

done_testing();
