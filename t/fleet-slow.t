use strict;
use warnings;

# Answers of Redis that come late on one of an edge's two connections, as after
# lost packets, make the edge late, and nothing more.  An entry that is deleted
# before the edge has read it itself is appended again.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisProxy;
use RedisServer;

# seconds by which answers come late
my $late = 1.6;

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

my $allow = [ qr/agilicus token: fleet/ ];
my $redis = RedisServer->start;
my $control = "$redis->{dir}/control";

# of each two connections, the second one's answers are late while "$control" is
# not there; while "hold" is there, what the first one asks waits

my $proxy = RedisProxy->start($redis,
    late => sub { return $_[1] || $_[0] % 2 || -e $control ? 0 : $late },
    hold => sub { return $_[1] && $_[0] % 2 && -e "$control/hold" });

my $fleet = FleetEdges->new($redis->url);
my $fast = $fleet->edge;
my $slow = $fleet->edge(url => $proxy->url,
                        params => 'timeout=10s');
my $n = 0;

ok($fleet->wait_state($fast, 'healthy', 20), 'an edge');


sub heard {
    is($fleet->hook($fast, jti => 'j-' . ++$n), 204, 'a denial');
    ok($fleet->wait_why($slow, $n, 'revoked/jti', 20), 'it is heard');
}


heard();

my $figures = $fleet->figures($slow);

for (1 .. 12) {
    heard();
    sleep 0.3;
}

is($fleet->figures($slow)->{$_}, $figures->{$_}, "as many $_ as before")
    for 'connections', 'errors';
is($fleet->figures($slow)->{connections}, 1, 'which is one connection');
isnt($fleet->state($slow), 'healthy', 'the edge is late');

$slow->finish('an edge ends', allow => $allow);


# an entry that is deleted while the edge's own reading waits; no edge leads, so
# no mark makes an edge ask for it

mkdir $control or die "$control: $!\n";

$slow = $fleet->edge(url => $proxy->url, params => 'timeout=10s');
ok($fleet->wait_state($slow, 'healthy', 20), 'an edge is well');
$redis->cli('SET', 'agilicus:lease', '0' x 32);
ok($fleet->wait_for(10, sub {
       !grep { $fleet->figures($_)->{leads} } $fast, $slow }), 'nobody leads');

mkdir "$control/hold" or die "$control: $!\n";
sleep 0.4;
is($fleet->hook($slow, jti => 'j-deleted'), 204, 'a denial');
ok($fleet->wait_for(5, sub { $fleet->figures($slow)->{pending} == 0 }),
   'it is appended');
is($redis->cli('XTRIM', 'agilicus:stream', 'MAXLEN', 0) > 0, 1, 'and deleted');
rmdir "$control/hold";

ok($fleet->wait_for(10, \&denials), 'it is appended again');
is($fleet->figures($_)->{resends}, 0, 'before anybody has asked for it')
    for $fast, $slow;
$redis->cli('DEL', 'agilicus:lease');


# how many entries of denials there are

sub denials {
    return $redis->cli('EVAL', <<'EOL', 1, 'agilicus:stream');
        local n = 0

        for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
            n = n + (entry[2][2]:byte(2) == 1 and 1 or 0)
        end

        return n
EOL
}

$_->finish('an edge ends', allow => $allow) for $fast, $slow;
rmdir $control;

$proxy->stop;
$redis->stop;
$mock->stop;

done_testing();
