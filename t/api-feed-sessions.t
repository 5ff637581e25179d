use strict;
use warnings;

# The revocation feed with sessions: how it goes through the API's pages, which
# rows deny what, which polls count, and what it is when a page is not there.

use File::Temp;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);
use Time::Local ();

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;
my $true = JSON::PP::true;
my $dir = File::Temp->newdir;
my $now = int time;

open my $fh, '>', "$dir/credential" or die "$dir/credential: $!\n";
chmod 0600, "$dir/credential";
print $fh "edge-credential\n";
close $fh;

my @none = (json => { limit => 500, sessions => [] });


# Polls that do not count

my %failures = (
    refused       => 401,
    forbidden     => 403,
    'not-there'   => 404,
    throttled     => 429,
    down          => 503,
    moved         => { status => 302, headers => { Location => '/' } },
    nothing       => 204,
    silent        => { hang => 1 },
    lost          => { reset => 1 },
    'bad-json'    => { body => '{"limit":500,"sessions":[' },
    html          => { type => 'text/html', body => '<p>Not now.</p>' },
    empty         => { body => '' },
    cut           => { @none, cut => 10 },
    'no-list'     => { body => '{"limit":500}' },
    'other-list'  => { body => '{"limit":500,"tokens":[]}' },
    'no-limit'    => { body => '{"sessions":[]}' },
    'limit-word'  => { body => '{"limit":"500","sessions":[]}' },
    object        => { body => '{"limit":500,"sessions":{"a":1}}' },
    array         => { body => '[]' },
    gzip          => { @none, headers => { 'Content-Encoding' => 'gzip' } },
);


# Lists whose pages do not end as they should: none is read whole

my %bad_info = (
    'info-word'   => 'next',
    'info-empty'  => {},
    'info-no-on'  => { page_at_key => ['a'] },
    'info-number' => { page_on => ['id'], page_at_key => [7] },
    'info-long'   => { page_on => ['id'], page_at_key => ['x' x 5000] },
);

my %endless = (
    'old-api'  => [ [ @{ sessions('old-api', 700) }[ 0 .. 499 ] ],
                    sub { undef }, 'its pages repeat', 2 ],
    'same'     => [ sessions('same', 3), sub { info("same-3") },
                    'its pages repeat', 2 ],
    'circle'   => [ sessions('circle', 3),
                    sub { info($_[0] < 4 ? "at-$_[0]"
                                         : 'at-' . (4 + $_[0] % 3)) },
                    'its pages repeat', 9 ],
    'growing'  => [ sessions('growing', 1), sub { info("at-$_[0]") },
                    'it has too many pages', 2000 ],
    map({ my $info = $bad_info{$_};
          ($_ => [ sessions($_, 3), sub { $info }, 'the "page_info" of a page',
                   1 ]) } keys %bad_info),
);


# APIs: of these sessions

my %lists = (
    n0       => pages(sessions('n0', 0)),
    n1       => pages(sessions('n1', 1)),
    n500     => pages(sessions('n500', 500)),
    n501     => pages(sessions('n501', 501)),
    n1203    => pages(sessions('n1203', 1203)),

    # one that gives fewer than it is asked for

    few      => pages(sessions('few', 90), most => 20),

    # one whose last page has no cursor, full or not

    last     => pages(sessions('last', 1000), last => 1),
    last2    => pages(sessions('last2', 501), last => 1),

    # one that adds a field to those that it is asked to sort by

    tie      => pages(sessions('tie', 501), tie => 1),

    # one that does not care which sessions it is asked for

    careless => pages([ map { $_ % 2 ? session("careless-$_")
                                     : session("careless-$_",
                                               revoked => JSON::PP::false) }
                        1 .. 20 ], ignored => 1),

    odd      => { @none },
    half     => pages(sessions('half', 501)),
    crowded  => pages(sessions('crowded', 1000)),
    large    => { json => { limit => 500, page_info => info('large-5'),
                            sessions => [ map { session("large-$_",
                                                more => 'x' x 2_000_000) }
                                          1 .. 5 ] } },
    slow     => pages(sessions('slow', 60), most => 20, delay => 0.35),
    calls    => pages(sessions('calls', 60), most => 10, delay => 0.5),
    killed   => pages(sessions('killed', 1000), delay => 0.5),
    loaded   => pages(sessions('loaded', 600)),
    both     => { @none },
);

