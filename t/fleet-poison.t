use strict;
use warnings;

# An attacker who can write to Redis, but has not the key, cannot hold an edge
# up by large entries, or by other values of the keys of a fleet.

use IO::Socket::UNIX;
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
my $stream = 'agilicus:stream';

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my ($one, $two) = map { $fleet->edge(workers => $_) } 1, 2;

$fleet->healthy('an edge is of the fleet', $one, $two);


sub script {
    my ($lua, @args) = @_;

    return $redis->cli('EVAL', $lua, 1, $stream, @args);
}


my $first = $fleet->deny($one);

$fleet->refused($two, $first, 'it is heard');


# keys of the fleet with other values

for my $value ([ 'x' ], [ '0' x 32 ]) {
    $redis->cli('SET', "agilicus:$_", @$value) for 'epoch', 'lease';
    $fleet->heard('denials are heard, whatever the epoch is', $one, $two);
}

for my $key ('epoch', 'lease') {
    is($redis->cli('EVAL', <<'EOL', 1, "agilicus:$key"), 1, "$key: a list");
        redis.call('DEL', KEYS[1])

        return redis.call('LPUSH', KEYS[1], 'x')
EOL
    $fleet->heard('denials are heard all the same', $one, $two);
}

my $errors = $fleet->figures($one)->{errors};

$redis->cli('DEL', $stream);
$redis->cli('SET', $stream, 'x');
ok($fleet->wait_for(10, sub { $fleet->figures($one)->{errors} > $errors + 2 }),
   'the key of the stream is none');
$redis->cli('DEL', $stream);
$fleet->heard('denials are heard when that is deleted', $one, $two);

{
    my $edge = $fleet->edge;

    $fleet->refused($edge, $first, 'a new edge hears what stood there');
    $edge->finish('the edge ends', allow => $allow);
}

$redis->cli('SET', 'agilicus:lease', '0' x 32);
ok($fleet->wait_for(45, sub { $redis->cli('GET', 'agilicus:lease')
                               ne '0' x 32 }),
   'a lease that does not end is taken');
ok($fleet->wait_state($_, 'healthy', 90), 'and all are well') for $one, $two;


# what no edge can have written, however large it is, does not hold edges up

my %large = (
    'many fields' => <<'EOL',
        local fields = {}

        for i = 1, 2200 do
            fields[2 * i - 1], fields[2 * i] = 'f', 'v'
        end

        return redis.call('XADD', KEYS[1], '*', unpack(fields))
EOL
    'a large value' => <<'EOL',
        return redis.call('XADD', KEYS[1], '*', 'e', string.rep('x', 5000000))
EOL
    'many values' => <<'EOL',
        for i = 1, 20 do
            redis.call('XADD', KEYS[1], '*', 'e', string.rep('x', 420000))
        end

        return '1-1'
EOL
);

for my $what (sort keys %large) {
    like(script($large{$what}), qr/^\d+-\d+$/, $what);
    $fleet->heard('denials are heard all the same', $one, $two);
}

# a script reads past these; other entries are read without one, which takes
# Redis a tenth of the time

{
    my $socket = IO::Socket::UNIX->new($redis->{socket}) or die "connect: $!\n";
    my $text = '';

    syswrite $socket, "MONITOR\r\n";
    $redis->cli('CLIENT', 'KILL', 'ID', $_)
        for $redis->cli('CLIENT', 'LIST') =~ /^id=(\d+) .* cmd=xread /mg;

    ok($fleet->wait_for(20, sub {
           sysread $socket, $text, 65536, length $text;
           return $text =~ /^[^"]* unix:[^"]*"XRANGE" /m;
       }), 'later entries are read without the script');
}

{
    my $edge = $fleet->edge;

    ok($fleet->wait_why($edge, $first, 'revoked/jti', 20),
       'a new edge reads on, too');
    ok($fleet->wait_state($edge, 'unreadable', 10), 'but is not healthy');
    $edge->finish('the edge ends', allow => $allow);
}

$_->finish('an edge ends', allow => $allow) for $one, $two;
$redis->stop;


# a server that repeats the password in its answer

{
    my $odd = RedisServer->start(args => [ '--rename-command', 'AUTH', '' ]);
    my $other = FleetEdges->new($odd->url);
    my $password = $other->key('password', 's3cret-of-redis');
    my $edge = $other->edge(params => "user=edge password=$password");

    ok($edge->wait_log(qr/refuses the user or password/, 10),
       'it is said that the password is refused');
    $edge->finish('the edge ends, and has not logged the password',
                  allow => $allow, secrets => [ 's3cret-of-redis' ]);
    $odd->stop;
}

$mock->stop;

done_testing();
