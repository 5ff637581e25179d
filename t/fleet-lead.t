use strict;
use warnings;

# The edge that leads trims the stream when the stream has filled Redis, and
# when its marks are long; a deleted entry is not taken for a trimmed one.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisServer;

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

my $allow = [ qr/agilicus token: fleet/ ];
my $key = '5a' x 32;
my $stream = 'agilicus:stream';


# the last mark once more, and again, while no edge runs

sub copies {
    my ($redis, $n) = @_;

    return $redis->cli('EVAL', <<'EOL', 1, $stream, $n);
        local all = redis.call('XREVRANGE', KEYS[1], '+', '-')

        for _, entry in ipairs(all) do
            if entry[2][2]:byte(2) == 2 then
                for i = 1, tonumber(ARGV[1]) do
                    redis.call('XADD', KEYS[1], '*', unpack(entry[2]))
                end

                return #entry[2][2]
            end
        end

        return 0
EOL
}


sub used {
    my ($redis) = @_;

    return $redis->cli('INFO', 'memory') =~ /used_memory:(\d+)/ ? $1 : 0;
}


# a Redis that the stream has filled

{
    my $redis = RedisServer->start;
    my $fleet = FleetEdges->new($redis->url);
    my ($one, $two) = map { $fleet->edge } 1, 2;
    my @workers = map { $_->workers } $one, $two;

    ok($fleet->wait_state($_, 'healthy', 20), 'an edge') for $one, $two;
    ok($fleet->wait_for(20, sub { copies($redis, 0) > 0 }), 'one has marked');

    kill STOP => @workers;
    ok($fleet->wait_for(20, sub { !$redis->cli('EXISTS', 'agilicus:lease') }),
       'nobody leads');

    my $before = used($redis);

    cmp_ok(copies($redis, 8000), '>', 100, 'what fills it');
    $redis->cli('CONFIG', 'SET', 'maxmemory',
                int(($before + used($redis)) / 2));
    like($redis->cli('SET', 'agilicus:x', 'x'), qr/^OOM/, 'Redis is full');

    kill CONT => @workers;

    ok($fleet->wait_for(30, sub { $redis->cli('XLEN', $stream) < 4000 }),
       'the stream is trimmed');
    is($fleet->hook($one, jti => 'j-full'), 204, 'one denies');
    ok($fleet->wait_why($two, 'full', 'revoked/jti', 10), 'it is heard');
    ok($fleet->wait_state($_, 'healthy', 30), 'and all is well') for $one, $two;

    $_->finish('an edge ends', allow => $allow) for $one, $two;
    $redis->stop;
}


# marks of many writers, as an attacker who has the key may write them

{
    my $redis = RedisServer->start;
    my $fleet = FleetEdges->new($redis->url);
    my $edge = $fleet->edge;

    ok($fleet->wait_state($edge, 'healthy', 20), 'an edge');

    my @workers = $edge->workers;

    kill STOP => @workers;

    my $epoch = $redis->cli('GET', 'agilicus:epoch');
    my $plain = 'ab' x 16 . sprintf('%016x', 1) . '00' x 20
                . sprintf('%04x', 900)
                . join('', map { sprintf '%032x%016x%016x', $_, 2, 1 }
                               1 .. 900);

    system("python3 -B t/lib/fleet_entry.py $key agilicus $epoch 1 2 $plain"
           . " | redis-cli -s $redis->{socket} -x XADD $stream '*' e"
           . ' > /dev/null');

    # a look at all of these would be an answer that is too large

    cmp_ok(copies($redis, 250), '>', 32 * 900, 'marks of 900 writers');
    kill CONT => @workers;

    ok($fleet->wait_for(30, sub { $redis->cli('XLEN', $stream) < 10 }),
       'they are trimmed');
    cmp_ok($fleet->figures($edge)->{connections}, '<', 3,
           'and the edge has not lost Redis over it');

    $edge->finish('the edge ends', allow => $allow);
    $redis->stop;
}


# an entry of an edge that is gone is deleted, and the entries that stood behind
# it are trimmed

{
    my $redis = RedisServer->start;
    my $fleet = FleetEdges->new($redis->url);
    my $gone = $fleet->edge;

    ok($fleet->wait_for(20, sub { $fleet->figures($gone)->{leads} }), 'an edge');

    my $edge = $fleet->edge;

    ok($fleet->wait_state($edge, 'healthy', 20), 'another one');
    is($fleet->hook($gone, jti => 'j-deleted'), 204, 'one denies');
    ok($fleet->wait_why($edge, 'deleted', 'revoked/jti', 10), 'it is heard');
    ok($fleet->wait_for(20, sub { $redis->cli('XLEN', $stream) > 6 }),
       'marks stand behind it');

    kill KILL => $gone->pid, $gone->workers;
    $gone->stop;
    $gone->problems(allow => $allow);

    is($redis->cli('EVAL', <<'EOL', 1, $stream), 1, 'a denial is deleted');
        for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
            if entry[2][2]:byte(2) == 1 then
                return redis.call('XDEL', KEYS[1], entry[1])
            end
        end
EOL

    # the first mark of the edge that leads now is older than that

    ok($fleet->wait_for(30, sub { $fleet->figures($edge)->{trimmed} > 6 }),
       'what stood behind it is trimmed');

    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 40), 'a new edge is healthy');
    is($fleet->why($new, 'deleted'), 'revoked/jti', 'and has heard of it');

    $_->finish('an edge ends', allow => $allow) for $edge, $new;
    $redis->stop;
}

$mock->stop;

done_testing();
