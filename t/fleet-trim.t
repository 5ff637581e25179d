use strict;
use warnings;

# How long denials stay in the stream after their end: as long as the longest
# leeway that an edge has told of, and no longer.  An edge with a longer leeway,
# which it has not told, is not healthy while it may lack denials that still
# count for it.

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

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url, healing => 40);
my $ttl = int(2 * $slow);
my $short = edge(0);


sub http {
    my ($leeway) = @_;

    return "agilicus_token_revocation_ttl ${ttl}s;"
           . " agilicus_token_leeway ${leeway}s;";
}


sub edge {
    my ($leeway) = @_;

    return $fleet->edge(http => http($leeway));
}


# entries of a kind in the stream

sub kind {
    return $redis->cli('EVAL', <<'EOL', 1, 'agilicus:stream', $_[0]);
        local n = 0

        for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
            if entry[2][2]:byte(2) == tonumber(ARGV[1]) then
                n = n + 1
            end
        end

        return n
EOL
}


# the entry of a denial that has ended is trimmed, and the last mark stays

$fleet->healthy('an edge', $short);

my $ended = $fleet->deny($short);

ok($fleet->wait_for(10, sub { kind(1) == 1 }), 'the denial stands');
sleep 5;
is(kind(1), 1, 'it stands, for clocks may differ');
ok($fleet->wait_for(60, sub { kind(1) == 0 }), 'and is trimmed after its end');

my @marks = map { sleep 0.05; kind(2) } 1 .. 100;

is(scalar(grep { $_ == 0 } @marks), 0, 'there is always a mark');


# an edge with a longer leeway: the trimmed denial would still count for it

my $long = edge(80);

ok($fleet->wait_state($long, 'old', 10), 'an edge with a longer leeway is old');
is($fleet->state($short), 'healthy', 'the other one is healthy');

my $kept = $fleet->deny($short);

$fleet->refused($long, $kept, 'it is heard');
$fleet->healthy('it is healthy when nothing counts there any more', $short);
ok($fleet->wait_state($long, 'healthy', 90), 'so is the other one');
isnt($fleet->why($short, $kept), 'revoked/jti', 'the denial has ended at one');
is($fleet->why($long, $kept), 'revoked/jti', 'but not at the other');
is(kind(1), 1, 'and stands in the stream');

my $new = edge(80);

$fleet->healthy('a new edge with that leeway is healthy at once', $new);
is($fleet->why($new, $kept), 'revoked/jti', 'and knows it');
$new->finish('it ends', allow => [ qr/agilicus token: fleet/ ]);


# a leeway that becomes longer: denials last longer, and the edge cannot know
# the denials that have ended before

my $last = $fleet->deny($short);

$fleet->refused($long, $last, 'it is heard');
$short->reload(http => $fleet->http(http => http(int(15 * $slow))));
ok($fleet->wait_state($short, 'old', 20), 'an edge is old after a reload');
sleep $ttl + 1;
is($fleet->why($short, $last), 'revoked/jti', 'what it denies lasts longer');
is($fleet->state($long), 'healthy', 'the other edge is healthy');

$_->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ])
    for $short, $long;

$redis->stop;
$mock->stop;

done_testing();
