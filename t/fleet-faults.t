use strict;
use warnings;

# An attacker who can write to Redis, with and without the key; clocks that
# differ; edges and workers that are killed or stand still; a key that is
# changed.

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

my $allow = [ qr/agilicus token: fleet/, qr/exited on signal 9/ ];
my $key = '5a' x 32;
my $stream = 'agilicus:stream';

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my ($one, $two) = map { $fleet->edge(workers => $_) } 1, 2;

$fleet->healthy('an edge is of the fleet', $one, $two);


sub script {
    my ($lua, @args) = @_;

    return $redis->cli('EVAL', $lua, 1, $stream, @args);
}


# an entry of an attacker, sealed with the right key or with another one

sub append {
    my (%opt) = (key => $key, name => 'agilicus', version => 1, kind => 3,
                 writer => 'ab' x 16, number => 1, rest => '', @_);

    my $plain = $opt{writer} . sprintf('%016x%08x', $opt{number}, 0)
                . $opt{rest};
    my $epoch = $redis->cli('GET', 'agilicus:epoch');
    my $seal = "python3 -B t/lib/fleet_entry.py $opt{key} $opt{name} $epoch"
               . " $opt{version} $opt{kind} $plain";
    my $id = qx($seal | redis-cli -s $redis->{socket} -x XADD $stream '*' e);

    chomp $id;

    like($id, qr/^\d+-\d+$/, 'an entry is appended');
}


# replayed: every entry that stands comes once more

my $first = $fleet->deny($one);

$fleet->refused($two, $first, 'it is heard');
$fleet->heard('so are others', $one, $two);

cmp_ok(script(<<'EOL'), '>=', 3, 'all entries are replayed');
    local all = redis.call('XRANGE', KEYS[1], '-', '+')

    for _, entry in ipairs(all) do
        redis.call('XADD', KEYS[1], '*', unpack(entry[2]))
    end

    return #all
EOL

$fleet->heard('nothing comes of it', $one, $two);

for my $edge ($one, $two) {
    my $figures = $fleet->figures($edge);

    is($figures->{state}, 'healthy', 'an edge is healthy');
    is("@$figures{qw(gaps unreadable resends missing)}", '0 0 0 0',
       'and has seen nothing odd');
}

my $new = $fleet->edge;

ok($fleet->wait_state($new, 'healthy', 30), 'a new edge is healthy');
is($fleet->why($new, $first), 'revoked/jti', 'and knows what stands');
$new->finish('the new edge ends', allow => $allow);


# one entry is deleted before the others have read it

for my $round (1 .. 2) {
    my @workers = $two->workers;

    kill STOP => @workers;

    # an XREAD that waits would still get them

    sleep 0.5;

    my @names = map { $fleet->deny($one) } 1 .. 3;

    ok($fleet->wait_for(5, sub { $fleet->figures($one)->{pending} == 0 }),
       'three are appended');

    # the last denial, or the one before it

    is(script(<<'EOL', $round), 1, 'one of them is deleted');
        local all, n = redis.call('XREVRANGE', KEYS[1], '+', '-'), 0

        for _, entry in ipairs(all) do
            if entry[2][2]:byte(2) == 1 then
                n = n + 1

                if n == tonumber(ARGV[1]) then
                    return redis.call('XDEL', KEYS[1], entry[1])
                end
            end
        end
EOL

    kill CONT => @workers;

    $fleet->refused($two, $_, 'it is refused all the same') for @names;
    $fleet->healthy('and all are well', $one, $two);
}


# numbers of a writer that no edge has, sealed with the right key

append(kind => 4, number => 5);
append(kind => 4, number => 7);
ok($fleet->wait_state($_, 'gap', 10), 'a number is missing') for $one, $two;
$fleet->heard('denials are heard all the same', $one, $two);
$fleet->healthy('after all was told again, nothing is missing', $one, $two);
cmp_ok($fleet->figures($one)->{resends} + $fleet->figures($two)->{resends},
       '>', 0, 'somebody has asked for that');


# the clock of Redis is a day ahead, and is set right

my $ahead = 1000 * (86400 + int time);

is($redis->cli('XSETID', $stream, "$ahead-0"), 'OK', 'ids from the future');
$fleet->heard('denials are heard', $one, $two);

$redis->cli('DEL', $stream);
$fleet->heard('ids of today are heard after that', $one, $two);
$fleet->healthy('and all are well', $one, $two);


# a worker dies with denials that are not told yet

$redis->halt;
ok($fleet->wait_state($two, 'away', 5), 'Redis stands still');

my @pending = map { $fleet->deny($two) } 1 .. 5;

cmp_ok($fleet->figures($two)->{pending}, '>=', 5, 'denials are pending');
$two->kill_worker($_) for $two->workers;
push @pending, $fleet->deny($two);
$redis->go_on;

$fleet->refused($one, $_, 'it is heard though the worker has died') for @pending;
$fleet->healthy('all are well', $one, $two);


# the edge that leads dies, with a denial that no other edge knows