for my $name (keys %endless) {
    my ($rows, $info) = @{ $endless{$name} };
    my $calls = 0;

    $lists{$name} = sub {
        return { json => { limit => 500, sessions => $rows,
                           page_info => $info->(++$calls) } };
    };
}

# every token is good, and has its name as its jti and its session

my $good = sub { { token => { jti => "jti-$_[0]{token}",
                              session => $_[0]{token} } } };
my $no_tokens = { json => { limit => 100, tokens => [] } };
my @fail = map { "fail-$_" } 1 .. 4;

my $mock = MockAPI->start(
    paths => {
        map({ ("POST /$_/v1/tokens/introspect" => $good,
               "GET /$_/v1/tokens" => $no_tokens) } keys %lists, @fail),
        'GET /calls/v1/tokens' => tokens(400, delay => 0.5),
        map({ ("GET /$_/v1/sessions" => $lists{$_}) } keys %lists),
        map({ ("GET /$_/v1/sessions" => { hang => 1 }) } @fail),
    },
);

my %nginx;


# which rows deny

for my $case ([ n0 => 0, 1 ], [ n1 => 1, 2 ], [ n500 => 500, 2 ],
              [ n501 => 501, 3 ], [ n1203 => 1203, 4 ], [ few => 90, 6 ],
              [ last => 1000, 3 ], [ last2 => 501, 2 ], [ tie => 501, 3 ])
{
    my ($name, $n, $pages) = @$case;

    feed($name);
    said($name, 'healthy', 'not polled yet');

    my $feed = status($name)->{feed};
    my @asked = asked($name);
    my @some = grep { $_ < 20 || $_ > $n - 20 || $_ % 100 < 3 } 1 .. $n;
    my @res = many($name, map { "$name-$_" } @some);

    is(scalar(grep { why($_) eq 'revoked/session' } @res), scalar @some,
       "$name: each of $n rows denies its session");
    is(why(ask($name, "$name-0")), 'active/', 'and no other');
    is(status($name)->{denials}{live}, $n, 'and nothing else');
    cmp_ok(scalar @asked, '>=', $pages, "there are $pages pages");
    is($feed->{session_rows}, $n, 'the rows are counted');
    is($feed->{rows}, 0, 'apart from tokens');
    is($feed->{calls}, ($pages + 2) * $feed->{polls},
       'and the calls of both lists');

    is($asked[0] =~ s/created_time=[^&]+/created_time=/r,
       'revoked=true&limit=500&created_time=&page_on=id', 'the first page');

    my ($from) = map { seconds($_) } $asked[0] =~ /created_time=([^&]+)/;

    cmp_ok(abs($now - 86400 - 3600 - $from), '<', 60 * $slow,
           'is of those created within that time, or an hour before');
    is(scalar(grep { !/&created_time=[^&]+&page_on=id/ } @asked), 0,
       'as all pages are');

    if ($name eq 'tie') {
        like($asked[1],
             qr/&page_on=id&page_on=a%20b&page_at_key=tie-\d+
                &page_at_key=x%26y%3D%2B%E2%82%AC$/x,
             'a cursor goes back as it came');
    }

    if ($name eq 'n1') {
        my ($first) = $mock->requests(path => '/n1/v1/sessions');

        like($first->{head}, qr/\nAuthorization: Bearer edge-credential\r/,
             'in the name of the edge');

        like($nginx{n1}->get('/status?format=prometheus')->{body},
             qr/_calls_total\{.*operation="list_sessions",result="ok"\} \d/,
             'and its calls are counted by their operation');
    }

    finished($name);
}


