use strict;
use warnings;

# An edge that has no room for all denials of its fleet: it is never healthy, and
# reads everything again less and less often.

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

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my $http = 'agilicus_token_revocation_ttl 1h;';
my $large = $fleet->edge(http => $http);

$fleet->healthy('an edge', $large);

for my $n (1 .. 4) {
    is($fleet->hook($large, jti => map { "j-$n-$_" } 1 .. 1500), 204,
       'it denies');
}

ok($fleet->wait_for(30, sub { $fleet->figures($large)->{pending} == 0 }),
   'all of it is told');

my $small = $fleet->edge(http => "$http agilicus_token_denials 256k;");

ok($fleet->wait_state($small, 'full', 30), 'an edge with less room is full');

# "read" grows while the edge reads everything again, and hardly at all between

my ($last, $grown, @at) = (0, 0);

$fleet->wait_for(90, sub {
    my $read = $fleet->figures($small)->{read} || 0;

    if ($read > $last + 5) {
        push @at, time if time - $grown > 3;
        $grown = time;
    }

    $last = $read;

    sleep 0.05;

    return @at > 2;
});

my @pauses = map { $at[$_] - $at[$_ - 1] } 1 .. $#at;

is(scalar @pauses, 2, 'everything is read again, and again');
cmp_ok($pauses[1], '>', 15, 'after a longer pause') if @pauses == 2;
is(scalar(my @lines = $small->log_lines(qr/fleet is healthy/)), 0,
   'it was never healthy');

$_->finish('an edge ends', allow => [ qr/agilicus token: (?:fleet|no room)/ ])
    for $large, $small;

$redis->stop;
$mock->stop;

done_testing();
