use strict;
use warnings;

# The key of a fleet: two that are in use at once, and a change without a gap.

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
my $day = 86400;
my $n = 0;


# two keys: what an edge cannot open is missing, so none is healthy

{
    my $redis = RedisServer->start;
    my $fleet = FleetEdges->new($redis->url);
    my $other = $fleet->key('other.key', 'a5' x 32);
    my ($one, $two) = ($fleet->edge, $fleet->edge(key => $other));

    is($fleet->hook($one, jti => 'j-one'), 204, 'one edge denies');
    is($fleet->hook($two, jti => 'j-two'), 204, 'the other one, too');
    ok($fleet->wait_state($_, 'unreadable', 20), 'none is healthy')
        for $one, $two;

    my %states;
    my $until = time + 5;

    while (time < $until) {
        $states{ $fleet->state($_) }++ for $one, $two;
        sleep 0.02;
    }

    is(join(' ', sort keys %states), 'unreadable', 'at any time');
    is($fleet->why($one, 'two'), 'active/', 'none hears the other');
    is($fleet->why($two, 'one'), 'active/', 'either way');

    # while its workers stand still, an edge does not tell its denial again

    my @workers = $one->workers;

    kill STOP => @workers;
    $two->reload(http => $fleet->http);
    ok($fleet->wait_state($two, 'healthy', 150),
       'with the right key, an edge is well a minute later');
    is($fleet->why($two, 'one'), 'revoked/jti', 'it has heard the other');
    kill CONT => @workers;
    ok($fleet->wait_state($one, 'healthy', 150), 'so is the other');
    is($fleet->why($one, 'two'), 'revoked/jti', 'and has heard it');

    $_->finish('an edge ends', allow => $allow) for $one, $two;
    $redis->stop;
}


# the key is changed, and the old one taken away when the entries that it has
# sealed have ended; no edge is late

{
    my $all = TestClock->new;
    my $server = RedisServer->start(clock => $all);
    my $rolling = FleetEdges->new($server->url);
    my $next = $rolling->key('next.key', 'c3' x 32);
    my $old = $rolling->{key};
    my @opt = (http => 'agilicus_token_revocation_ttl 1h;');
    my @edges = map { $rolling->edge(@opt, env => { $all->env }) } 1, 2;

    ok($rolling->wait_state($_, 'healthy', 30), 'an edge') for @edges;

    my $change = sub {
        my ($keys) = @_;

        for my $edge (@edges) {
            $edge->reload(http => $rolling->http(@opt, key => $keys));

            for my $other (@edges) {
                my $name = 'token-' . ++$n;

                is($rolling->hook($edge, jti => "j-$name"), 204, 'a denial');
                ok($rolling->wait_why($other, $name, 'revoked/jti', 10),
                   'is heard');
            }
        }

        ok($rolling->wait_state($_, 'healthy', 20), "key=$keys") for @edges;
    };

    $change->("$old key=$next");
    $change->("$next key=$old");

    # an hour, and a day; then what the old key has sealed is trimmed

    my $last = $server->cli('XINFO', 'STREAM', $stream)
               =~ /last-generated-id\n(\S+)/ ? $1 : '';

    $all->set(wall => 1.2 * $day, mono => 1.2 * $day);
    ok($rolling->wait_for(60, sub {
           my ($first) = $server->cli('XRANGE', $stream, '-', '+', 'COUNT', 1)
                         =~ /^(\d+)-/;

           return $first && $first > ($last =~ s/-.*//r);
       }), 'what the old key has sealed is trimmed');

    $change->($next);

    is($rolling->figures($_)->{unreadable}, 0, 'all could be read') for @edges;

    my $new = $rolling->edge(@opt, key => $next, env => { $all->env });

    ok($rolling->wait_state($new, 'healthy', 20), 'a new edge');
    is($rolling->figures($new)->{unreadable}, 0, 'reads all with the new key');

    $_->finish('an edge ends', allow => $allow) for @edges, $new;
    $server->stop;
}

$mock->stop;

done_testing();
