use strict;
use warnings;

# Reissued tokens over time: one call for all requests that need the same token.
# It is kept no longer than its parent lasts, goes with it, and is revoked then.

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use MockUpstream;
use NginxControl;
use NginxProcess;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;


# "parent-<sub>-<what>", "child-<org>-<sub>-<what>-<n>".  "what" begins with
# "e<seconds>" where the parent ends then, with "slow" where reissuing takes
# its time, with "late" where it takes long, with "verify" where looking at the
# new token does.

my ($begun, $n) = (time, 0);
my %unknown;


sub introspect {
    my ($request) = @_;

    my ($org, $sub, $what) = $request->{token} =~
        /^(?:parent|child-([^-]+))-([^-]+)-([^-]+?)(?:-\d+)?=*$/ or return 404;

    my $delay = defined $org && $what =~ /^verify/ ? 0.4 : 0;

    return { delay => $delay, token => {
        sub     => $sub,
        org     => defined $org ? $org : 'home',
        jti     => "jti-$request->{token}",
        session => "session-$sub",
        scopes  => [ 'a', 'b' ],
        exp     => $what =~ /^e(\d+)/ ? int $begun + $1 : int $begun + 600,
    } };
}


sub reissue {
    my ($request) = @_;

    my $body = $json->decode($request->{body});
    my (undef, $sub, $what) = split /[-=]/, $body->{token};

    return { status => 200, delay => $what =~ /^slow/ ? 0.4 : $what =~ /^late/ ? 1.5 : 0,
             json => { token => "child-$body->{org_id}-$sub-$what-" . ++$n } };
}


# "unknown": of children, the first time; "never": each time

sub revoke {
    my ($request) = @_;

    return $request->{token} =~ /^child-.*-(?:unknown|(never))/
           && (!$unknown{$request->{token}}++ || $1)
           ? { status => 404, json => { error_code => 'unknown' } }
           : { status => 204 };
}


my $mock = MockAPI->start(
    default => \&introspect,
    paths   => {
        'POST /v1/tokens/reissue' => \&reissue,
        'POST /v1/tokens/revoke'  => \&revoke,
    },
);

my $app = MockUpstream->start(name => 'APP');
my $spread = $ENV{TEST_NGINX_SPREAD_PORT} = TestPorts::free_port();

my $nginx = NginxProcess->new(
    workers => 2,
    worker_connections => 1024,
    events  => 'accept_mutex off;',
    http    => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_breaker off;
        agilicus_token_recheck off;
        agilicus_token_api_rate off;
        agilicus_token_api_timeout @{[ 2 * $slow ]}s;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        server {
            listen 127.0.0.1:\$TEST_NGINX_SPREAD_PORT reuseport;
            location ~ ^/(?<org>[a-z]+)\$ {
                agilicus_token on;
                agilicus_token_reissue \$org;
                proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
            }
            location /lenient/ {
                agilicus_token on;
                agilicus_token_leeway 60s;
                agilicus_token_reissue north;
                proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
            }
            location = /plain/ {
                agilicus_token on;
                proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
            }
            location = /hook/ { agilicus_token_revocation_hook trusted; }
            location = /revoke/ { agilicus_token_revoke; }
            location = /revoke/all { agilicus_token_revoke all_sessions; }
        }
EOC
);

$nginx->start;

# connections to this port go to each worker in turn, more or less

my $http = HttpClient->new(port => $spread, timeout => 10 * $slow);


sub request {
    my ($path, $token, %more) = @_;

    return { path => $path, %more,
             headers => { Authorization => "Bearer $token" } };
}


sub ask { return ($http->many([ request(@_) ]))[0] }
sub why { return HttpMessage::header($_[0], 'X-Why') }
sub got { return ($_[0]{body} || '') =~ /^Authorization: Bearer (\S+)\r$/m
                 ? $1 : undef }


sub calls {
    my ($operation, $token) = @_;

    return $mock->calls(path => "/v1/tokens/$operation",
                        defined $token ? (token => $token) : ());
}


sub deny {
    my (%what) = @_;

    return $http->request(POST => '/hook/', body => $json->encode(\%what),
        headers => { 'Content-Type' => 'application/json' })->{status};
}