# an API that gives sessions that are not revoked

feed('careless');
said('careless', 'healthy', 'not polled yet');

my @res = many('careless', map { "careless-$_" } 1 .. 20);

is(scalar(grep { why($_) eq 'revoked/session' } @res), 10,
   'revoked sessions are denied');
is(scalar(grep { why($_) eq 'active/' } @res), 10, 'and the others are not');
sleep 2.2;
is(scalar(my @lines = $nginx{careless}->log_lines(
       qr/\[warn\].* sessions that are not revoked are in the list/)), 1,
   'it is said once that the API does not look');
finished('careless');


# lists that do not end

for my $name (sort keys %endless) {
    my (undef, undef, $why, $calls) = @{ $endless{$name} };
    my @rows = @{ $endless{$name}[0] };

    feed($name);
    said($name, 'incomplete', 'not polled yet', 20);

    my $feed = status($name)->{feed};

    cmp_ok($feed->{calls} / $feed->{polls} - 2, '<=', $calls,
           "$name: $calls calls at most");
    is($feed->{failed}, 0, 'the poll has not failed');
    is(why(ask($name, "$name-" . @rows)), 'revoked/session',
       'what is known is denied');
    is(from($name, 'other'), 'MISS', 'others are good');
    sleep 0.55;
    is(from($name, 'other'), 'MISS', 'but not watched');
    sleep 1.5 if $calls < 100;
    like($nginx{$name}->error_log,
         qr/\[error\].* the list of revoked sessions cannot be read whole: \Q$why\E.*, Tokens API/,
         'it is said why');
    is(scalar(@lines = $nginx{$name}->log_lines(qr/cannot be read whole/)), 1,
       'once');
    cmp_ok(status($name)->{feed}{polls} - $feed->{polls}, '<=', 3 * $slow,
           'and asked again no sooner than it has to be');

    if ($name eq 'same') {
        list($name, @none);
        said($name, 'healthy', 'incomplete');
        is(why(ask($name, 'same-1')), 'revoked/session',
           'a row that is gone takes no denial with it');
        is(from($name, 'another'), 'MISS', 'a token');
        sleep 0.55;
        is(from($name, 'another'), 'HIT', 'is watched now');
    }

    finished($name);
}


# a page that is too large

my ($worker) = feed('large')->workers;
my $peak = peak($worker);

said('large', 'incomplete', 'not polled yet', 10);
ok($nginx{large}->wait_log(qr/read whole: a page is too large/, 5 * $slow),
   'an answer that is too large ends the list');
cmp_ok(peak($worker) - $peak, '<', 150 * $slow, 'and takes little memory');
finished('large');


# a memory that is full

feed('crowded', denials => '32k');
said('crowded', 'incomplete', 'not polled yet');
cmp_ok(status('crowded')->{denials}{lost}, '>', 0, 'denials have no room');
sleep 2.2;
isnt(status('crowded')->{feed}{state}, 'healthy', 'then no poll is complete');
is(from('crowded', 'other'), 'MISS', 'a token');
sleep 0.55;
is(from('crowded', 'other'), 'MISS', 'is not watched');
finished('crowded');


# rows that cannot be read: the others deny, and they are not all

my @odd = (
    [ undef, 'it is no object' ],
    [ 'odd-x', 'it is no object' ],
    [ [ session('odd-x') ], 'it is no object' ],
    [ {}, 'it has no "id"' ],
    [ { id => 'odd-x', spec => { revoked => $true } }, 'it has no "id"' ],
    [ session(undef), 'it has no "id"' ],
    [ { %{ session('odd-x') }, metadata => 'odd-x' }, 'it has no "id"' ],
    [ session(''), 'its "id" is none' ],
    [ session(7), 'its "id" is none' ],
    [ session([ 'odd-x' ]), 'its "id" is none' ],
    [ session('x' x 70_000), 'its "id" is none' ],
    [ session('odd-x', revoked => undef), 'it does not say whether' ],
    [ { metadata => { id => 'odd-x' } }, 'it does not say whether' ],
    [ { metadata => { id => 'odd-x' }, spec => [ 1 ] },
      'it does not say whether' ],
);

