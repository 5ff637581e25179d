use strict;
use warnings;

# Denials that several edges miss at once and all ask for, and denials that were
# flushed: they are told again as often as needed, not once for each edge.

use Test::More;
use Time::HiRes qw(sleep);

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
my $stream = 'agilicus:stream';
my $many = 200;

# the first edge leads, another one denies, and all others ask

my @edges = map { $fleet->edge } 1 .. 6;

healthy('an edge is of the fleet');

my ($owner) = grep { !$fleet->figures($_)->{leads} } @edges;
my @others = grep { $_ != $owner } @edges;


sub healthy {
    my ($why) = @_;

    ok($fleet->wait_state($_, 'healthy', 60), $why) for @edges;
}


sub told { return $fleet->figures($owner)->{told} }


sub appended {
    ok($fleet->wait_for(20, sub { $fleet->figures($owner)->{pending} == 0 }),
       'it is appended');
}


is($fleet->hook($owner, jti => [ map { "j-$_" } 1 .. $many ]->@*), 204,
   'many are denied');
appended();
ok($fleet->wait_why($_, $many, 'revoked/jti', 20), 'and known') for @others;


# an entry that is deleted before another edge reads it

my $before = told();

kill STOP => $_ for map { $_->workers } @others;

# an XREAD that waits would still get the entry

sleep 0.5;

is($fleet->hook($owner, jti => 'j-gone'), 204, 'one more is denied');
appended();
$redis->cli('XTRIM', $stream, 'MAXLEN', '=', 0);
is($fleet->hook($owner, jti => 'j-next'), 204, 'and another');
appended();
kill CONT => $_ for map { $_->workers } @others;

ok($fleet->wait_why($_, 'gone', 'revoked/jti', 60), 'it is known all the same')
    for @others;
healthy('and all are well');

my ($asked) = sort { $b <=> $a }
              map { $fleet->figures($_)->{resends} } @others;

cmp_ok($asked, '>', 0, 'they have asked');
cmp_ok((told() - $before) / $many, '<', 3 * $asked,
       "$asked times, and each time those of all edges are answered together");


# everything is deleted

ok($fleet->wait_for(20, sub { told() - $before > $many }), 'all was told');
appended();

$before = told();

$redis->cli('FLUSHALL');
ok($fleet->wait_for(20, sub { told() - $before > $many }),
   'what was flushed is told again');
healthy('and all are well');
appended();

# beside marks and polls

cmp_ok(told() - $before, '<', 2 * $many + 50, 'once');

$_->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ]) for @edges;

$redis->stop;
$mock->stop;

done_testing();
