#!/usr/bin/perl

# The debug log tells the story of a request: where its token was taken, the
# entry of the zone for it, the call to the API and the answer, the verdict, and
# the token that goes upstream.  It has neither a token nor more than eight
# digits of a digest.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';

use MockAPI;
use MockUpstream;
use NginxProcess;

my $binary = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

plan skip_all => 'nginx without --with-debug'
    if `$binary -V 2>&1` !~ /--with-debug/;

my $exp = time + 600;
my $mock = MockAPI->start(
    default => { token => { exp => $exp } },
    tokens  => {
        gone         => 410,
        down         => 500,
        'slow-token' => { delay => 0.3 },
        'reissued-known-token' => { token => { exp => $exp, org => 'north' } },
    },
);
my $app = MockUpstream->start(name => 'APP');

my $nginx = NginxProcess->new(
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_breaker 1 open=60s max=60s;
EOC
    config => <<'EOC',
        location / {
            agilicus_token on;
            agilicus_token_source header cookie=sid query=access_token;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location /scope {
            agilicus_token on;
            agilicus_token_require_scopes none;
        }
        location /org {
            agilicus_token on;
            agilicus_token_reissue north;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;
        }
        location = /out { agilicus_token_revoke; }
EOC
);

$nginx->start;

my @all;


# the lines that one or more requests have made, without time and numbers

sub story {
    my ($do) = @_;

    $nginx->mark;
    $do->();

    my @lines = map { /(agilicus token (?!: ).*?)(?:, client: .*)?$/ ? $1 : () }
                grep { /\[debug\]/ && !/agilicus token curl/ } split /\n/, $nginx->new_log;

    push @all, @lines;

    return [ map { s/digest [0-9a-f]{8}\b/digest/r =~ s/\d+ ms/N ms/r } @lines ];
}


sub ask {
    my ($path, $token, %header) = @_;

    return $nginx->get($path, headers => {
        defined $token ? (Authorization => "Bearer $token") : (), %header });
}


is_deeply(story(sub { ask('/', 'known-token') }), [
    'agilicus token taken from header, digest',
    'agilicus token miss, too old: 0',
    'agilicus token introspect sent, again: 0, digest',
    'agilicus token waits, joined: 0',
    'agilicus token introspect answered, status 200, reason "", N ms, digest',
    'agilicus token resumes, timed out: 0',
    'agilicus token verdict: active, reason: ""',
    'agilicus token upstream, hidden: 0, token set: none',
], 'a token that is not known');

is_deeply(story(sub { ask('/', undef, Cookie => 'sid=known-token') }), [
    'agilicus token taken from cookie, digest',
    'agilicus token hit, age: N ms, updating: 0',
    'agilicus token verdict: active, reason: ""',
    'agilicus token upstream, hidden: 0, token set: none',
], 'a token that is known, in a cookie');

is_deeply(story(sub { ask('/?access_token=known-token') }), [
    'agilicus token taken from query, digest',
    'agilicus token hit, age: N ms, updating: 0',
    'agilicus token verdict: active, reason: ""',
    'agilicus token upstream, hidden: 0, token set: client\'s',
], '... in the query');

is_deeply(story(sub { ask('/') }), [
    'agilicus token verdict: missing, reason: "no_token"',
], 'no token');

is_deeply(story(sub { ask('/scope', 'known-token') }), [
    'agilicus token taken from header, digest',
    'agilicus token hit, age: N ms, updating: 0',
    'agilicus token verdict: forbidden, reason: "scope"',
], 'a scope that the token has not');

is_deeply(story(sub { ask('/', 'gone') })->[-1],
    'agilicus token verdict: revoked, reason: "revoked"',
    'a token that the API has revoked');

is_deeply(story(sub { ask('/', 'gone') }), [
    'agilicus token taken from header, digest',
    'agilicus token hit, age: -N ms, updating: 0',
    'agilicus token verdict: revoked, reason: "revoked"',
], '... and is denied from then on');

is_deeply([ grep { /waits|sent/ } @{story(sub {
    $nginx->many([ map { { path => '/', headers => {
        Authorization => 'Bearer slow-token' }, delay => $_ } } 0, 0.1 ]);
})} ], [
    'agilicus token introspect sent, again: 0, digest',
    'agilicus token waits, joined: 0',
    'agilicus token waits, joined: 1',
], 'two requests that wait for one call');

is(story(sub { ask('/org', 'known-token') })->[-1],
   'agilicus token upstream, hidden: 1, token set: reissued',
   'a token that is reissued');

like(join("\n", @{story(sub {
        $nginx->request(POST => '/out', headers => {
            Authorization => 'Bearer signed-out' });
     })}), qr/taken from header.*introspect answered.*revoke sent.*revoke answered, status 204/s,
     'a sign-out');

is_deeply([ grep { /introspect answered|verdict/ }
            @{story(sub { ask('/', 'down') })} ], [
    'agilicus token introspect answered, status 500, reason "status", N ms, digest',
    'agilicus token verdict: unavailable, reason: "status"',
], 'an API that fails');

# the sign-out has denied the token that was reissued, and revokes it meanwhile

is_deeply([ map { s/\d+ s/N s/r } grep { !/ revoke / }
            @{story(sub { ask('/', 'other-token') })} ], [
    'agilicus token taken from header, digest',
    'agilicus token miss, too old: 0',
    'agilicus token introspect is not sent, the breaker is open for N s',
    'agilicus token is not asked about: breaker',
    'agilicus token verdict: unavailable, reason: "breaker"',
], '... is asked no more');


subtest 'what no line has' => sub {
    my @tokens = qw(known-token slow-token other-token signed-out gone down);

    for my $token (@tokens) {
        my $digest = substr sha256_hex($token), 0, 9;

        is_deeply([ grep { /\b\Q$token\E\b/ } @all ], [], $token);
        is_deeply([ grep { /$digest/ } @all ], [], '... nor its digest');
    }

    my $head = substr sha256_hex('known-token'), 0, 8;

    ok(scalar(grep { /digest $head\b/ } @all), 'but the first eight digits');

    done_testing;
};


$nginx->finish('ends', secrets => [ 'known-token', 'slow-token' ]);
$mock->stop;
$app->stop;

done_testing;