feed('odd');
said('odd', 'healthy', 'not polled yet');

for my $i (0 .. $#odd) {
    my ($row, $wrong) = @{ $odd[$i] };

    $nginx{odd}->mark;
    list('odd', json => { limit => 500, sessions => [
         session("odd-$i-before"),
         session("odd-$i-good", revoked => JSON::PP::false), $row,
         session("odd-$i-after", revoked => "2026-01-01\n[alert] x") ] });

    ok($nginx{odd}->wait_log(
           qr/row 3 of the list of revoked sessions cannot be read .*: \Q$wrong\E.*, Tok/,
           5 * $slow),
       "row $i: the log says what is wrong: $wrong");

    is(join(' ', map { why(ask('odd', "odd-$i-$_")) } qw(before after)),
       'revoked/session revoked/session', "row $i: the others deny");
    is(why(ask('odd', "odd-$i-good")), 'active/',
       'but for one that is not revoked');
    is(why(ask('odd', 'odd-x')), 'active/', 'and it denies nothing');

    if ($i == 0) {
        said('odd', 'incomplete', 'healthy');
        is(from('odd', 'other'), 'MISS', 'a token');
        sleep 0.55;
        is(from('odd', 'other'), 'MISS', 'is not watched');
    }
}

is(status('odd')->{feed}{failed}, 0, 'polls do not fail');
list('odd', @none);
said('odd', 'healthy', 'incomplete');
unlike($nginx{odd}->error_log, qr/alert|xxxx|odd-\d/,
       'no value is in the log');
finished('odd');


# polls that fail: four servers try all that can go wrong

feed($_) for @fail;
is(from($_, 'other'), 'MISS', "$_: a token") for @fail;
sleep 0.55;
is(from($_, 'other'), 'MISS', 'is not watched by a feed that never told')
    for @fail;

list($_, @none) for @fail;
said($_, 'healthy', 'not polled yet', 8) for @fail;

my @left = sort keys %failures;

while (@left) {
    my %turn = map { @left ? ($_ => shift @left) : () } @fail;
    my %before;

    for my $name (sort keys %turn) {
        $before{$name} = status($name)->{feed};
        $nginx{$name}->mark;
        $mock->script(paths => { "GET /$name/v1/sessions"
                                 => $failures{ $turn{$name} } });
    }

    for my $name (sort keys %turn) {
        my $end = time + 6 * $slow;
        my $is;

        do {
            sleep 0.02;
            $is = status($name)->{feed};
        } while (time < $end && $is->{failed} == $before{$name}{failed});

        cmp_ok($is->{failed}, '>', $before{$name}{failed},
               "$turn{$name}: the poll has failed");
        ok($nginx{$name}->wait_log(qr/\[error\].*list_sessions failed/),
           'it is told why');

        like($nginx{$name}->new_log, qr/refused the edge itself with status 40/,
             'and what is to be mended') if $turn{$name} =~ /^(?:ref|forb)/;
    }
}

for my $name (@fail) {
    said($name, 'late', 'healthy', 8);
    is(from($name, 'another'), 'MISS', "$name: a token");
}

sleep 0.55;

for my $name (@fail) {
    is(from($name, 'another'), 'MISS', "$name: is not watched");
    list($name, @none);
    said($name, 'healthy', 'late');
    finished($name);
}


# a fault halfway: nothing is lost that was there, and the feed is late

feed('half');
said('half', 'healthy', 'not polled yet');
list('half', json => { limit => 500, sessions => [ session('half-new') ],
                       page_info => info('half-new') });
