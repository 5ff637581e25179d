use strict;
use warnings;

# The edge that leads has not read an entry that another edge has read, and the
# entry was lost with its writer: by its numbers, the edge that leads misses
# nothing.  The other edge, which knows more, asks for everything, and tells it;
# it does so even if it was away itself meanwhile.

use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use RedisProxy;
use RedisServer;
use TestClock;

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

# with their clocks so far behind, the others do not lead in its place

my $behind = TestClock->new;

$behind->set(wall => -15, mono => 0);

for my $away (0, 8) {
    my $redis = RedisServer->start;
    my ($far, $near) = map { RedisProxy->start($redis) } 1 .. 2;
    my $fleet = FleetEdges->new($redis->url);

    my $leads = $fleet->edge(url => $far->url);

    $fleet->healthy('the edge that leads', $leads);
    ok($fleet->wait_for(10, sub { $fleet->figures($leads)->{leads} }),
       'it leads');

    my $knows = $fleet->edge(url => $near->url, env => { $behind->env });
    my $lost = $fleet->edge(env => { $behind->env });

    $fleet->healthy('another edge', $knows, $lost);

    my $name = $fleet->deny($lost);

    $fleet->refused($_, $name, 'all hear what is denied') for $leads, $knows;


    # what comes now reaches all but the edge that leads

    $far->halt;
    sleep 0.3;

    $name = $fleet->deny($lost);
    $fleet->refused($knows, $name, 'one edge hears of it');

    # a later entry, so that the edge which knows finds its place again

    $fleet->refused($lost, $fleet->deny($knows), 'a later one');
    sleep 0.5;

    is($redis->cli('EVAL', <<'EOL', 1, 'agilicus:stream'), 1, 'it is deleted');
        local all, n = redis.call('XREVRANGE', KEYS[1], '+', '-'), 0

        for _, entry in ipairs(all) do
            if entry[2][2]:byte(2) == 1 then
                n = n + 1

                if n == 2 then
                    return redis.call('XDEL', KEYS[1], entry[1])
                end
            end
        end
EOL

    # Redis may have answered its last question before that

    ok($fleet->wait_for(10, sub { $fleet->figures($leads)->{errors} }),
       'the edge that leads waits for that answer no longer');

    kill KILL => $lost->pid, $lost->workers;
    $lost->stop;
    $lost->problems(allow => [ qr/./ ]);

    if ($away) {
        $near->halt;
    }

    $far->go_on;

    if ($away) {
        $fleet->healthy('the edge leads again', $leads);
        sleep $away;
        $near->go_on;
    }

    $fleet->refused($leads, $name, 'the edge that leads learns it');
    $fleet->healthy('and all are well', $leads, $knows);

    my $asked = $fleet->figures($knows)->{resends};

    sleep 5;
    is($fleet->figures($knows)->{resends}, $asked, 'it was asked for once');

    $_->finish('an edge ends',
               allow => [ qr/agilicus token: (?:fleet|the clock of this edge)/ ])
        for $leads, $knows;

    $_->stop for $far, $near, $redis;
}

$mock->stop;

done_testing();
