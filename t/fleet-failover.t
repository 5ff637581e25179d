use strict;
use warnings;

# A failover to a replica that has not got all, which has the same epoch.

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
my $stream = 'agilicus:stream';
my $n = 0;

for my $ahead (0, 3600) {
    my $primary = RedisServer->start(port => 1);
    my $replica = RedisServer->start(args => [ '--replicaof', '127.0.0.1',
                                               $primary->port ]);
    my $fleet = FleetEdges->new($primary->url . ' ' . $replica->url);
    my ($one, $two, $slow) = map { $fleet->edge } 1 .. 3;
    my @denied;

    my $deny = sub {
        my ($edge) = @_;

        push @denied, 'token-' . ++$n;
        is($fleet->hook($edge, jti => "j-$denied[-1]"), 204, 'one denies');
    };

    my $heard = sub {
        my ($edge, $why) = @_;

        ok($fleet->wait_why($edge, $denied[-1], 'revoked/jti', 20), $why);
    };

    my $epoch = sub { return $_[0]->cli('GET', 'agilicus:epoch') };

    ok($fleet->wait_state($_, 'healthy', 30), 'an edge') for $one, $two, $slow;

    $deny->($one);
    $heard->($_, 'it is heard') for $two, $slow;
    ok($fleet->wait_for(10, sub {
           return $replica->cli('XLEN', $stream) eq $primary->cli('XLEN',
                                                                  $stream);
       }), 'the replica has all');

    # from now on it gets nothing; the clock of the primary is ahead of its

    $replica->cli('REPLICAOF', 'NO', 'ONE');
    is($primary->cli('XSETID', $stream, 1000 * ($ahead + int time) . '-0'),
       'OK', 'ids are ahead') if $ahead;

    $deny->($one);
    $heard->($_, 'what the replica lacks is heard') for $two, $slow;
    $deny->($two);
    $heard->($_, 'of each edge') for $one, $slow;

    # and this is read by one edge alone

    my @workers = $slow->workers;

    kill STOP => @workers;
    $deny->($one);
    $heard->($two, 'one edge stands still, another hears it');

    my $same = $epoch->($primary);
    my ($last) = $primary->cli('XINFO', 'STREAM', $stream)
                 =~ /last-generated-id\n(\d+)-/;

    $primary->kill;
    kill CONT => @workers;

    $heard->($slow, 'after the failover it is heard by the other one');
    ok($fleet->wait_state($_, 'healthy', 30), 'all are well')
        for $one, $two, $slow;
    is($epoch->($replica), $same, 'the epoch is the same');

    my ($next) = $replica->cli('XINFO', 'STREAM', $stream)
                 =~ /last-generated-id\n(\d+)-/;

    cmp_ok($next, '<', $last, 'ids are below those that were read') if $ahead;

    my $new = $fleet->edge;

    ok($fleet->wait_state($new, 'healthy', 30), 'a new edge is, too');
    is($fleet->why($new, $_), 'revoked/jti', "and knows $_") for @denied;

    $deny->($_), $heard->($new, 'and they go on') for $one, $two;

    $_->finish('an edge ends', allow => $allow) for $one, $two, $slow, $new;
    $replica->stop;
}

$mock->stop;

done_testing();