said('half', 'incomplete', 'healthy');

$mock->script(paths => { 'GET /half/v1/sessions' => [
    map { ({ json => { limit => 500, page_info => info("half-$_"),
                       sessions => [ session("half-newer-$_") ] } },
           { status => 503 }) } 1 .. 50 ] });

said('half', 'late', 'incomplete', 8);
is(why(ask('half', $_)), 'revoked/session', "$_ is denied")
    for 'half-1', 'half-501', 'half-new', 'half-newer-1', 'half-newer-2';
is(why(ask('half', 'half-other')), 'active/', 'and others are not');
finished('half');


# the list of tokens alone makes no poll complete

feed('both');
said('both', 'healthy', 'not polled yet');
$mock->script(paths => { 'GET /both/v1/tokens' => 503 });
list('both', json => { limit => 500, sessions => [ session('both-1') ] });
said('both', 'late', 'healthy', 8);
is(why(ask('both', 'both-1')), 'revoked/session',
   'sessions deny while the list of tokens is not there');
finished('both');


# more pages than time

feed('slow');
said('slow', 'healthy', 'not polled yet', 8);

my $first = status('slow')->{feed};

sleep 4;

my $then = status('slow')->{feed};
my @times = map { $_->{time} } grep { $_->{args} !~ /page_at_key/ }
            $mock->requests(path => '/slow/v1/sessions');
my ($gap) = sort { $a <=> $b } map { $times[$_] - $times[$_ - 1] } 1 .. $#times;

cmp_ok($first->{last_poll_ms}, '>', 1200, 'pages take longer than the interval');
cmp_ok($gap, '>', 1.2, 'polls do not overlap');
cmp_ok($then->{polls} - $first->{polls}, '>=', 2 / $slow, 'but go on');
SKIP: {
    my ($age) = sort { $b <=> $a } map { $times[$_] - $times[$_ - 2] }
                                   2 .. $#times;

    # it is late by right where the machine has held up two polls

    skip 'the machine is too slow', 1 if $age > 2.9;
    is(scalar($nginx{slow}->log_lines(qr/feed is late/)), 0, 'it is not late');
}

finished('slow');


# no more than four calls at once, for both lists: each is answered half a
# second after it has come, so those that come within that time overlap.  A
# poll on a slow machine may have fewer, but none has more.

feed('calls');
said('calls', 'healthy', 'not polled yet', 30);

my $at_once = 0;
my $until = time + 30;

while ($at_once < 4 && time < $until) {
    my @came = sort { $a <=> $b } map { $_->{time} }
               map { $mock->requests(path => "/calls/v1/$_") }
               qw(tokens sessions);

    for my $from (@came) {
        my $n = grep { $_ >= $from && $_ < $from + 0.49 } @came;

        $at_once = $n if $at_once < $n;
    }

    sleep 0.5 if $at_once < 4;
}

is($at_once, 4, 'pages and windows are asked for in four calls at once');
is(status('calls')->{denials}{live}, 460, 'of which none is left out');
finished('calls');


# the worker that polls is killed between two pages

my $killed = feed('killed', workers => 2, log_level => 'debug');

ok($mock->wait_calls(1, path => '/killed/v1/sessions'), 'a page is asked for');
sleep 0.6;

my ($poller) = $killed->error_log
               =~ /\[debug\] (\d+)#\d+: .*list_sessions sent/;

ok($poller, 'by a worker');
$killed->kill_worker($poller);
said('killed', 'healthy', 'not polled yet', 10);
is(scalar(grep { why($_) eq 'revoked/session' }
          many('killed', map { "killed-$_" } 1, 2, 499 .. 502, 1000)), 7,
   'when it dies, another one reads all of them');
finished('killed', allow => [ qr/exited on signal 9/ ]);


# a reload: sessions that were not read yet do not count as read

