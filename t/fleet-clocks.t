use strict;
use warnings;

# Clocks that differ, and that are set: an edge whose clock is wrong neither
# leads its fleet nor trims, and knows all again when its clock is set right.

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

my $allow = [ qr/agilicus token: (?:fleet|the clock of this edge)/ ];
my $stream = 'agilicus:stream';
my $day = 86400;

my $clock = TestClock->new;
my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url,
                            http => 'agilicus_token_revocation_ttl 1h;',
                            healing => 40);

# the edge whose clock the test sets is alone at first, so it leads

my $set = edge(env => { $clock->env });

ok($fleet->wait_for(20, sub { leads($set) }), 'an edge leads');

my $right = edge();

$fleet->healthy('an edge is of the fleet', $set, $right);


sub edge { return $fleet->edge(http => $fleet->{http}, @_) }
sub leads { return $fleet->figures($_[0])->{leads} }


sub knows {
    my ($edge, @names) = @_;

    is($fleet->why($edge, $_), 'revoked/jti', "$_ is known") for @names;
}


# as long as a clock is wrong, another edge leads, and what counts stays

my @denied = ($fleet->deny($right), $fleet->deny($set));

$fleet->refused($set, $denied[0], 'it is heard');
$fleet->refused($right, $denied[1], 'so is this');

for my $case ([ 3 * $day, 'ahead of' ], [ -30, 'behind' ]) {
    my ($wall, $how) = @$case;

    ok($fleet->wait_for(40, sub {
           # it takes the lease when the other one is stopped

           return 1 if leads($set);

           kill STOP => $right->workers;
           sleep 5;
           kill CONT => $right->workers;

           return leads($set);
       }), 'the edge leads');
    $fleet->healthy('all are well', $set, $right);

    $clock->set(wall => $wall, mono => 0);

    ok($set->wait_log(qr/the clock of this edge is $how that of Redis, so it does not lead the fleet/,
                      10), "its clock is $how others");
    ok($fleet->wait_for(15, sub { leads($right) && !leads($set) }),
       'another one leads');
    ok($fleet->wait_state($right, 'healthy', 30), 'and is well');

    my $new = edge();

    ok($fleet->wait_state($new, 'healthy', 20), 'a new edge is, too');
    knows($new, @denied);
    $new->finish('it ends', allow => $allow);

    isnt($fleet->state($set), 'healthy', 'it is not, by a clock that is ahead')
        if $wall > 0;

    push @denied, $fleet->deny($right);

    # an entry is on its way for some milliseconds

    sleep 0.5 * NginxControl::slow();
    $clock->set(wall => 0, mono => 0);
    $fleet->healthy('all are well when it is set right', $set, $right);
    knows($set, @denied);
}


# an edge that starts with a clock that is ahead takes denials for ended

{
    my $ahead = TestClock->new;

    $ahead->set(wall => 2 * 3600, mono => 0);

    my $edge = edge(env => { $ahead->env });

    ok($fleet->wait_state($edge, 'old', 20), 'an edge with a clock ahead');
    $ahead->set(wall => 0, mono => 0);
    ok($fleet->wait_state($edge, 'healthy', 30), 'is well when it is set');
    knows($edge, @denied);
    ok($edge->wait_log(qr/the clock was set back, the fleet's stream is read/,
                       5), 'it has read the stream again');
    $edge->finish('it ends', allow => $allow);
}

# but not for a moment

{
    my $ahead = TestClock->new;

    $ahead->set(wall => 0.9, mono => 0);

    my $edge = edge(env => { $ahead->env });

    ok($fleet->wait_state($edge, 'healthy', 20), 'an edge');
    $ahead->set(wall => 0, mono => 0);
    sleep 1;
    is(scalar(my @lines = $edge->log_lines(qr/the clock was set back/)), 0,
       'a clock may be slewed');
    $edge->finish('it ends', allow => $allow);
}

$_->finish('an edge ends', allow => $allow) for $set, $right;


# an old mark is not of the future for a clock that is behind

{
    my $behind = TestClock->new;

    $behind->set(wall => -3600, mono => 0);
    sleep 21;

    my $edge = edge(env => { $behind->env });

    ok($fleet->wait_state($edge, 'old', 20), 'nobody has marked for long');
    knows($edge, @denied);
    is(scalar(my @lines = $edge->log_lines(qr/fleet is healthy/)), 0,
       'the edge was never healthy');
    $edge->finish('it ends', allow => $allow);
}

$redis->stop;
$mock->stop;

done_testing();
