use strict;
use warnings;

# What one edge denies, the others refuse, and no request waits for Redis.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisServer;

my $slow = NginxControl::slow();

my $mock = MockAPI->start(
    default => sub {
        my $name = $_[0]{token};

        return 410 if $name =~ /^gone/;

        # issued later than any denial

        return { token => { jti => "j-$name", sub => 'u-out-4',
                            iat => 4000 + int time } }
            if $name =~ /^later/;

        return { token => { jti => "j-$name", sub => "u-$name",
                            session => "s-$name" } };
    },
    paths => { 'POST /v1/tokens/revoke' => { by_token => { '*' => 204 } } },
);

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my ($one, $two, $three) = map { $fleet->edge(workers => $_) } 1, 2, 1;

ok($fleet->wait_state($_, 'healthy'), 'an edge is of the fleet')
    for $one, $two, $three;


# each way in which something is denied

for my $n (1 .. 5) {
    is($fleet->why($_, "out-$n"), 'active/', 'a token passes')
        for $one, $two, $three;
}

is($fleet->post($one, '/out', 'out-1'), 204, 'one edge signs out');
ok($fleet->wait_why($_, 'out-1', 'revoked/revoked'), 'others refuse')
    for $two, $three;

is($fleet->hook($two, jti => 'j-out-2'), 204, 'a hook is called at another');
ok($fleet->wait_why($_, 'out-2', 'revoked/jti'), 'others refuse the token')
    for $one, $three;

is($fleet->hook($three, session => 's-out-3'), 204, 'with a session');
ok($fleet->wait_why($_, 'out-3', 'revoked/session'), 'others refuse it')
    for $one, $two;

is($fleet->hook($three, sub => 'u-out-4'), 204, 'with a subject');
ok($fleet->wait_why($_, 'out-4', 'revoked/subject'), 'others refuse it')
    for $one, $two;
is($fleet->why($_, 'out-5'), 'active/', 'another token passes')
    for $one, $two, $three;


# what one worker denies, the one that appends tells

my @late;

for my $n (1 .. 20) {
    $fleet->why($one, "fast-$n");
    is($fleet->hook($two, jti => "j-fast-$n"), 204, 'a jti is denied');

    my $begun = time;

    ok($fleet->wait_why($one, "fast-$n", 'revoked/jti'), 'and refused');
    push @late, 1000 * (time - $begun);
}

@late = sort { $a <=> $b } @late;
cmp_ok($late[10], '<', 200 * $slow, sprintf 'after %d ms, median', $late[10]);


# an edge that comes later has all that stands

my $four = $fleet->edge;

ok($fleet->wait_state($four, 'healthy'), 'a new edge is of the fleet');
is($fleet->why($four, 'out-1'), 'revoked/revoked', 'it knows a sign-out');
is($fleet->why($four, 'out-2'), 'revoked/jti', 'a jti');
is($fleet->why($four, 'out-3'), 'revoked/session', 'a session');
is($fleet->why($four, 'out-4'), 'revoked/subject', 'and a subject');
is($fleet->why($four, 'later-4'), 'active/',
   'whose token of a later date passes');
is($fleet->why($four, 'out-5'), 'active/', 'another token passes');


# nothing that names anything lies in Redis

my $all = $redis->cli('XRANGE', 'agilicus:stream', '-', '+');

unlike($all, qr/out-|fast-|127\.0\.0\.1/, 'no name of a token lies in Redis');
like($redis->cli('KEYS', '*'), qr/^agilicus:/m, 'keys have the prefix');
unlike($redis->cli('KEYS', '*'), qr/^(?!agilicus:)/m, 'all of them');


# Redis goes: everything goes on, and what is denied meanwhile comes later

$redis->halt;

ok($fleet->wait_state($one, 'away', 3), 'an edge notices a Redis that stands');
is($fleet->hook($one, jti => 'j-out-5'), 204, 'it denies all the same');
is($fleet->why($one, 'out-5'), 'revoked/jti', 'and refuses');

my $begun = time;

is($fleet->why($two, 'new-1'), 'active/', 'requests pass at another');
cmp_ok(time - $begun, '<', 1 * $slow, 'without waiting');
is($fleet->why($two, 'out-5'), 'active/', 'which does not know it');

$redis->go_on;

ok($fleet->wait_why($_, 'out-5', 'revoked/jti', 10), 'until Redis goes on')
    for $two, $three, $four;
ok($fleet->wait_state($_, 'healthy', 10), 'all are healthy again')
    for $one, $two, $three, $four;


# the worker that was to tell it dies, and another one tells it; the same over a
# reload

for my $way ('a worker dies', 'nginx is reloaded') {
    my $name = "kept-$way" =~ tr/ /-/r;

    $fleet->why($one, $name);
    $redis->halt;
    is($fleet->hook($two, jti => "j-$name"), 204, "$way: a jti is denied");

    if ($way =~ /reload/) {
        $two->reload;

    } else {
        $two->kill_worker($_) for $two->workers;
    }

    $redis->go_on;
    ok($fleet->wait_why($one, $name, 'revoked/jti', 20), 'it is told');
    ok($fleet->wait_state($two, 'healthy', 20), 'the edge is healthy');
}


# one edge leads, and another one when that one has gone

my $leads = sub {
    return grep { $fleet->figures($_)->{leads} } $one, $two, $three, $four;
};

ok($fleet->wait_for(10, sub { $leads->() == 1 }), 'one edge leads');

my ($first) = $leads->();

$first->finish('it ends', allow => [ qr/exited on signal 9/ ]);

my @rest = grep { $_ != $first } $one, $two, $three, $four;

ok($fleet->wait_for(20, sub { grep { $fleet->figures($_)->{leads} } @rest }),
   'another one leads');
ok($fleet->wait_state($_, 'healthy', 20), 'the rest is healthy') for @rest;

($one, $two) = @rest;


# a worker dies

my ($pid) = $two->workers;

$two->kill_worker($_) for $two->workers;
ok($fleet->wait_state($two, 'healthy', 10), 'workers died, others go on');
$fleet->why($one, 'after-1');
is($fleet->hook($two, jti => 'j-after-1'), 204, 'they deny');
ok($fleet->wait_why($one, 'after-1', 'revoked/jti'), 'and are heard');


# a reload

$two->reload;
ok($fleet->wait_state($two, 'healthy', 10), 'after a reload');
$fleet->why($one, 'after-2');
is($fleet->hook($two, jti => 'j-after-2'), 204, 'it denies');
ok($fleet->wait_why($one, 'after-2', 'revoked/jti'), 'and is heard');

$_->finish('an edge ends', allow => [ qr/exited on signal 9/ ])
    for @rest;
$redis->stop;
$mock->stop;

done_testing();
