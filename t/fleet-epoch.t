use strict;
use warnings;

# The epoch of the stream: entries are good for one alone; where no further
# entry can be appended, there is another one, and everything is told again.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisServer;
use TestClock;

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

my $allow = [ qr/agilicus token: fleet/ ];
my $stream = 'agilicus:stream';
my $max = '18446744073709551615';

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my ($one, $two) = map { $fleet->edge(workers => $_) } 1, 2;

$fleet->healthy('an edge is of the fleet', $one, $two);


my $n = 0;


sub epoch { return $redis->cli('GET', 'agilicus:epoch') }


# a process in which something is denied at an edge all the time

sub busy {
    my ($edge) = @_;
    my $pid = fork() // die "fork: $!\n";

    if ($pid) {
        NginxControl::guard($pid);

        return $pid;
    }

    while (1) {
        eval { $fleet->hook($edge, jti => 'j-busy-' . ++$n) };
        sleep 0.3;
    }
}


# copies all entries of one stream to the end of another; returns how many

sub copy {
    return $redis->cli('EVAL', <<'EOL', 2, @_);
        local all = redis.call('XRANGE', KEYS[1], '-', '+')

        for _, entry in ipairs(all) do
            redis.call('XADD', KEYS[2], '*', unpack(entry[2]))
        end

        return #all
EOL
}


# restarted empty while nothing is denied: there is nothing to tell

for (1, 2) {
    $redis->kill;
    ok($fleet->wait_state($_, 'away', 20), 'Redis has gone') for $one, $two;
    $redis->restart;
    $fleet->healthy('it is back, without anything', $one, $two);
}


my $first = $fleet->deny($one);

$fleet->refused($two, $first, 'it is heard');


# flushed, many times: nothing is sealed for an epoch that has gone

for (1 .. 5) {
    my $epoch = epoch();

    $redis->cli('FLUSHALL');
    $fleet->heard('denials are heard after a flush', $one, $two);
    isnt(epoch(), $epoch, 'there is another epoch');
}

$fleet->healthy('all are well', $one, $two);
is($fleet->figures($_)->{missing}, 0, 'nothing is missing') for $one, $two;

{
    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 20), 'a new edge');
    is($fleet->figures($new)->{unreadable}, 0, 'could read everything');
    is($fleet->why($new, $first), 'revoked/jti', 'and knows what stands');
    $new->finish('it ends', allow => $allow);
}


# the epoch alone is deleted

{
    my $epoch = epoch();

    $redis->cli('DEL', 'agilicus:epoch');
    $fleet->heard('denials are heard when the epoch was deleted', $one, $two);
    isnt(epoch(), $epoch, 'there is another epoch');
    $fleet->healthy('all are well', $one, $two);

    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 20), 'a new edge');
    is($fleet->figures($new)->{unreadable}, 0, 'could read everything');
    is($fleet->why($new, $first), 'revoked/jti', 'and knows what stands');
    $new->finish('it ends', allow => $allow);
}


# the last ids that there can be

for my $id ("$max-$max", "$max-1", 1000 * (90000 + int time) . '-0') {
    like($redis->cli('XADD', $stream, $id, 'e', 'x'), qr/^\d/, "the id $id");
    $fleet->heard('denials are heard all the same', $one, $two);
    ok($fleet->wait_for(10, sub {
           my ($last) = $redis->cli('XINFO', 'STREAM', $stream)
                        =~ /last-generated-id\n(\d+)-/;

           return $last && $last < 1000 * (86400 + time);
       }), 'ids are of today');
}

$fleet->healthy('all are well', $one, $two);

{
    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 20), 'a new edge');
    is($fleet->why($new, $first), 'revoked/jti', 'knows what stands');
    $new->finish('it ends', allow => $allow);
}


# what stood there before comes back, without what its last mark wants; also
# where an edge appends all the time