subtest 'one call for all who want the same' => sub {
    for my $what (qw(slow1 verify1 quick1)) {
        $mock->reset;

        my @orgs = qw(north south east);

        my @res = $http->many([ map { request("/$orgs[$_ % 3]",
                                              "parent-one-$what") } 1 .. 150 ]);

        is_deeply([ grep { $_->{status} != 200 } @res ], [],
                  "$what: all are served");

        my %of;

        $of{ $orgs[($_ + 1) % 3] }{ got($res[$_]) || 'none' }++ for 0 .. $#res;

        is_deeply([ map { scalar keys %{ $of{$_} } } @orgs ], [ 1, 1, 1 ],
                  '... those of an organisation with one token');
        is_deeply([ grep { (keys %{ $of{$_} })[0] !~ /^child-$_-one-$what-/ }
                    @orgs ], [], '... which is its own');
        is(calls('reissue'), 3, '... reissued once');
        is(calls('introspect', (keys %{ $of{$_} })[0]), 1,
           "... looked at once for $_") for @orgs;
    }
};


subtest 'a client that leaves does not matter to others' => sub {
    my @res = $http->many([
        request('/north', 'parent-left-slow1', abort => 0.1),
        request('/north', 'parent-left-slow1', delay => 0.15),
    ]);

    is($res[0]{error}, 'aborted', 'one leaves');
    is($res[1]{status}, 200, 'the other is served');
    is(calls('reissue', 'parent-left-slow1'), 1, 'by one call');
};


subtest 'bodies are waited for' => sub {
    my $body = join ' ', 1 .. 40_000;

    my ($res) = $http->many([ { %{ request('/north', 'parent-body-slow2') },
                                method => 'POST', body => $body } ]);

    is($res->{status}, 200, 'a large one');
    like($res->{body}, qr/\r\n\r\n\Q$body\E\z/, '... arrives whole');
};


subtest 'a parent that is revoked here' => sub {
    my @children = map { got(ask($_, 'parent-gone-here')) } '/north', '/south';

    is(scalar(grep { defined } @children), 2, 'two were reissued');

    $mock->reset;

    is($http->request(POST => '/revoke/', headers => { Authorization =>
       'Bearer parent-gone-here' })->{status}, 204, 'it is revoked');

    for my $path ('/north', '/south', '/east') {
        my @res = $http->many([ map { request($path, 'parent-gone-here') }
                                1 .. 8 ]);

        is_deeply([ grep { $_->{status} != 401 } @res ], [],
                  "$path: refused at once, by each worker");
        is(why($res[0]), 'revoked/revoked', '... as revoked');
    }

    ok($mock->wait_calls(1, path => '/v1/tokens/revoke', token => $_),
       'a child is revoked at the API') for @children;

    sleep 0.2;

    is(calls('revoke'), 3, '... each once, and the parent');
    is(calls('reissue'), 0, '... and none is made');
};


subtest 'a parent that is denied by the hook' => sub {
    my %denial = (
        jti     => [ 'parent-jti-x', 'jti-parent-jti-x', 'jti' ],
        session => [ 'parent-session-x', 'session-session', 'session' ],
        sub     => [ 'parent-sub-x', 'sub', 'subject' ],
    );

    for my $kind (sort keys %denial) {
        my ($parent, $value, $reason) = @{ $denial{$kind} };
        my $child = got(ask('/north', $parent));
        my $other = got(ask('/north', 'parent-other-x'));

        like($child, qr/^child-north-$kind-/, "$kind: reissued");

        is(deny($kind => [ $value ]), 204, '... denied');

        my $res = ask('/north', $parent);

        is($res->{status}, 401, '... refused at once');
        is(why($res), "revoked/$reason", "... for its $reason");

        ok($mock->wait_calls(1, path => '/v1/tokens/revoke', token => $child),
           '... and its child is revoked at the API');
        is(got(ask('/north', 'parent-other-x')), $other,
           '... while others go on');
        is(calls('revoke', $other), 0, '... and are not revoked');
    }
};