my $loaded = feed('loaded', sessions => '');

said('loaded', 'healthy', 'not polled yet');
is(why(ask('loaded', 'loaded-1')), 'active/', 'sessions are not read');
is(scalar(asked('loaded')), 0, 'nor asked for');

$mock->script(paths => { 'GET /loaded/v1/sessions' => { hang => 1 } });
reload('loaded', 'sessions=1h');
said('loaded', 'not polled yet', 'healthy');
is(status('loaded')->{feed}{state}, 'init',
   'a feed that reads sessions now is not healthy before it has');
is(from('loaded', 'other'), 'MISS', 'a token');
sleep 0.55;
is(from('loaded', 'other'), 'MISS', 'is not watched');

list('loaded', json => { limit => 500, sessions => [ session('loaded-1') ] });
$loaded->mark;
ok($loaded->wait_log(qr/feed is healthy, was /, 10 * $slow), 'then it has');
is(why(ask('loaded', 'loaded-1')), 'revoked/session', 'and denies');

$loaded->mark;
$mock->script(paths => { 'GET /loaded/v1/sessions' => { hang => 1 } });
reload('loaded', 'sessions=2h');
ok($loaded->wait_log(qr/feed is not polled yet, was /, 5 * $slow),
   'the same for older sessions');
list('loaded', @none);
ok($loaded->wait_log(qr/feed is healthy, was /, 10 * $slow), 'once more');

for my $less ('sessions=1h', '') {
    my $asked = asked('loaded');

    $loaded->mark;
    reload('loaded', $less);
    sleep 1.5;
    unlike($loaded->new_log, qr/feed is /, 'less to read makes no difference');
    is(why(ask('loaded', 'loaded-1')), 'revoked/session', 'nor to denials');
}

finished('loaded');


done_testing();


sub sessions {
    my ($name, $n) = @_;

    return [ map { session("$name-$_") } 1 .. $n ];
}


sub session {
    my ($id, %more) = @_;

    return { metadata => { id => $id, created => date($now - 60),
                           updated => date($now) },
             spec => { user_id => 'user-1', org_id => 'org-1',
                       revoked => $true, %more }, status => {} };
}


sub info {
    my ($at) = @_;

    return { page_on => [ 'id' ], page_at_key => [ $at ] };
}


# An API that has these sessions: page after page, in the order of their ids

sub pages {
    my ($rows, %opt) = @_;

    my @rows = sort { $a->{metadata}{id} cmp $b->{metadata}{id} } @$rows;

    return sub {
        my ($request) = @_;

        my %args = map { /^(\w+)=(.*)/ ? ($1 => $2) : () }
                   reverse split /&/, $request->{args};
        my $most = $opt{most} || $args{limit};
        my $at = $args{page_at_key};
        my @found = grep { !defined $at || $_->{metadata}{id} gt $at } @rows;
        my $left = @found > $most;

        @found = @found[ 0 .. $most - 1 ] if $left;

        my %answer = (limit => $most + 0, sessions => \@found);

        if (@found && ($left || !$opt{last})) {
            $answer{page_info} = info($found[-1]{metadata}{id});

            if ($opt{tie}) {
                push @{ $answer{page_info}{page_on} }, 'a b';
                push @{ $answer{page_info}{page_at_key} }, "x&y=+\x{20ac}";
            }
        }

        return { json => \%answer, $opt{delay} ? (delay => $opt{delay}) : () };
    };
}


# and of so many tokens, one a second: those of a window

sub tokens {
    my ($n, %opt) = @_;

    return sub {
        my ($request) = @_;

        my %args = map { /^(exp_\w+)=(.*)/ ? ($1 => seconds($2)) : () }
                   split /&/, $request->{args};
        my @found = grep { %args && $_ >= ($args{exp_from} || 0)
                           && $_ <= ($args{exp_to} || 'inf') }
                    map { $now + 3600 + $_ } 1 .. $n;

        @found = @found[ 0 .. 99 ] if @found > 100;

        return { %opt, json => { limit => 100, tokens => [
            map { { jti => "jti-$_", exp => date($_) } } @found ] } };
    };
}


