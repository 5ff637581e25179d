use strict;
use warnings;

# The worker of an edge that reads and appends: another one takes its place, and
# gives it back.

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
my $slow = NginxControl::slow();
my $n = 0;

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my ($one, $two) = map { $fleet->edge(workers => $_) } 1, 2;

ok($fleet->wait_state($_, 'healthy', 30), 'an edge') for $one, $two;


sub heard {
    my ($edge, $name, $why) = @_;

    ok($fleet->wait_why($edge, $name, 'revoked/jti', 20), $why);
}


# The one that holds the lease of the edge has something to read when it stands
# still, and goes on when the lease of the other one has ended.

for my $round (1 .. 3) {
    for my $order ([ 0, 1 ], [ 1, 0 ]) {
        my ($first, $second) = ($two->workers)[@$order];
        my @names = map { 'token-' . ++$n } 1 .. 3;

        kill STOP => $first;
        is($fleet->hook($one, jti => "j-$_"), 204, 'one is denied') for @names;
        sleep 3.5;
        kill STOP => $second;
        sleep 3.5;
        kill CONT => $first;
        sleep 0.5 * $slow;
        kill CONT => $second;

        heard($two, $_, 'it is heard in the end') for @names;
        ok($fleet->wait_state($two, 'healthy', 20), 'the edge is healthy');
    }
}

$_->finish('an edge ends', allow => $allow) for $one, $two;
$redis->stop;
$mock->stop;

done_testing();
