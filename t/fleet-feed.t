use strict;
use warnings;

# The revocation feed of a fleet: one edge polls, and what it tells counts on the
# others, as long as it is fresh and nothing is missing.

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256 sha256_hex);
use File::Temp;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use FleetEdges;
use MockAPI;
use NginxControl;
use RedisServer;

my $hour = 3600 + int time;
my $dir = File::Temp->newdir;
my $hex = '5a' x 32;

open my $fh, '>', "$dir/credential" or die "$dir: $!\n";
print $fh "edge-credential\n";
close $fh;
chmod 0600, "$dir/credential";

my $mock = MockAPI->start(
    default => sub { return { token => { jti => "j-$_[0]{token}" } } },
    paths => { 'GET /v1/sessions' => { json => { limit => 500,
                                                 sessions => [] } } },
    rows => [],
);

my $feed = <<"EOC";
    agilicus_token_api_credential $dir/credential;
    agilicus_token_cache_valid active=1s watched=600s invalid=1s;
EOC

my $every = "$feed agilicus_token_revocation_feed interval=1s;";


# an edge whose lease is taken by another edge: for the end of this file

my $other_redis = RedisServer->start;
my $other_fleet = FleetEdges->new($other_redis->url);
my $alone = $other_fleet->edge(http => $every, valid => '');
my $lease;

ok(wait_here($alone), 'an edge alone polls');
ok(wait_feed($alone, 'healthy'), 'and its feed is healthy');

($lease) = $other_redis->cli('KEYS', '*:feed:*') =~ /(\S+)/;

# of the URL, the interval, no sessions, no leeway and the usual time of denials

my $id = sha256_hex(sha256('http://127.0.0.1:' . $mock->port), '1000,0,0,86400');
my $derived = hmac_sha256(pack('H*', $hex), pack('H*', $id));

is($lease, 'agilicus:feed:' . hmac_sha256_hex("agilicus fleet name\1", $derived),
   'the name of its lease is derived with the key');

$other_redis->cli('SET', $lease, '0' x 32);
ok(wait_here($alone, 0), 'another edge has the lease');

my $polled = feed($alone)->{polls};
my $begun = time;


# one edge polls for all

my $redis = RedisServer->start;
my $fleet = FleetEdges->new($redis->url);
my @edges = map { $fleet->edge(http => $every, valid => '', workers => $_) }
            1, 2, 1;

ok(wait_feed($_, 'healthy'), 'the feed of an edge is healthy') for @edges;
is(scalar(here(@edges)), 1, 'one edge polls');

my ($first) = here(@edges);
my @rest = grep { $_ != $first } @edges;
my @polls = map { feed($_)->{polls} } @edges;

is(feed($_)->{polls}, 0, 'another one has never polled') for @rest;
is(feed($_)->{lag_ms} >= 0 && feed($_)->{lag_ms} < 1e6, 1,
   'and says how old the poll is') for @rest;

is($fleet->why($_, 'listed'), 'active/', 'a token passes') for @edges;

revoked('listed');
ok($fleet->wait_why($_, 'listed', 'revoked/jti'), 'until it is in the list')
    for @edges;

ok($fleet->wait_for(10, sub { feed($first)->{polls} > $polls[0] + 5 }),
   'the edge goes on');
is(scalar(grep { feed($_)->{polls} } @rest), 0, 'as the only one');


# an edge that starts need not poll

my $late = $fleet->edge(http => $every, valid => '');

ok(wait_feed($late, 'healthy'), 'an edge starts: its feed is healthy');
is(feed($late)->{polls}, 0, 'without a poll of its own');
is($fleet->why($late, 'listed'), 'revoked/jti', 'it knows the list');


# other parameters make another feed, and an edge without one has none

my $sessions = $fleet->edge(http => "$feed agilicus_token_revocation_feed "
                                    . 'interval=1s sessions=1h;', valid => '');
my $slow_feed = "$feed agilicus_token_revocation_feed interval=60s;";
my $slower = $fleet->edge(http => $slow_feed, valid => '');
my $leeway = $fleet->edge(http => "$every agilicus_token_leeway 2s;",
                          valid => '');
my $short = $fleet->edge(http => "$every agilicus_token_revocation_ttl 1h;",
                         valid => '');
my $none = $fleet->edge(http => $feed, valid => '');

for my $edge ($sessions, $slower, $leeway, $short) {
    ok(wait_feed($edge, 'healthy'), 'an edge whose feed is another');
    ok(wait_here($edge), 'polls by itself');
}

my $waits = $fleet->edge(http => $slow_feed, valid => '');

ok(wait_feed($waits, 'healthy'), 'an edge hears of a poll before the next one');
is(feed($waits)->{polls}, 0, 'and does not poll');

