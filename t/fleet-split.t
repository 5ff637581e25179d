use strict;
use warnings;

# An edge that stays with a primary which the others have left: the denials that
# the old primary acknowledged more than a minute ago are told to the new one.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisServer;

my $slow = NginxControl::slow();
my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

my $old = RedisServer->start(port => 1);
my $new = RedisServer->start(port => 1, args => [ '--replicaof', '127.0.0.1',
                                                  $old->port ]);
my $fleet = FleetEdges->new($old->tcp);
my $stays = $fleet->edge(url => $old->tcp . ' ' . $new->tcp);

ok($fleet->wait_state($stays, 'healthy', 30), 'one edge');

my %of_it = map { $_ => 1 } clients($old);
my $leaves = $fleet->edge(url => $new->tcp . ' ' . $old->tcp);

ok($fleet->wait_state($leaves, 'healthy', 30), 'and another one');
is($fleet->hook($stays, jti => 'j-first'), 204, 'the one denies');
ok($fleet->wait_why($leaves, 'first', 'revoked/jti', 10), 'the other hears it');
sleep 1;

$new->cli('REPLICAOF', 'NO', 'ONE');
$old->cli('CLIENT', 'KILL', 'ADDR', $_) for grep { !$of_it{$_} } clients($old);

ok($fleet->wait_for(20, sub { $new->cli('CLIENT', 'LIST') =~ /cmd=xread/i }),
   'the other goes to the replica, which is a primary now');

is($fleet->hook($stays, jti => 'j-lost'), 204, 'what is denied meanwhile');
ok($fleet->wait_for(20, sub { $fleet->figures($stays)->{pending} == 0 }),
   'is acknowledged');
is($fleet->why($leaves, 'lost'), 'active/', 'by one that the other has left');

# nothing of more than a minute ago is told at a new connection

sleep 62;
is($fleet->why($leaves, 'lost'), 'active/', 'for more than a minute');

$old->kill;
ok($fleet->wait_why($leaves, 'lost', 'revoked/jti', 40 * $slow),
   'where both are with the same one again, it is heard');
ok($fleet->wait_state($_, 'healthy', 40), 'and all are well')
    for $stays, $leaves;

$_->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ])
    for $stays, $leaves;

$new->stop;


# the same without a number that shows a gap: a mark has not heard of an edge

my $redis = RedisServer->start;

$fleet = FleetEdges->new($redis->url);

my @edges = map { $fleet->edge } 1, 2;

$fleet->healthy('two edges', @edges);

# the lease tells the writer of the edge that leads, which leads no more then

my $writer = $redis->cli('GET', 'agilicus:lease');
my ($edge) = grep { leads($_) } @edges;
my ($other) = grep { $_ != $edge } @edges;

kill STOP => $edge->workers;
ok($fleet->wait_for(20, sub { leads($other) }), 'another one leads');
kill CONT => $edge->workers;
$fleet->healthy('and all are well', @edges);
ok(!leads($edge), 'the edge does not lead');
$fleet->refused($other, $fleet->deny($edge), 'it is heard');

# long ago, though something was denied a moment ago

for my $n (1 .. 18) {
    is($fleet->hook($edge, jti => "j-busy-$n"), 204, 'the edge goes on');
    sleep 0.5;
}

my $told = $fleet->figures($edge)->{told};

sleep 2;
is($fleet->figures($edge)->{told}, $told, 'the edge has nothing to tell');

my $epoch = $redis->cli('GET', 'agilicus:epoch');
my $mark = 'ab' x 16 . sprintf('%016x', 1) . '00' x 20 . '0001'
           . $writer . sprintf('%016x%016x', 1, 0);

system("python3 -B t/lib/fleet_entry.py " . '5a' x 32 . " agilicus $epoch 1 2"
       . " $mark | redis-cli -s $redis->{socket} -x XADD agilicus:stream '*' e"
       . ' > /dev/null');
ok($fleet->wait_for(10, sub { $fleet->figures($edge)->{told} > $told }),
   'what a mark does not know is told again');

$_->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ]) for @edges;
$redis->stop;
$mock->stop;

done_testing;


sub leads { return $fleet->figures($_[0])->{leads} }


sub clients {
    my ($redis) = @_;

    return $redis->cli('CLIENT', 'LIST') =~ / addr=(127\S+)/g;
}
