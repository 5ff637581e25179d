use strict;
use warnings;

# Edges that come while others have told much already: a new edge misses no
# denial of the trimmed entries; an edge that was away while all others told
# their denials again tells the denials that it alone knows.

use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use RedisServer;

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url, healing => 60);
my $stream = 'agilicus:stream';

my @lost = map { $fleet->edge } 1 .. 2;
my $away = $fleet->edge;

$fleet->healthy('an edge is of the fleet', @lost, $away);


# marks are trimmed all the time, and a new edge begins behind them

for (1 .. 6) {
    my $new = $fleet->edge;

    $fleet->healthy('a new edge', $new);
    is($fleet->figures($new)->{resends}, 0, 'it misses nothing');
    sleep 0.3;
    $new->finish('it ends', allow => [ qr/agilicus token: fleet/ ]);
}


# the entry of the second denial is deleted when the edge has read it

sub id { return ($redis->cli(@_) =~ /(\d+)-\d+/)[0] || 0 }
sub last_id { return id('XREVRANGE', $stream, '+', '-', 'COUNT', 1) }

my $stays = $fleet->deny($lost[1]);
my $alone = $fleet->deny($lost[1]);

$fleet->refused($away, $_, 'it is refused') for $stays, $alone;

is($redis->cli('EVAL', <<'EOL', 1, $stream), 1, 'an entry is deleted');
    local all = redis.call('XREVRANGE', KEYS[1], '+', '-')

    for _, entry in ipairs(all) do
        if entry[2][2]:byte(2) == 1 then
            return redis.call('XDEL', KEYS[1], entry[1])
        end
    end
EOL

my $last = last_id();

ok($fleet->wait_for(10, sub { last_id() > $last }),
   'a mark tells how many there were');


# the others are lost with all that they knew, and two new ones come

my @workers = $away->workers;

kill STOP => @workers;
sleep 0.5;

$_->finish('an edge is lost', allow => [ qr/agilicus token: fleet/ ])
    for @lost;

$last = last_id();

$redis->cli('CLIENT', 'KILL', 'TYPE', 'normal');

my @new = map { $fleet->edge } 1 .. 2;

ok($fleet->wait_for(40, sub { $fleet->figures($new[0])->{resends}
                              + $fleet->figures($new[1])->{resends} }),
   'they ask for what is missing');
$fleet->healthy('they take what is told for everything', @new);
ok($fleet->wait_for(40, sub { id('XRANGE', $stream, '-', '+', 'COUNT', 1)
                              > $last }),
   'all that there was is trimmed');

$fleet->refused($new[0], $stays, 'it was told again');
isnt($fleet->why($new[0], $alone), 'revoked/jti', 'the other one was not');


# the edge is back

kill CONT => @workers;

$fleet->healthy('it knows everything', $away);
$fleet->refused($_, $alone, 'it is known again') for @new;

$_->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ])
    for @new, $away;

$redis->stop;
$mock->stop;

done_testing();