subtest 'a parent that is denied while its child is made' => sub {
    # workers look for children of denied tokens each second

    for my $what ('slow', 'verify', 'late') {
        my $parent = "parent-$what-${what}9";
        my ($res, $denied);

        is(ask('/plain/', $parent)->{status}, 200, "$what: it is known");

        $mock->reset;

        my @res = $http->many([
            request('/north', $parent),
            { path => '/hook/', method => 'POST', delay => 0.15,
              body => qq({"jti":["jti-$parent"]}),
              headers => { 'Content-Type' => 'application/json' } },
        ]);

        is($res[1]{status}, 204, '... denied meanwhile');
        is($res[0]{status}, 401, '... it is refused');
        is(why($res[0]), 'revoked/jti', '... as revoked');

        my $child = "child-north-$what-${what}9";

        ok($mock->wait_calls(1, path => '/v1/tokens/revoke'),
           '... and the child is revoked at the API');

        my ($revoked) = $mock->requests(path => '/v1/tokens/revoke');

        like($revoked ? $revoked->{token} : '', qr/^$child-\d+$/,
             '... that one');
    }
};


subtest 'never beyond the end of the parent' => sub {
    my $end = 3 + int(time - $begun);
    my $parent = "parent-ends-e$end";

    $mock->reset;

    my $first = got(ask('/north', $parent));

    ok(defined $first, 'it is reissued');
    is(got(ask('/north', $parent)), $first, '... and kept');

    sleep 0.05 while time < int($begun) + $end + 0.1;

    my $res = ask('/north', $parent);

    is($res->{status}, 401, 'then it is refused');
    is(why($res), 'expired/expired', '... as expired');
    is(calls('reissue', $parent), 1, '... and not reissued');

    # a leeway is the parent's: its child has none, and no other is made of it

    is(ask('/lenient/', $parent)->{status}, 200,
       'within a leeway the parent is good');
    is(calls('reissue', $parent), 2, '... and is reissued, not remembered');
};


subtest 'a child that the API does not know yet when it is to be revoked' => sub {
    my $child = got(ask('/north', 'parent-new-unknown1'));

    ok(defined $child, 'a parent is reissued');

    is($http->request(POST => '/revoke/', headers => { Authorization =>
       'Bearer parent-new-unknown1' })->{status}, 204, '... and revoked');

    ok($mock->wait_calls(2, path => '/v1/tokens/revoke', token => $child),
       'the API is told again of a child that it did not know');

    sleep 2.5;
    is(calls('revoke', $child), 2, '... until it does');
};


subtest 'spellings of one parent have one child' => sub {
    $mock->reset;

    my @got = map { got(ask('/north', 'parent-padded-x' . '=' x $_)) } 0 .. 8;

    is_deeply(\@got, [ ($got[0]) x 9 ], 'all of them get the same');
    is($mock->calls(path => '/v1/tokens/reissue'), 1, '... of one call');
};


subtest 'reload and the end of a worker' => sub {
    my $child = got(ask('/north', 'parent-kept-x'));

    $nginx->reload;

    is(got(ask('/north', 'parent-kept-x')), $child, 'kept over a reload');

    $nginx->kill_worker(($nginx->workers)[0]);

    my @res = $http->many([ map { request('/north', 'parent-kept-x') }
                            1 .. 8 ]);

    is_deeply([ map { got($_) } @res ], [ ($child) x 8 ],
              'and over the end of a worker');

    is(deny(jti => [ 'jti-parent-kept-x' ]), 204, 'and then denied');
    is(ask('/north', 'parent-kept-x')->{status}, 401, '... it is refused');
    ok($mock->wait_calls(1, path => '/v1/tokens/revoke', token => $child),
       '... and revoked');
};


my $stranger = got(ask('/north', 'parent-new-never1'));

$http->request(POST => '/revoke/',
               headers => { Authorization => 'Bearer parent-new-never1' });
ok($mock->wait_calls(1, path => '/v1/tokens/revoke', token => $stranger),
   'the API does not know a child when nginx ends');

$nginx->finish('nginx ends with a clean log', secrets => [ 'parent-',
               'child-' ], allow => [ qr/exited on signal 9/ ]);

cmp_ok(calls('revoke', $stranger), '<', 4, 'which asks once more at most');

done_testing();
