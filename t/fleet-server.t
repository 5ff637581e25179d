use strict;
use warnings;

# Which Redis an edge uses, and how: users and passwords, TLS, several servers,
# primaries only; and what stays in the stream.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisServer;
use TestCA;
use TestPorts;

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
);

my $allow = [ qr/agilicus token: fleet/ ];


# the user of the documentation, and nothing that it may not do

my @rules = qw(+xadd +xread +xrange +xinfo +xtrim +get +set +del +time +eval
    +auth +select +ping +role);

{
    my $redis = RedisServer->start(args => [ '--requirepass', 'admin' ],
                                   password => 'admin');
    my $fleet = FleetEdges->new($redis->url);
    my $password = $fleet->key('password', 'edge-secret');
    my $wrong = $fleet->key('wrong', 'another');

    is($redis->cli('ACL', 'SETUSER', 'edge', 'on', '>edge-secret',
                   '~agilicus:*', @rules), 'OK', 'a user');

    my $one = $fleet->edge(params => "user=edge password=$password");
    my $two = $fleet->edge(params => "user=edge password=$password");
    my $bad = $fleet->edge(params => "user=edge password=$wrong");
    my $none = $fleet->edge;

    ok($fleet->wait_state($_, 'healthy', 20), 'an edge is healthy')
        for $one, $two;
    like($one->error_log, qr/\[notice\].*\ fleet\ is\ init,\ was\ off
                             .*fleet\ is\ healthy,\ was\ init/xs,
         'its states are logged, and the first one is no warning');

    $fleet->why($two, 'a');
    is($fleet->hook($one, jti => 'j-a'), 204, 'one denies');
    ok($fleet->wait_why($two, 'a', 'revoked/jti'), 'the other refuses');

    like($fleet->state($_), qr/^(?:init|away)$/, 'others are never healthy')
        for $bad, $none;
    is($fleet->why($bad, 'a'), 'active/', 'nor told');
    ok($bad->wait_log(qr/it refuses the user or password/, 5), 'it is said');
    ok($none->wait_log(qr/does not tell its role: "NOAUTH/, 5), 'so is this');

    my $info = $redis->cli('ACL', 'LOG');

    unlike($info, qr/reason\n(?:command|key)\n/,
           'no command that the user may not give');
    # Redis goes, and comes back without its users: the cause has changed

    $redis->kill;
    ok($one->wait_log(qr/fleet: connecting failed/, 10), 'Redis is gone');
    $redis->restart;
    ok($one->wait_log(qr/it refuses the user or password/, 10),
       'then why it refuses the edge is said');

    my $errors = $fleet->figures($one)->{errors};

    ok($fleet->wait_for(20, sub {
           $fleet->figures($one)->{errors} > $errors + 3 }),
       'the edge tries again and again');
    is(scalar(() = $_->error_log =~ /it refuses the user or password/g), 1,
       'and says so once') for $one, $bad;
    is($redis->cli('ACL', 'SETUSER', 'edge', 'on', '>edge-secret',
                   '~agilicus:*', @rules), 'OK', 'the user');
    ok($fleet->wait_state($one, 'healthy', 20), 'the edge is healthy again');

    unlike($_->error_log, qr/edge-secret|another/, 'no password in a log')
        for $one, $bad;

    $_->finish('an edge ends', allow => $allow) for $one, $two, $bad, $none;
    $redis->stop;
}


# TLS

my $ca = TestCA->new;

for my $kind (qw(good untrusted self_signed expired not_yet_valid wrong_host
                 nul_san))
{
    my $good = ($kind eq 'good');
    my $cert = $ca->cert($kind);
    my $port = TestPorts::free_port();
    my $redis = RedisServer->start(args => [ '--tls-port', $port,
        '--tls-cert-file', $cert->{cert}, '--tls-key-file', $cert->{key},
        '--tls-ca-cert-file', $ca->file, '--tls-auth-clients', 'no' ]);

    for my $host ($kind eq 'nul_san' ? 'localhost' : ('localhost', '127.0.0.1'))
    {
        my $fleet = FleetEdges->new("rediss://$host:$port",
                                    params => 'ca=' . $ca->file);
        my $edge = $fleet->edge;

        if ($good) {
            ok($fleet->wait_state($edge, 'healthy', 20),
               "$host: a certificate is verified");

        } else {
            ok($edge->wait_log(qr/fleet:\ (?:the\ TLS\ handshake\ failed
                                  |its\ certificate)/x, 5),
               "$host: $kind: it is refused");
            isnt($fleet->state($edge), 'healthy', 'and not used');
        }

        $edge->finish('the edge ends', allow => [ @$allow, qr/SSL_do_hand/ ]);
    }

    $redis->stop;
}


# the first of several that is a primary

{
    my $primary = RedisServer->start(port => 1);
    my $replica = RedisServer->start(args => [ '--replicaof', '127.0.0.1',
                                               $primary->port ]);
    my $nobody = TestPorts::free_port();
    my $fleet = FleetEdges->new("redis://127.0.0.1:$nobody " . $replica->url
                                . ' ' . $primary->tcp);
    my $edge = $fleet->edge;
    my $other = $fleet->edge;

    ok($fleet->wait_state($_, 'healthy', 20), 'an edge finds the primary')
        for $edge, $other;
    is($fleet->figures($_)->{connections}, 1, 'and speaks to no other')
        for $edge, $other;

    # a failover

    is($fleet->hook($edge, jti => 'j-one'), 204, 'a denial');
    ok($fleet->wait_why($other, 'one', 'revoked/jti'), 'is heard');
    $primary->kill;
    $replica->cli('REPLICAOF', 'NO', 'ONE');
    is($fleet->hook($edge, jti => 'j-two'), 204, 'another denial');
    ok($fleet->wait_why($other, 'two', 'revoked/jti', 10),
       'is heard by way of the new one');
    ok($fleet->wait_state($_, 'healthy', 20), 'and all is well')
        for $edge, $other;

    $_->finish('an edge ends', allow => $allow) for $edge, $other;
    $replica->stop;
}


# a unix socket that has gone is said once, and is no "crit"

{
    my $redis = RedisServer->start;
    my $fleet = FleetEdges->new($redis->url);
    my $edge = $fleet->edge;

    ok($fleet->wait_state($edge, 'healthy', 20), 'an edge');
    $redis->kill;
    unlink $redis->{socket};

    my $errors = $fleet->figures($edge)->{errors};

    ok($fleet->wait_for(10, sub {
           $fleet->figures($edge)->{errors} > $errors + 3 }),
       'it has tried several times');
    $redis->restart;
    ok($fleet->wait_state($edge, 'healthy', 20), 'the edge is well again');
    $redis->kill;
    unlink $redis->{socket};
    ok($edge->wait_log(qr/the connection was lost/, 10), 'Redis is lost');
    ok($edge->wait_log(qr/\[warn\].* fleet is away, was healthy/, 10),
       'the edge says that it is alone');

    my $gone = FleetEdges->new($redis->url)->edge;

    ok($gone->wait_log(qr/fleet: connecting failed \(2: No such file/, 10),
       'why it cannot be reached is said');
    ok($gone->wait_log(qr/\[warn\].* fleet is away, was init/, 10),
       'so is that it stays away');
    sleep 1;
    is(scalar(() = $gone->error_log =~ /connecting failed/g), 1, 'once');

    $_->finish('an edge ends', allow => $allow) for $edge, $gone;
}


# the stream is trimmed up to what counts, and no further

{
    my $redis = RedisServer->start;
    my $fleet = FleetEdges->new($redis->url);
    my $edge = $fleet->edge;

    ok($fleet->wait_state($edge, 'healthy', 20), 'an edge');
    is($fleet->hook($edge, jti => map { "j-old-$_" } 1 .. 50), 204, 'denials');
    ok($fleet->wait_for(5, sub { $fleet->figures($edge)->{pending} == 0 }),
       'are appended');
    sleep 6;

    my $length = $redis->cli('XLEN', 'agilicus:stream');

    cmp_ok($length, '>=', 50, 'they stay');
    cmp_ok($fleet->figures($edge)->{trimmed}, '>', 0,
           'what stood before them has gone');

    # what counts is appended again where it holds back too much that does not:
    # marks, which are replayed here

    $redis->cli('EVAL', "
        for i = 1, 10300 do
            local e = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
            redis.call('XADD', KEYS[1], '*', 'e', e[1][2][2])
        end", 1, 'agilicus:stream');

    cmp_ok($redis->cli('XLEN', 'agilicus:stream'), '>', 10300, 'many more');
    ok($fleet->wait_for(30, sub {
           $redis->cli('XLEN', 'agilicus:stream') < 500
       }), 'are trimmed');

    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 20), 'a new edge');
    is($fleet->why($new, 'x'), 'active/', 'lets a token pass');
    is(scalar(grep { $fleet->why($new, $_) ne 'revoked/jti' }
              map { "old-$_" } 1 .. 50), 0, 'and none that was denied');
    $_->finish('an edge ends', allow => $allow) for $edge, $new;
    $redis->stop;
}

$mock->stop;

done_testing();