for my $busy (0, 1) {
    my $pid = $busy ? busy($one) : undef;
    my $gone = $fleet->deny($one);

    $fleet->refused($two, $gone, 'it is heard');
    sleep 2.5;
    $redis->cli('EVAL', <<'EOL', 2, $stream, 'agilicus:epoch');
        redis.call('COPY', KEYS[1], 'stream', 'REPLACE')
        redis.call('SET', 'epoch', redis.call('GET', KEYS[2]))
        redis.call('DEL', KEYS[1], KEYS[2])

        local all = redis.call('XRANGE', 'stream', '-', '+')

        for i = 1, #all - 1 do
            redis.call('XDEL', 'stream', all[i][1])
        end
EOL
    $fleet->heard('denials are heard', $one, $two);
    $redis->cli('EVAL', <<'EOL', 2, $stream, 'agilicus:epoch');
        redis.call('COPY', 'stream', KEYS[1], 'REPLACE')
        redis.call('SET', KEYS[2], redis.call('GET', 'epoch'))
EOL
    $fleet->heard('denials are heard in an old stream', $one, $two);
    $fleet->healthy('which heals', $one, $two);
    kill KILL => $pid if $pid;
    waitpid $pid, 0 if $pid;
}


# an entry that is too large to be told is the first one and the last one

{
    my $connections = $fleet->figures($one)->{connections};

    $redis->cli('EVAL', <<'EOL', 1, $stream);
        redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', 0)

        return redis.call('XADD', KEYS[1], '*', 'e', string.rep('x', 5000000))
EOL
    $fleet->heard('denials are heard', $one, $two);
    sleep 2.5;
    cmp_ok($fleet->figures($one)->{connections} - $connections, '<=', 1,
           'and connections stay');
    $redis->cli('FLUSHALL');
    $fleet->heard('and so they are after a flush', $one, $two);
    $fleet->healthy('which heals what could not be read', $one, $two);
}


# recorded, and appended again under another epoch, when all edges have gone

my $recorded = $fleet->deny($two);

$fleet->refused($one, $recorded, 'it is heard');
sleep 2.5;
cmp_ok(copy($stream, 'recorded'), '>=', 3, 'a stream is recorded');
$_->finish('an edge ends', allow => $allow) for $one, $two;

$redis->cli('DEL', $stream);
$redis->cli('SET', 'agilicus:epoch', 'e' x 32);

my $all = copy('recorded', $stream);
my $edge = $fleet->edge;

ok($fleet->wait_state($edge, 'unreadable', 10),
   'under another epoch, entries count as unreadable');
is($fleet->figures($edge)->{unreadable}, $all, 'marks do, too');
is($fleet->why($edge, $recorded), 'active/', 'and so do denials');
is(epoch(), 'e' x 32, 'the epoch is the one that was set');

$edge->finish('the edge ends', allow => $allow);


# an entry that cannot be opened, with an id of tomorrow, stands before many

{
    my $clock = TestClock->new;
    my $tomorrow = 1000 * (80000 + int time);

    $redis->cli('FLUSHALL');
    $edge = $fleet->edge(env => { $clock->env });

    ok($fleet->wait_state($edge, 'healthy', 20), 'an edge');
    is($fleet->hook($edge, jti => 'j-stands'), 204, 'one is denied');
    ok($fleet->wait_for(10, sub { $fleet->figures($edge)->{pending} == 0 }),
       'and appended');
    $redis->cli('XADD', $stream, "$tomorrow-0", 'e', 'x');
    is($redis->cli('EVAL', <<'EOL', 1, $stream), 10300, 'many come after it');
        local all = redis.call('XRANGE', KEYS[1], '-', '+')

        for i = 1, 10300 do
            redis.call('XADD', KEYS[1], '*', unpack(all[1][2]))
        end

        return 10300
EOL
    ok($fleet->wait_state($edge, 'unreadable', 20), 'the edge is late');

    # a minute passes

    $clock->set(wall => 0, mono => 61);
    ok($fleet->wait_for(40, sub { $redis->cli('XLEN', $stream) < 500 }),
       'all of it is trimmed');
    ok($fleet->wait_state($edge, 'healthy', 20), 'the edge is healthy');

    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 20), 'a new edge');
    is($fleet->why($new, 'stands'), 'revoked/jti', 'knows what stands');
    $_->finish('an edge ends', allow => $allow) for $edge, $new;
}

$redis->stop;
$mock->stop;

done_testing();