sub asked {
    my ($case) = @_;

    return map { $_->{args} } $mock->requests(path => "/$case/v1/sessions");
}


sub date {
    my ($at) = @_;

    my ($s, $m, $h, $d, $mon, $y) = gmtime $at;

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $y + 1900, $mon + 1, $d,
                   $h, $m, $s;
}


sub seconds {
    my ($text) = @_;

    $text =~ s/%3A/:/g;

    my ($y, $mon, $d, $h, $m, $s) =
        $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/
        or die "no date: $text\n";

    return Time::Local::timegm($s, $m, $h, $d, $mon - 1, $y);
}


sub http_config {
    my ($case, $sessions, $denials) = @_;

    my $port = $mock->port;

    # a page of this one takes a while anyway

    my $timeout = $case eq 'killed' ? '10s' : '2s';

    return <<"EOC";
            access_log off;
            keepalive_requests 100000;
            agilicus_token_denials $denials;
            agilicus_token_api http://127.0.0.1:$port/$case;
            agilicus_token_api_credential $dir/credential;
            agilicus_token_api_timeout $timeout;
            agilicus_token_api_breaker off;
            agilicus_token_api_rate off;
            agilicus_token_revocation_feed interval=1s $sessions;
            agilicus_token_cache_valid active=500ms watched=1h;
            agilicus_token_cache_stale update=0s;
            add_header X-Why
                       "\$agilicus_token_verdict/\$agilicus_token_reason"
                       always;
            add_header X-Cache \$agilicus_token_cache always;
EOC
}


sub feed {
    my ($case, %opt) = @_;

    my $sessions = delete $opt{sessions} // 'sessions=1d';
    my $denials = delete $opt{denials} || '2m';

    my $new = NginxProcess->new(
        log_level => 'info',
        http => http_config($case, $sessions, $denials),
        config => <<'EOC',
            location = /page { agilicus_token on; }
            location = /status { agilicus_token_status trusted; }
EOC
        %opt,
    );

    $new->write_file('html/page', "page\n");

    return $nginx{$case} = $new->start;
}


sub reload {
    my ($case, $sessions) = @_;

    $nginx{$case}->reload(http => http_config($case, $sessions, '2m'));
}


sub finished {
    my ($case, %opt) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return (delete $nginx{$case})->finish("$case: all is well", %opt,
                                          secrets => [ 'edge-credential' ]);
}


sub status {
    my ($case) = @_;

    my $res = $nginx{$case}->get('/status?format=json');

    return $json->decode($res->{body});
}


sub list {
    my ($case, %answer) = @_;

    $mock->script(paths => { "GET /$case/v1/sessions" => \%answer });
}


sub many {
    my ($case, @tokens) = @_;

    return $nginx{$case}->http->many(
        [ map { { path => '/page',
                  headers => { Authorization => "Bearer $_" } } } @tokens ],
        at_once => 50);
}


sub ask { return (many(@_))[0] }
sub why { return HttpClient::header($_[0], 'X-Why') || '' }
sub from { return HttpClient::header(ask(@_), 'X-Cache') || '' }


sub said {
    my ($case, $is, $was, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $line = qr/revocation feed is \Q$is\E, was \Q$was\E, Tokens API "http/;

    my $end = time + ($seconds || 5) * $slow;
    my $said;

    sleep 0.01 until ($said = $nginx{$case}->error_log =~ $line)
                     || time > $end;

    return ok($said, "$case: the feed is $is, was $was");
}


# megabytes

sub peak {
    my ($pid) = @_;

    my ($kb) = NginxControl::slurp("/proc/$pid/status") =~ /VmHWM:\s+(\d+)/;

    return $kb / 1024;
}
