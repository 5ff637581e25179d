use strict;
use warnings;

# One address that leads to two servers, as behind a balancer: an edge that tells
# the one and reads the other is not healthy, and says why.

use Test::More;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
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

# the ids of the second one are always behind those of the first

my $clock = TestClock->new;

$clock->set(wall => -5, mono => 0);

my @redis = (RedisServer->start, RedisServer->start(clock => $clock));
my $control = "$redis[0]{dir}/control";
my $listen = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1')
    or die "listen: $!\n";
my $port = $listen->sockport;
my $proxy = fork();

die "fork: $!\n" if !defined $proxy;

if ($proxy == 0) {
    proxy();
    POSIX::_exit(0);
}

close $listen;


# every second connection goes to the second server, while "$control" is not
# there

sub proxy {
    my $select = IO::Select->new($listen);
    my (%peer, $n);

    local $SIG{PIPE} = 'IGNORE';

    while (getppid() != 1) {
        for my $from ($select->can_read(0.1)) {

            if ($from == $listen) {
                my $client = $listen->accept or next;
                my $to = $redis[-e $control ? 0 : ++$n % 2];
                my $server = IO::Socket::UNIX->new($to->{socket}) or next;

                $peer{$client} = $server;
                $peer{$server} = $client;
                $select->add($client, $server);
                next;
            }

            my $to = $peer{$from};

            if (sysread $from, my $data, 65536) {
                syswrite $to, $data;

            } else {
                $select->remove($from, $to);
                shutdown $_, 2 for $from, $to;
            }
        }
    }
}


# both are of one fleet, and an edge writes marks at each, as after a failover

my @fleets = map { FleetEdges->new($_->url, healing => 40) } @redis;
my @marking = map { $_->edge } $fleets[0];

$fleets[0]->healthy('an edge of the first server', @marking);
$redis[1]->cli('SET', 'agilicus:epoch', $redis[0]->cli('GET',
                                                       'agilicus:epoch'));
push @marking, $fleets[1]->edge;
$fleets[1]->healthy('and one of the second', $marking[1]);
is($redis[0]->cli('GET', 'agilicus:epoch'),
   $redis[1]->cli('GET', 'agilicus:epoch'), 'which cannot tell them apart');

my $edge = $fleets[0]->edge(url => "redis://127.0.0.1:$port");

ok($edge->wait_log(qr/what it was told is not read back/, 40),
   'an edge of both says so');
is(scalar(my @lines = $edge->log_lines(qr/fleet is healthy/)), 0,
   'and was never healthy');

open my $fh, '>', $control or die "$control: $!\n";
close $fh;

$fleets[0]->healthy('it is healthy when there is only one', $edge);
$fleets[0]->heard('and of one fleet with the other', $edge, $marking[0]);

$_->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ])
    for $edge, @marking;

kill KILL => $proxy;
waitpid $proxy, 0;
unlink $control;
$_->stop for @redis;
$mock->stop;

done_testing();
