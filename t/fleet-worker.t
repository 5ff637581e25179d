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
my $n = 0;

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my ($one, $two) = map { $fleet->edge(workers => $_) } 1, 2;

ok($fleet->wait_state($_, 'healthy', 30), 'an edge') for $one, $two;


sub heard {
    my ($edge, $name, $why) = @_;

    ok($fleet->wait_why($edge, $name, 'revoked/jti', 20), $why);
}


# One of them holds the lease of the edge, and has something to read when it
# stands still; it goes on when the lease of the other one has ended, too.

for my $order ([ 0, 1 ], [ 1, 0 ]) {
    my ($first, $second) = ($two->workers)[@$order];
    my @names = map { 'token-' . ++$n } 1 .. 3;

    kill STOP => $first;
    is($fleet->hook($one, jti => "j-$_"), 204, 'one is denied') for @names;
    heard($two, $_, 'it is heard while a worker stands still') for @names;
    kill STOP => $second;
    sleep 3.5;
    kill CONT => $first;

    push @names, 'token-' . ++$n;
    is($fleet->hook($one, jti => "j-$names[-1]"), 204, 'another is denied');
    heard($two, $names[-1], 'it is heard while the other worker stands still');
    kill CONT => $second;
    ok($fleet->wait_state($two, 'healthy', 20), 'the edge is healthy');
}

$_->finish('an edge ends', allow => $allow) for $one, $two;
$redis->stop;
$mock->stop;

done_testing();
