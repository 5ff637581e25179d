use strict;
use warnings;

# While an edge may not know all that its fleet has denied, its feed is late,
# and the short lifetimes count.

use File::Temp;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use HttpClient;
use MockAPI;
use NginxControl;
use RedisServer;

my $slow = NginxControl::slow();
my $hour = 3600 + int time;

my $dir = File::Temp->newdir;

open my $fh, '>', "$dir/credential" or die "$dir: $!\n";
print $fh "edge-credential\n";
close $fh;
chmod 0600, "$dir/credential";

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
    rows => [],
);

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my $feed = <<"EOC";
    agilicus_token_api_credential $dir/credential;
    agilicus_token_revocation_feed interval=1s;
    add_header X-Cache \$agilicus_token_cache always;
EOC

my $edge = $fleet->edge(http => "$feed\nagilicus_token_cache_valid active=1s "
                                . "watched=600s invalid=1s;",
                        valid => '');
my $plain = $fleet->edge;

ok($fleet->wait_state($edge, 'healthy', 20), 'the fleet is healthy');
ok($fleet->wait_for(10, sub { feed($edge) eq 'healthy' }), 'and the feed');


# what one edge learns from its feed, others refuse, which have none

is($fleet->why($plain, 'listed'), 'active/', 'a token passes');

$mock->script(rows => [ { jti => 'j-listed', exp => $hour, revoked => 1 } ]);

ok($fleet->wait_why($plain, 'listed', 'revoked/jti', 10),
   'until another edge has found it in the list');


# watched tokens are good for long, as long as the fleet is healthy

is(cache($edge, 'token'), 'MISS', 'a token is asked about');
sleep 2.2;
is(cache($edge, 'token'), 'HIT', 'and is good for longer than "active"');

$redis->halt;

my $begun = time;

ok($fleet->wait_for(5, sub { feed($edge) eq 'late' }),
   'Redis stands: the feed is late');

my $took = time - $begun;

cmp_ok($took, '<', 1.3 * $slow, sprintf 'after %.2f s', $took);
isnt(cache($edge, 'token'), 'HIT', 'and "active" counts');
is($fleet->why($edge, 'token'), 'active/', 'the token passes, asked again');

$redis->go_on;
ok($fleet->wait_for(20, sub { feed($edge) eq 'healthy' }),
   'when Redis goes on, the feed is healthy again');

# nothing changes without Redis from the beginning

$redis->kill;
ok($fleet->wait_for(5, sub { feed($edge) eq 'late' }), 'Redis is gone');
is($fleet->why($edge, 'other'), 'active/', 'requests pass');

my $alone = $fleet->edge;

is($fleet->why($alone, 'other'), 'active/', 'also at an edge that starts');
is($fleet->hook($alone, jti => 'j-other'), 204, 'it denies');
is($fleet->why($alone, 'other'), 'revoked/jti', 'and refuses');
isnt($fleet->state($alone), 'healthy', 'and is not healthy');

$redis->restart;
ok($fleet->wait_why($edge, 'other', 'revoked/jti', 20),
   'what it has denied is told when Redis is there');

$_->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ])
    for $edge, $plain, $alone;
$redis->stop;
$mock->stop;

done_testing();


sub feed {
    my ($edge) = @_;

    my $res = $edge->get('/status?format=json');

    return JSON::PP::decode_json($res->{body})->{feed}{state};
}


sub cache {
    my ($edge, $token) = @_;

    my $res = $edge->get('/t', headers => { Authorization => "Bearer $token" });

    return HttpClient::header($res, 'X-Cache');
}
