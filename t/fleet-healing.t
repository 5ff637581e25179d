use strict;
use warnings;

# A fleet heals: entries that are deleted, forged or replayed, a Redis that is
# emptied, restarted with or without its data, full, or away; and an edge is
# never healthy while something is missing.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisServer;

my $mock = MockAPI->start(
    default => sub {
        my $name = $_[0]{token};

        return { token => { jti => "j-$name", sub => "u-$name" } };
    },
);

my $redis = RedisServer->start(data => 1);
my $fleet = FleetEdges->new($redis->url);
my ($one, $two) = map { $fleet->edge(workers => $_) } 1, 2;
my $allowed = [ qr/agilicus token: fleet/ ];
my $n = 0;

ok($fleet->wait_state($_, 'healthy'), 'healthy') for $one, $two;


# a token that one edge denies; returns its name

sub deny {
    my ($edge) = @_;

    my $name = 'token-' . ++$n;

    $fleet->why($_, $name) for $one, $two;
    is($fleet->hook($edge, jti => "j-$name"), 204, "$name is denied");

    return $name;
}


sub refused {
    my ($edge, $name, $why) = @_;

    ok($fleet->wait_why($edge, $name, 'revoked/jti', 15), $why);
}


sub healthy {
    my ($why) = @_;

    ok($fleet->wait_state($_, 'healthy', 30), $why) for $one, $two;
}


# an entry that is deleted before the other edge reads it

my $first = deny($one);

refused($two, $first, 'a first one');

for my $round (1 .. 3) {
    kill STOP => $_ for $two->workers;

    # an XREAD that waits would still get the entry

    sleep 0.5;

    my $name = 'deleted-' . $round;

    is($fleet->hook($one, jti => "j-$name"), 204, 'one is denied');
    ok($fleet->wait_for(5, sub { $fleet->figures($one)->{pending} == 0 }),
       'and appended');

    my ($id) = $redis->cli('XREVRANGE', 'agilicus:stream', '+', '-', 'COUNT',
                           8) =~ /(\d+-\d+)/;

    $redis->cli('XTRIM', 'agilicus:stream', 'MAXLEN', '=', 0);
    kill CONT => $_ for $two->workers;

    refused($two, $name, 'it is refused, though its entry was deleted');
    healthy('and all are healthy');
}


# the whole stream is deleted, Redis is emptied

for my $case ([ 'DEL', 'agilicus:stream' ], [ 'FLUSHALL' ]) {
    my $name = deny($one);

    refused($two, $name, 'refused');
    $redis->cli(@$case);
    healthy("after $case->[0]");

    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 30), 'a new edge is healthy');
    is($fleet->why($new, $_), 'revoked/jti', "it knows $_")
        for $first, $name, 'deleted-2';

    $new->finish('the new edge ends', allow => $allowed);

    $name = deny($two);
    refused($one, $name, 'and it goes on');
}


# killed, and back with its data; and without

for my $with (1, 0) {
    my $before = deny($one);

    refused($two, $before, 'refused');

    $redis->kill;
    $redis->cli('nothing');
    unlink glob "$redis->{dir}/appendonlydir/*" if !$with;

    my $name = deny($one);

    is($fleet->why($two, $name), 'active/', 'another edge cannot know it');
    ok($fleet->wait_state($_, 'away', 5), 'and says so') for $one, $two;

    $redis->restart;
    refused($two, $name, 'until Redis is back');
    healthy('all are healthy');

    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 30), 'a new edge is healthy');
    is($fleet->why($new, $_), 'revoked/jti', "it knows $_")
        for $first, $before, $name;
    $new->finish('the new edge ends', allow => $allowed);
}


# an edge that is gone has left what it denied, also after Redis was emptied

{
    my $gone = $fleet->edge;

    ok($fleet->wait_state($gone, 'healthy', 30), 'another edge');

    my $name = 'left-1';

    is($fleet->hook($gone, jti => "j-$name"), 204, 'it denies');
    refused($one, $name, 'refused');
    $gone->finish('it ends', allow => $allowed);

    $redis->cli('FLUSHALL');
    healthy('emptied');
    ok((grep { $_->error_log =~ /this edge tells the fleet everything again/ }
        $one, $two), 'an edge has told everything again, and says so');

    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 30), 'a new edge is healthy');
    is($fleet->why($new, $name), 'revoked/jti', 'and has heard of it');
    $new->finish('the new edge ends', allow => $allowed);
}


# Redis is full

$redis->cli('CONFIG', 'SET', 'maxmemory', '1');

my $full = deny($one);

sleep 1;
is($fleet->why($two, $full), 'active/', 'a full Redis takes nothing');
cmp_ok($fleet->figures($one)->{pending}, '>', 0, 'what waits is counted');
ok($one->wait_log(qr/fleet: Redis refuses .*OOM/, 5), 'and said');

my $errors = $fleet->figures($one)->{errors};

ok($fleet->wait_for(10, sub {
       $fleet->figures($one)->{errors} > $errors + 2 }),
   'an edge tries again and again');
is(scalar(() = $one->error_log =~ /Redis refuses an entry: "OOM"/g), 1,
   'and says so once');
$redis->cli('CONFIG', 'SET', 'maxmemory', '0');
refused($two, $full, 'until it has room');
healthy('and all are healthy');


# forged and replayed entries, and some that are no entries

$redis->cli('EVAL', "
    local e = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 20)
    for i = 1, #e do redis.call('XADD', KEYS[1], '*', 'e', e[i][2][2]) end",
    1, 'agilicus:stream');
sleep 1;
is($fleet->state($_), 'healthy', 'replayed entries are ignored') for $one, $two;
is($fleet->figures($_)->{missing}, 0, 'nothing is missing') for $one, $two;

$redis->cli('XADD', 'agilicus:stream', '*', 'e', 'x' x 200);
ok($fleet->wait_state($_, 'unreadable', 5), 'an entry that nobody has sealed')
    for $one, $two;

my $under = deny($one);

refused($two, $under, 'denials are heard all the same');

$_->finish('an edge ends', allow => $allowed) for $one, $two;


# another key

my $other = $fleet->key('other.key', 'a5' x 32);

$redis->cli('FLUSHALL');

my ($right, $wrong) = ($fleet->edge, $fleet->edge(key => $other));

for my $n (1 .. 3) {
    $fleet->hook($_, jti => "k-$n") for $right, $wrong;
}

ok($fleet->wait_state($_, 'unreadable', 10), 'two keys: nobody is healthy')
    for $right, $wrong;

$_->finish('an edge ends', allow => $allowed) for $right, $wrong;

$redis->stop;
$mock->stop;

done_testing();
