use strict;
use warnings;

# A Redis whose address changes: its name is looked up again, by nginx's
# resolver, before each connection.

use Cwd ();
use File::Basename ();
use File::Temp ();
use Test::More;

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NameServer;
use NginxControl;
use RedisServer;
use TestCA;
use TestPorts;

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/..');
my $dir = File::Temp::tempdir(CLEANUP => 1);
my $allow = [ qr/agilicus token: fleet/, qr/could not be resolved/,
              qr/unexpected .*response/, qr/recv\(\) failed/ ];

chmod 0755, $dir;

system($ENV{CC} || 'gcc', qw(-O2 -fPIC -shared -Wall -Wextra -Werror),
       '-o', "$dir/moving.so", "$top/t/lib/moving.c") == 0
    or die "t/lib/moving.c cannot be built\n";

my $env = {
    AGILICUS_MOVING => "$dir/address",
    LD_PRELOAD => join(' ', grep { defined && length }
                            $ENV{AGILICUS_NGINX_PRELOAD}, "$dir/moving.so"),
};

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

my $names = NameServer->start('127.0.0.1');
my $resolver = 'resolver 127.0.0.1:' . $names->port . ' valid=1s ipv6=off;';
my $ca = TestCA->new;


# when nginx starts, nothing listens at the address

{
    my $port = TestPorts::free_port();
    my $fleet = FleetEdges->new("rediss://redis.moving:$port",
                                params => 'ca=' . $ca->file);
    my $redis = redis($port, '127.0.0.1', 'redis.moving');

    starts_at('127.0.0.9');

    my $edge = $fleet->edge(http => $resolver, env => $env);
    my $without = $fleet->edge(env => $env);

    ok($fleet->wait_state($edge, 'healthy', 30),
       'the name is looked up while nginx runs');
    is($fleet->state($without), 'away', 'not without a resolver');

    for my $address ('none', 'silent') {
        $names->says($address);
        $redis->kill;
        ok($fleet->wait_state($edge, 'away', 10), 'Redis is gone');
        sleep 2;
        is($fleet->why($edge, "a-$address"), 'active/', 'requests do not wait');
        $redis->restart;
        ok($fleet->wait_state($edge, 'healthy', 30),
           "the name has the address that it had: $address");
    }

    # another one, with a certificate for another name

    my $other = redis($port, '127.0.0.2', 'another.moving');

    $names->says('127.0.0.2');
    sleep 2;
    $redis->kill;
    ok($fleet->wait_for(30, sub { comes_to($other) }),
       'the edge comes to the new address');
    is($other->cli('KEYS', '*'), '', 'and tells nothing to who has another name');
    ok($fleet->wait_state($edge, 'away', 10), 'nor believes it');
    $other->stop;

    $other = redis($port, '127.0.0.2', 'redis.moving');
    ok($fleet->wait_state($edge, 'healthy', 30), 'this one is');

    # an edge ends while it waits for an answer

    $names->says('silent');
    $other->stop;
    ok($fleet->wait_state($edge, 'away', 10), 'Redis is gone');
    sleep 2;
    $_->finish('an edge ends', allow => $allow) for $edge, $without;
}


# without TLS, no other machine is spoken to

{
    my $redis = RedisServer->start(port => 1);
    my $fleet = FleetEdges->new('redis://redis.moving:' . $redis->port);

    starts_at('127.0.0.1');
    $names->says('192.0.2.1');

    my $edge = $fleet->edge(http => $resolver, env => $env);

    ok($fleet->wait_state($edge, 'healthy', 30), 'the former address is used');
    ok($edge->wait_log(qr/is not on this machine any more/, 10),
       'since the new one is elsewhere');
    $edge->finish('an edge ends', allow => $allow);
    $redis->stop;
}

$names->stop;
$mock->stop;

done_testing();


sub redis {
    my ($port, $address, $name) = @_;

    my $cert = $ca->issue($name, cn => $name, san => [ "DNS:$name" ]);

    return RedisServer->start(args => [ '--tls-port', $port,
        '--bind', $address, '--tls-cert-file', $cert->{cert},
        '--tls-key-file', $cert->{key}, '--tls-ca-cert-file', $ca->file,
        '--tls-auth-clients', 'no' ]);
}


# 1 if there are more connections than those of this test

sub comes_to {
    my ($redis) = @_;

    my ($n) = $redis->cli('INFO', 'stats')
              =~ /total_connections_received:(\d+)/;

    $redis->{seen} = defined $redis->{seen} ? $redis->{seen} + 1 : $n;

    return $n > $redis->{seen};
}


sub starts_at {
    my ($address) = @_;

    open my $file, '>', "$dir/address" or die "$dir: $!\n";
    print {$file} "$address\n";
    close $file;
}
