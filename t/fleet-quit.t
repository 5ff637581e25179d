use strict;
use warnings;

# What is denied while nginx ends is told the fleet all the same: by a worker
# that drains, and by one that has more to tell than a socket takes.

use IO::Socket::INET;
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
my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my $stays = $fleet->edge;

ok($fleet->wait_state($stays, 'healthy', 20), 'an edge that stays');


sub edge {
    my ($workers) = @_;

    my $edge = $fleet->edge(workers => $workers);

    ok($fleet->wait_state($edge, 'healthy', 20), 'an edge that ends');

    return $edge;
}


# a call of the hook whose body is still to come; returns its socket and body

sub begin {
    my ($edge, $name) = @_;

    my $body = qq({"jti":["j-$name"]});
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $edge->port)
        or die "connect: $!\n";

    print $socket "POST /hook HTTP/1.1\r\nHost: localhost\r\n"
                  . "Content-Type: application/json\r\nContent-Length: "
                  . length($body) . "\r\n\r\n" . substr($body, 0, 4);
    $socket->flush;

    return [ $socket, substr($body, 4) ];
}


sub end {
    my ($call) = @_;

    my ($socket, $rest) = @$call;

    print $socket $rest;
    $socket->flush;

    my $line = <$socket>;

    return $line && $line =~ m{^HTTP/1.1 (\d+)} ? $1 : 0;
}


# one worker, and several, of which one alone talks to Redis

for my $workers (1, 3) {
    my $edge = edge($workers);
    my @names = map { "late-$workers-$_" } 1 .. 4 * $workers;
    my @calls = map { begin($edge, $_) } @names;

    $edge->mark;
    sleep 0.3 * NginxControl::slow();
    $edge->signal('QUIT');
    ok($edge->wait_log(qr/gracefully shutting down/, 10), 'it is to end');
    sleep 0.5 * NginxControl::slow();

    is(end($_), 204, 'a call ends while a worker drains') for @calls;

    ok($fleet->wait_why($stays, $_, 'revoked/jti', 5), "$_ is refused elsewhere")
        for @names;
    ok($edge->wait_gone($edge->pid, 10), 'nginx has ended');
    $edge->stop;
    $edge->problems(allow => $allow);
}


# more than a socket takes, at the last moment

{
    my $edge = edge(1);
    my @names = map { sprintf 'many-%04d', $_ } 1 .. 2000;

    is($fleet->hook($edge, jti => map { "j-$_" } @names), 204, 'many');
    $edge->finish('it ends', allow => $allow);
    ok($fleet->wait_why($stays, $_, 'revoked/jti', 5), "$_ is refused elsewhere")
        for @names[0, 1000, -1];
}


# a Redis that does not answer holds the end up for a moment only

{
    my $edge = edge(2);

    $redis->halt;
    ok($fleet->wait_state($edge, 'away', 5), 'Redis stands still');
    is($fleet->hook($edge, jti => 'j-untold'), 204, 'a denial');

    my $begin = time;

    $edge->finish('it ends', allow => $allow);
    cmp_ok(time - $begin, '<', 4 * NginxControl::slow(), 'soon');
    $redis->go_on;
}

$stays->finish('an edge ends', allow => $allow);
$redis->stop;
$mock->stop;

done_testing();
