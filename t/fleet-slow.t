use strict;
use warnings;

# Answers of Redis that come late on one of an edge's two connections, as after
# lost packets, make the edge late, and nothing more.

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisServer;

# seconds by which answers come late
my $late = 1.6;

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

my $allow = [ qr/agilicus token: fleet/ ];
my $redis = RedisServer->start;
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


# of each two connections, the second one's answers are late

sub proxy {
    my $select = IO::Select->new($listen);
    my (%peer, %late, @due, $n);

    local $SIG{PIPE} = 'IGNORE';

    while (getppid() != 1) {
        for my $from ($select->can_read(0.01)) {

            if ($from == $listen) {
                my $client = $listen->accept or next;
                my $server = IO::Socket::UNIX->new($redis->{socket}) or next;

                $peer{$client} = $server;
                $peer{$server} = $client;
                $late{$server} = (++$n % 2 == 0) ? $late : 0;
                $select->add($client, $server);
                next;
            }

            my $to = $peer{$from};

            if (!sysread $from, my $data, 65536) {
                $select->remove($from, $to);
                shutdown $_, 2 for $from, $to;

            } else {
                push @due, [ time + ($late{$from} || 0), $to, $data ];
            }
        }

        my @now = grep { $_->[0] <= time } @due;

        @due = grep { my $wait = $_; !grep { $_ == $wait } @now } @due;
        syswrite $_->[1], $_->[2] for @now;
    }
}


my $fleet = FleetEdges->new($redis->url);
my $fast = $fleet->edge;
my $slow = $fleet->edge(url => "redis://127.0.0.1:$port",
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

$_->finish('an edge ends', allow => $allow) for $fast, $slow;

kill KILL => $proxy;
waitpid $proxy, 0;
$redis->stop;
$mock->stop;

done_testing();