{
    my ($leads, $other) = $fleet->figures($one)->{leads} ? ($one, $two)
                                                         : ($two, $one);

    ok($fleet->figures($leads)->{leads}, 'one edge leads');

    my $known = $fleet->deny($leads);

    $fleet->refused($other, $known, 'it is heard');

    $redis->halt;
    ok($fleet->wait_state($_, 'away', 5), 'Redis stands still') for $one, $two;

    # whether this one is lost depends on how far it has come

    $fleet->deny($leads);

    kill KILL => $leads->pid, $leads->workers;
    $redis->go_on;

    ok($fleet->wait_state($other, 'healthy', 30), 'the other one is well');
    ok($fleet->wait_for(10, sub { $fleet->figures($other)->{leads} }),
       'and leads');
    is($fleet->why($other, $known), 'revoked/jti', 'what was told is known');

    my $again = $fleet->edge;

    ok($fleet->wait_state($again, 'healthy', 30), 'another edge comes');
    is($fleet->why($again, $_), 'revoked/jti', "and knows $_")
        for $first, $known, @pending;

    $leads->stop;
    $leads->problems(allow => $allow);
    ($one, $two) = ($other, $again);
}


# an edge that leads stands still for longer than its lease

{
    my ($leads, $other) = $fleet->figures($one)->{leads} ? ($one, $two)
                                                         : ($two, $one);
    my @workers = $leads->workers;

    kill STOP => @workers;
    ok($fleet->wait_for(10, sub { $fleet->figures($other)->{leads} }),
       'another one leads');

    my $name = $fleet->deny($other);

    kill CONT => @workers;
    $fleet->refused($leads, $name, 'it hears what it has missed');
    $fleet->healthy('all are well', $one, $two);
    $fleet->heard('and go on', $one, $two);
}


# another name of a fleet, the same key

my $foreign = FleetEdges->new($redis->url, key => $fleet->{key},
                              params => 'name=other');
my $stranger = $foreign->edge;

ok($foreign->wait_state($stranger, 'healthy', 30), 'a fleet of another name');
is($foreign->why($stranger, $first), 'active/', 'it hears nothing');

is($redis->cli('EVAL', <<'EOL', 2, $stream, 'other:stream'), 1, 'is copied');
    local all = redis.call('XREVRANGE', KEYS[1], '+', '-')

    for _, entry in ipairs(all) do
        if entry[2][2]:byte(2) == 1 then
            redis.call('XADD', KEYS[2], '*', unpack(entry[2]))
        end
    end

    return 1
EOL

ok($foreign->wait_state($stranger, 'unreadable', 10), 'foreign entries');
is($foreign->why($stranger, $first), 'active/', 'deny nothing there');
$stranger->finish('it ends', allow => $allow);


# the key is changed without a gap

{
    my $next = $fleet->key('next.key', 'c3' x 32);
    my @unreadable = map { $fleet->figures($_)->{unreadable} } $one, $two;

    for my $keys ("$fleet->{key} key=$next", "$next key=$fleet->{key}") {
        for my $edge ($one, $two) {
            $edge->reload(http => $fleet->http(key => $keys));
            $fleet->heard('denials are heard while keys change', $one, $two);
        }
    }

    $fleet->healthy('all are well', $one, $two);
    is($fleet->figures($_)->{unreadable}, shift @unreadable,
       'everything could be read') for $one, $two;

    # without the old key, what it has sealed cannot be read

    my $edge = $fleet->edge(key => $next);

    ok($fleet->wait_state($edge, 'unreadable', 10),
       'an old entry stands, so it is too early to take the old key away');
    $edge->finish('the edge ends', allow => $allow);
}


# a version or a kind that is not known holds an edge up, until it is gone

{
    my $known = $fleet->deny($one);

    $fleet->refused($two, $known, 'it is heard');
    append(version => 2, writer => 'cd' x 16);
    ok($fleet->wait_state($_, 'unreadable', 10), 'a later version')
        for $one, $two;

    my $behind = $fleet->deny($one);

    sleep 2;
    is($fleet->why($two, $behind), 'active/', 'what comes after it waits');

    is(script(<<'EOL'), 1, 'it is deleted');
        for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
            if entry[2][2]:byte(1) == 2 then
                return redis.call('XDEL', KEYS[1], entry[1])
            end
        end
EOL

    $fleet->refused($two, $behind, 'then it is heard');
}


# forged: an entry of which any byte is another one

{
    my $edge = $fleet->edge(key => "$fleet->{dir}/next.key key=$fleet->{key}");
    my $count = sub { $fleet->figures($edge)->{unreadable} };

    ok($fleet->wait_for(10, sub { $fleet->state($edge) }), 'an edge');
    sleep 1;

    my $unreadable = $count->();

    is(script(<<'EOL'), 10, 'ten are forged');
        local all = redis.call('XRANGE', KEYS[1], '-', '+')
        local good

        for _, entry in ipairs(all) do
            if entry[2][2]:byte(2) == 1 then
                good = entry[2][2]
            end
        end

        for i = 0, 9 do
            local at = 1 + math.floor((#good - 1) * i / 9)
            local byte = (good:byte(at) + 1) % 256

            redis.call('XADD', KEYS[1], '*', 'e', good:sub(1, at - 1)
                       .. string.char(byte) .. good:sub(at + 1))
        end

        return 10
EOL

    ok($fleet->wait_for(10, sub { $count->() == $unreadable + 10 }),
       'each is noticed');
    is($fleet->state($edge), 'unreadable', 'and the edge is late');
    $fleet->heard('denials are heard all the same', $one, $two);
    $edge->finish('the edge ends', allow => $allow);
}

$_->finish('an edge ends', allow => $allow) for $one, $two;
$redis->stop;
$mock->stop;

done_testing();