is(feed($none)->{state}, 'off', 'an edge without a feed has none');
is(feed($none)->{here} || 0, 0, 'and does not poll');

revoked('listed', 'again');
ok($fleet->wait_why($_, 'again', 'revoked/jti'), 'all know the list')
    for $late, $sessions, $slower, $waits, $leeway, $short, $none;

ok(wait_here($late, 0), 'nothing of this changes who polls');
is(scalar(here(@edges)), 1, 'one edge');


# a reload to another feed, and back; and out of the fleet

$late->reload(http => $fleet->http(valid => '', http =>
    "$feed agilicus_token_revocation_feed interval=2s sessions=2h;"));
ok(wait_here($late), 'after a reload, an edge has another feed');
ok(wait_feed($late, 'healthy'), 'which is healthy');

$late->reload(http => $fleet->http(valid => '', http => $every));
ok(wait_here($late, 0), 'after one more, it has that of the others');
ok(wait_feed($late, 'healthy'), 'which is healthy');

$late->reload(http => $fleet->http(valid => '', http => $every)
                      =~ s/agilicus_token_fleet .*/agilicus_token_fleet off;/r);
ok(wait_here($late), 'out of the fleet, it polls');
ok(wait_feed($late, 'healthy'), 'and is healthy');

$_->finish('an edge ends')
    for $late, $sessions, $slower, $waits, $leeway, $short, $none;


# the edge that polls dies; or its polls fail

kill KILL => $first->pid, $first->workers;

ok($fleet->wait_for(20, sub { here(@rest) == 1 }),
   'the edge that polls is killed: another one polls');
ok(wait_feed($_, 'healthy'), 'the feed is healthy') for @rest;

revoked('listed', 'later');
ok($fleet->wait_why($_, 'later', 'revoked/jti'), 'and tells') for @rest;

$first->finish('it has gone', allow => [ qr/./ ]);

my ($second) = here(@rest);

$mock->script(paths => { 'GET /v1/tokens' => 503 });
ok($fleet->wait_for(20, sub { feed($_)->{failed} }), 'polls fail at each')
    for @rest;
ok(wait_feed($_, 'late'), 'feeds are late') for @rest;

$mock->script(paths => { 'GET /v1/tokens' => undef });
ok(wait_feed($_, 'healthy'), 'polls are answered: feeds are healthy')
    for @rest;
ok($fleet->wait_for(10, sub { here(@rest) == 1 }), 'one edge polls');


# after Redis was emptied, each edge that knows a denial tells it first

my $between = '';

revoked('listed', 'stands');
ok($fleet->wait_why($_, 'stands', 'revoked/jti'), 'all know the list')
    for @rest;
$redis->cli('FLUSHALL');
ok($fleet->wait_for(30, sub {
       $between = $redis->cli('EVAL', <<'EOL', 1, 'agilicus:stream');
           local all = redis.call('XRANGE', KEYS[1], '-', '+')

           for _, entry in ipairs(all) do
               if entry[2][2]:byte(2) == 5 then
                   return entry[1]:match('%d+') - all[1][1]:match('%d+')
               end
           end

           return ''
EOL

       return $between ne '';
   }, 0.05), 'Redis is emptied: a poll is told');
cmp_ok($between, '>=', 2000, 'behind the second mark');
ok(wait_feed($_, 'healthy'), 'feeds are healthy') for @rest;


# a row that the polling edge cannot read is known to no edge

$mock->script(paths => { 'GET /v1/tokens' => {
    json => { limit => 100, tokens => [ 'no row' ] } } });
ok(wait_feed($_, 'incomplete'), 'a row cannot be read: feeds are incomplete')
    for @rest;

$mock->script(paths => { 'GET /v1/tokens' => undef });
ok(wait_feed($_, 'healthy'), 'until it has gone') for @rest;


# the edge that polls stands still, and goes on

($second) = here(@rest);

my ($third) = grep { $_ != $second } @rest;
my @workers = $second->workers;

kill STOP => @workers;
ok(wait_here($third), 'the edge that polls stands still: another one polls');
ok(wait_feed($third, 'healthy'), 'its feed is healthy');

revoked('listed', 'meanwhile');
ok($fleet->wait_why($third, 'meanwhile', 'revoked/jti'), 'and tells');

kill CONT => @workers;
ok(wait_feed($second, 'healthy'), 'the first one goes on, and is healthy');
ok(wait_here($second, 0), 'but does not poll any more');
ok($third->wait_log(qr/the revocation feed is polled by this edge/),
   'who polls is logged by one');
ok($second->wait_log(qr/the revocation feed is polled by another edge/),
   'and by the other');
is($fleet->why($second, 'meanwhile'), 'revoked/jti', 'it has heard');


# without Redis, each polls, and is late

my %polled = map { $_ => feed($_)->{polls} } @rest;

$redis->kill;
ok($fleet->wait_for(20, sub { feed($_)->{polls} > $polled{$_} + 1 }),
   'Redis is gone: each edge polls') for @rest;
is(feed($_)->{state}, 'late', 'and is late') for @rest;

revoked('listed', 'without');
ok($fleet->wait_why($_, 'without', 'revoked/jti'), 'and denies') for @rest;

$redis->restart;
ok(wait_feed($_, 'healthy', 30), 'Redis is back: feeds are healthy')
    for @rest;
ok($fleet->wait_for(10, sub { here(@rest) == 1 }), 'one edge polls');


# the edge that polls reloads

($second) = here(@rest);
$second->reload;
ok($fleet->wait_for(20, sub { here(@rest) == 1 }), 'a reload: one edge polls');
ok(wait_feed($_, 'healthy'), 'feeds are healthy') for @rest;

$_->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ]) for @rest;
$redis->stop;
ok(time - $begun > 60 || feed($alone)->{polls} == $polled,
   'an edge without the lease has not polled');


# what is told is believed as long as it is fresh, and nothing is missing

$other_redis->cli('SET', $lease =~ s/^agilicus/second/r, '0' x 32);

my $second_fleet = FleetEdges->new($other_redis->url, params => 'name=second');
my $told = $second_fleet->edge(http => $every, valid => '');

ok($second_fleet->wait_state($told, 'healthy', 20), 'an edge of another fleet');
is(feed($told)->{state}, 'init', 'whose lease somebody else has');

told(1, -500);
ok(wait_feed($told, 'healthy', 2), 'a poll is told of: the feed is healthy');

my $lag = feed($told)->{lag_ms};

cmp_ok($lag, '>=', 500, "and as old as the poll is: $lag ms");
ok(wait_feed($told, 'late', 10), 'and late without another one');

told(2, -3_100);
sleep 0.5;
is(feed($told)->{state}, 'late', 'one of long ago does not count');

told(3, 0, id => 'fe' x 32);
sleep 0.5;
is(feed($told)->{state}, 'late', 'nor one of another feed');

told(5, 0);
ok($second_fleet->wait_state($told, 'gap', 5), 'something is missing');
told(6, 0, duration => 60_000);
is(feed($told)->{state}, 'late', 'polls behind it do not count');

told(4, -10_000);
ok($second_fleet->wait_state($told, 'healthy', 30), 'it comes');
is(feed($told)->{state}, 'late', 'nor do they later');

told(7, 0);
ok(wait_feed($told, 'healthy', 2), 'but the next one does');
is(feed($told)->{polls}, 0, 'all this time, the edge has not polled');

told(8, 0, key => 'cd' x 32);
ok($fleet->wait_for(20, sub { feed($told)->{polls} }),
   'one that cannot open what it reads polls by itself');


# others cannot keep an edge from polling for ever

ok($other_fleet->wait_for(90, sub { feed($alone)->{polls} > $polled }),
   'an edge of which the feed would be dead polls by itself');
ok(wait_feed($alone, 'healthy'), 'and is healthy');

$told->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ]);
$alone->finish('an edge ends', allow => [ qr/agilicus token: fleet/ ]);
$other_redis->stop;
$mock->stop;

done_testing();


sub feed {
    my ($edge) = @_;

    my $res = $edge->get('/status?format=json');

    return eval { JSON::PP::decode_json($res->{body})->{feed} } || {};
}


# those that poll

sub here { return grep { feed($_)->{here} } @_ }


sub wait_here {
    my ($edge, $here) = @_;

    $here = 1 if !defined $here;

    my $ok = $fleet || $other_fleet;

    return $ok->wait_for(15, sub { !!feed($edge)->{here} == !!$here });
}


sub wait_feed {
    my ($edge, $state, $seconds) = @_;

    my $ok = $fleet || $other_fleet;

    return $ok->wait_for($seconds || 20,
                         sub { (feed($edge)->{state} || '') eq $state });
}


sub revoked {
    $mock->script(rows => [ map { { jti => "j-$_", exp => $hour,
                                    revoked => 1 } } @_ ]);
}


# appends a poll that began so many milliseconds from now

sub told {
    my ($number, $start, %opt) = @_;

    my $key = $opt{key} || $hex;
    my $epoch = $other_redis->cli('GET', 'second:epoch');
    my $plain = 'ab' x 16 . sprintf('%016x%08x', $number, 0)
                . ($opt{id} || $id)
                . sprintf('%016x%016x%02x', 1000 * time + $start,
                          $opt{duration} || 10, 0);
    my $seal = "python3 -B t/lib/fleet_entry.py $key second $epoch 1 5 $plain";
    my $append = "redis-cli -s $other_redis->{socket} -x XADD second:stream";

    like(qx($seal | $append '*' e), qr/^\d+-\d+$/, 'a poll is told of');
}
