use strict;
use warnings;

# The revocation feed: which rows deny what and how soon, which polls count,
# how its state is shown, and which worker polls.

use File::Temp;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Time::Local ();

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir;
my $now = int time;
my $hour = $now + 3600;

open my $fh, '>', "$dir/credential" or die "$dir/credential: $!\n";
chmod 0600, "$dir/credential";
print $fh "edge-credential\n";
close $fh;

my @none = (json => { limit => 100, tokens => [] });


# Polls that do not count

my %failures = (
    refused    => 401,
    forbidden  => 403,
    throttled  => 429,
    down       => 503,
    moved      => { status => 302, headers => { Location => '/' } },
    nothing    => 204,
    silent     => { hang => 1 },
    lost       => { reset => 1 },
    'bad-json' => { body => '{"tokens":[' },
    html       => { type => 'text/html', body => '<p>Not now.</p>' },
    empty      => { body => '' },
    cut        => { @none, cut => 10 },
    'no-list'  => { body => '{"tokens":[]}' },
    'no-limit' => { body => '{"limit":0,"tokens":[]}' },
    gzip       => { @none, headers => { 'Content-Encoding' => 'gzip' } },
);


# Sets of rows

my %rows = (
    one      => [ rows('one', 1) ],
    n99      => [ rows('n99', 99) ],
    n100     => [ rows('n100', 100) ],
    n101     => [ rows('n101', 101) ],
    same     => [ map { { jti => "same-$_", exp => $hour, iat => $now } }
                  1 .. 150 ],
    mixed    => [
        reverse(rows('mixed', 120)), rows('mixed', 120),
        map({ { jti => "never-$_", iat => $now - $_ } } 1 .. 130),
        map({ { jti => "past-$_", exp => $now - 7200 - $_,
                iat => $now - 9000 - $_ } } 1 .. 130),
    ],
    undated  => [ { jti => 'undated-0' }, rows('undated', 120) ],
    modest   => [ rows('modest', 90) ],
    large    => [ map { { %$_, more => 'x' x 900_000 } } rows('large', 10) ],
    crowded  => [ rows('crowded', 1000) ],
    many     => [ map { { jti => "many-$_",
                          exp => $now + 600 + $_ * 397 % 864000,
                          iat => $now - $_ * 131 % 600000 } } 1 .. 10000 ],
    ignores  => [ rows('ignores', 100) ],
    spread   => [ map { { jti => "spread-$_", exp => $hour + 977 * $_,
                          iat => $now - 131 * $_ } } 1 .. 1000 ],
);

# APIs that do not look at all that they are asked for

my %ignored = (
    'no-windows' => [qw(exp_from exp_to iat_from iat_to)],
    'no-exp'     => [qw(exp_from exp_to)],
    'no-iat'     => [qw(iat_from iat_to)],
    'no-from'    => [qw(exp_from iat_from)],
    'no-to'      => [qw(exp_to iat_to)],
);

my %lists = map { $_ => list_of($rows{$_}) } keys %rows;

# the ends of the span that is asked for may be in the list or not

$lists{$_} = list_of($rows{$_}, exclusive => 1) for qw(many n101);

# an API that gives fewer rows than it is asked for

$lists{modest} = list_of($rows{modest}, most => 20);

# one that does not care what it is asked for

$lists{ignores} = { body => encoded($rows{ignores}) };
$lists{$_} = list_of($rows{spread}, ignored => $ignored{$_}) for keys %ignored;
$lists{$_} = { @none } for qw(former latter longer watched);
$lists{odd} = { @none };
$lists{'late-odd'} = { json => { limit => 100, tokens => [ 'no object' ] },
                       delay => 1.3 };
$lists{slow} = { @none, delay => 1.3 };

# every token is good, and has its name as its jti

my $good = sub { { token => { jti => $_[0]{token} } } };
my @fail = map { "fail-$_" } 1 .. 4;

my $mock = MockAPI->start(
    paths => {
        map({ ("POST /$_/v1/tokens/introspect" => $good) } keys %lists, @fail),
        map({ ("GET /$_/v1/tokens" => $lists{$_}) } keys %lists),
        map({ ("GET /$_/v1/tokens" => { hang => 1 }) } @fail),
    },
);

my $huge_port = huge_api();
my %nginx;


# which rows deny

for my $n (1, 99, 100, 101) {
    my $case = $n == 1 ? 'one' : "n$n";

    feed($case);
    said($case, 'healthy', 'not polled yet');

    my @res = many($case, map { "$case-$_" } 1 .. $n);

    is(scalar(grep { why($_) eq 'revoked/jti' } @res), $n,
       "each of $n rows denies its token");
    is(why(ask($case, "$case-0")), 'active/', 'and no other');
    is(status($case)->{denials}{live}, $n, 'and nothing else');

    if ($n == 1) {
        my @asked = $mock->requests(path => '/one/v1/tokens');
        my ($from) = map { $_->{args} =~ /exp_from=([^&]+)/ ? seconds($1)
                           : () } @asked;

        is(scalar(grep { $_->{args} !~ /^revoked=true&limit=100\b/ } @asked),
           0, 'revoked tokens are asked for');
        is(scalar(grep { $_->{head} !~ /\nAuthorization: Bearer edge-cred/ }
                  @asked), 0, 'in the name of the edge');
        cmp_ok($from, '<', $now - 3590 + time - $now,
               'even if its clock is an hour ahead of ours');
    }

    finished($case);
}

feed('mixed');
said('mixed', 'healthy', 'not polled yet');

my @res = many('mixed', map({ "mixed-$_" } 1 .. 120),
                        map({ "never-$_" } 1 .. 130));

is(scalar(grep { why($_) eq 'revoked/jti' } @res), 250,
   'rows deny in any order, twice, and without an end');
is(status('mixed')->{denials}{live}, 250, 'but not what has expired');
finished('mixed');

feed('modest');
said('modest', 'healthy', 'not polled yet');
is(status('modest')->{denials}{live}, 90,
   'an API may give fewer rows than it is asked for');
finished('modest');

feed('large');
said('large', 'healthy', 'not polled yet', 10);
is(status('large')->{denials}{live}, 10,
   'an answer that is too large is asked for in parts');
cmp_ok(status('large')->{feed}{calls}, '>=', 6, 'of which there are several');
finished('large');


# ten thousand

my ($worker) = feed('many')->workers;
my $peak = peak($worker);

said('many', 'healthy', 'not polled yet', 15);

my $feed = status('many')->{feed};

is(status('many')->{denials}{live}, 10000, 'each of 10,000 rows denies');
cmp_ok($feed->{calls}, '<', 2200, 'with few calls');
note(sprintf '10,000 rows: %d calls, %.1f s', $feed->{calls},
     $feed->{last_poll_ms} / 1000);

# at once, for where a poll takes long the next one follows it

my $until = time + 20 * $slow;
my $second;

do {
    sleep 0.05;
    $second = status('many')->{feed};
} while time < $until && $second->{polls} <= $feed->{polls};

cmp_ok($second->{calls} - $feed->{calls}, '<', 0.6 * $feed->{calls},
       'the next time, with fewer');

my @some = $ENV{AGILICUS_TEST_LONG} ? 1 .. 10000
           : map { 37 * $_ - 36 } 1 .. 270;

@res = many('many', map { "many-$_" } @some);
is(scalar(grep { why($_) eq 'revoked/jti' } @res), scalar @some,
   'the token that it names');

# a sanitizer keeps freed memory, 256 MB of it and its notes of each piece

cmp_ok(peak($worker) - $peak, '<', $slow > 1 ? 500 : 40,
       'and takes little memory');

finished('many');


# answers of the feed that cannot be complete

for my $case ([ 'same', 100, 150, 'more in a second than are given at once' ],
              [ 'undated', 101, 121, 'one of many that has no date' ],
              [ 'crowded', 30, 240, 'denials that have no room' ],
              [ 'ignores', 100, 100, 'an API that ignores what it is asked' ],
              [ 'huge', 0, 0, 'an API that sends 50 MB each time' ])
{
    my ($name, $least, $most, $what) = @$case;

    ($worker) = feed($name)->workers;
    $peak = peak($worker);

    said($name, 'incomplete', 'not polled yet', 20);

    my $live = status($name)->{denials}{live};

    cmp_ok($live, '>=', $least, "$what: what is known is denied");
    cmp_ok($live, '<=', $most, 'and that is not all');
    is(from($name, 'other'), 'MISS', 'others are good');
    sleep 0.55;
    is(from($name, 'other'), 'MISS', 'but not watched');
    cmp_ok(status($name)->{feed}{calls}, '<', 3000, 'it is not asked for ever');
    cmp_ok(peak($worker) - $peak, '<', 150 * $slow,
           'and takes no memory without end');

    if ($name eq 'crowded') {
        cmp_ok(status($name)->{denials}{lost}, '>', 0, 'it is counted');
    }

    if ($name eq 'same') {
        list($name, @none);
        said($name, 'healthy', 'incomplete');
        is(ask($name, 'same-1')->{status}, 401,
           'a row that is gone takes no denial with it');
        is(from($name, 'another'), 'MISS', 'a token');
        sleep 0.55;
        is(from($name, 'another'), 'HIT', 'is watched now');
    }

    finished($name);
}


# windows that the API does not look at

feed('spread');
said('spread', 'healthy', 'not polled yet');
list('spread', body => encoded([ @{ $rows{spread} }[ 0 .. 99 ] ]));
feed($_) for sort keys %ignored;

for my $name ('spread', sort keys %ignored) {
    said($name, 'incomplete', $name eq 'spread' ? 'healthy' : 'not polled yet');

    my $first = status($name)->{feed};
    my $began = time;

    sleep 3;

    my $then = status($name)->{feed};
    my $polls = $then->{polls} - $first->{polls};
    my @lines = $nginx{$name}->error_log
                =~ /\[error\].* rows outside of the window .*Tokens API/g;

    is(scalar @lines, 1, "$name: one line says that windows are ignored");
    cmp_ok($polls, '<=', time - $began + 1, 'polls are no faster than that');
    cmp_ok($polls, '>=', 1, 'but go on');
    cmp_ok($then->{calls} - $first->{calls}, '<=', 70 * $polls,
           'of some calls each');
    like($then->{state}, qr/^(?:incomplete|late)\z/,
         'and the feed is not healthy');
    cmp_ok(status($name)->{denials}{live}, '>=', 100,
           'though what it tells denies');
    is(why(ask($name, 'spread-7')), 'revoked/jti', 'a token');
}

list('no-windows', @none);
said('no-windows', 'healthy', 'incomplete');
$nginx{'no-windows'}->mark;
list('no-windows', body => encoded([ @{ $rows{spread} }[ 0 .. 99 ] ]));
said('no-windows', 'incomplete', 'healthy');
ok($nginx{'no-windows'}->wait_log(qr/rows outside of the window/, 5 * $slow),
   'it is said anew after a poll that was complete');

finished($_) for 'spread', sort keys %ignored;


# rows that cannot be read: the others deny, and they are not all

# a poll that is not complete, and takes longer than the interval

feed('late-odd');
said('late-odd', 'incomplete', 'not polled yet');

my $late = status('late-odd')->{feed}{polls};
my $since = time;

sleep 8;
$late = status('late-odd')->{feed}{polls} - $late;

cmp_ok($late, '>=', 1, 'is made again');
cmp_ok($late, '<=', (time - $since) / 2.3 + 1, 'but not at once');
finished('late-odd');


my @odd = (
    [ undef, 'it is no object' ],
    [ 'odd-x', 'it is no object' ],
    [ [ 'odd-x' ], 'it is no object' ],
    [ { sub => 'x', exp => $hour }, 'it has no "jti"' ],
    [ { jti => undef }, 'it has no "jti"' ],
    [ { jti => '' }, 'its "jti" is none' ],
    [ { jti => 7 }, 'its "jti" is none' ],
    [ { jti => [ 'odd-x' ] }, 'its "jti" is none' ],
    [ { jti => 'x' x 70_000 }, 'its "jti" is none' ],
    [ { jti => 'odd-x', exp => '' }, 'its "exp" is no date' ],
    [ { jti => 'odd-x', exp => JSON::PP::true }, 'its "exp" is no date' ],
    [ { jti => 'odd-x', exp => "soon\n[alert] x" }, 'its "exp" is no date' ],
    [ { jti => 'odd-x', exp => $hour, iat => 'soon' }, 'its "iat" is no date' ],
    [ { jti => 'odd-x', iat => {} }, 'its "iat" is no date' ],
);

feed('odd');
said('odd', 'healthy', 'not polled yet');

for my $i (0 .. $#odd) {
    my ($row, $wrong) = @{ $odd[$i] };

    $nginx{odd}->mark;
    list('odd', json => { limit => 100, tokens => [
         { jti => "odd-$i-before", exp => $hour },
         { jti => "odd-$i-good", exp => $hour, revoked => JSON::PP::false },
         $row, { jti => "odd-$i-after", iat => $now } ] });

    ok($nginx{odd}->wait_log(
           qr/\[error\].* row 3 of the list .*: \Q$wrong\E.*, Tokens API/,
           5 * $slow), "row $i: the log says what is wrong: $wrong");

    my $end = time + 5 * $slow;
    my @whys;

    do {
        sleep 0.02;
        @whys = map { why($_) } many('odd', map { "odd-$i-$_" }
                                            qw(before after));
    } while (time < $end && grep { $_ ne 'revoked/jti' } @whys);

    is("@whys", 'revoked/jti revoked/jti', "row $i: the others deny");
    is(why(ask('odd', "odd-$i-good")), 'active/',
       'but for one that is not revoked');
    is(why(ask('odd', 'odd-x')), 'active/', 'and it denies nothing');

    if ($i == 0) {
        said('odd', 'incomplete', 'healthy');
        is(from('odd', 'other'), 'MISS', 'a token');
        sleep 0.55;
        is(from('odd', 'other'), 'MISS', 'is not watched');
        cmp_ok(status('odd')->{feed}{failed}, '<=', 1,
               'though the polls do not fail');
    }
}

list('odd', @none);
said('odd', 'healthy', 'incomplete');
unlike($nginx{odd}->error_log, qr/soon|xxxx|odd-\d/, 'no value is in the log');
finished('odd');


# polls that fail: four servers try all that can go wrong

feed($_) for @fail;

is(from($_, 'other'), 'MISS', "$_: a token") for @fail;
sleep 0.55;
is(from($_, 'other'), 'MISS', 'is not watched by a feed that never told')
    for @fail;

list($_, @none) for @fail;

for my $name (@fail) {
    said($name, 'healthy', 'not polled yet', 8);
    is(from($name, 'another'), 'MISS', 'a token');
}

sleep 0.55;
is(from($_, 'another'), 'HIT', 'is watched by one that does') for @fail;

my @left = sort keys %failures;

while (@left) {
    my %turn = map { @left ? ($_ => shift @left) : () } @fail;
    my %before;

    for my $name (sort keys %turn) {
        $before{$name} = status($name)->{feed};
        $nginx{$name}->mark;
        $mock->script(paths => { "GET /$name/v1/tokens"
                                 => $failures{ $turn{$name} } });
    }

    for my $name (sort keys %turn) {
        my $end = time + 5 * $slow;
        my $was = $before{$name};
        my $is;

        do {
            sleep 0.02;
            $is = status($name)->{feed};
        } while (time < $end && $is->{failed} < $was->{failed} + 1);

        cmp_ok($is->{failed}, '>', $was->{failed},
               "$turn{$name}: the poll has failed");
        cmp_ok($is->{polls} - $was->{polls}, '<=',
               $is->{failed} - $was->{failed} + 1, 'and does not count');
        unlike($nginx{$name}->error_log, qr/list failed.*fingerprint/,
               "$name: no token is spoken of");
        ok($nginx{$name}->wait_log(qr/\[error\].*list failed/),
           'it is told why');

        if ($turn{$name} eq 'refused') {
            like($nginx{$name}->new_log,
                 qr/refused the edge itself with status 401/,
                 'and what is to be mended');
        }
    }
}

for my $name (@fail) {
    said($name, 'late', 'healthy', 8);
    is(from($name, 'another'), 'MISS', 'what is known is as old as it is');
    list($name, @none);
}

for my $name (@fail) {
    said($name, 'healthy', 'late');
    is(scalar(my @lines = $nginx{$name}->log_lines(qr/revocation feed is/)), 4,
       'each change is told once');
    finished($name);
}


# how soon it is known

feed('watched',
    workers   => 4,
    log_level => 'debug',
    events    => 'accept_mutex off;',
    config    => <<'EOC',
        location = /pid { return 200 "$pid"; }
        location = /long { limit_rate 1k; limit_rate_after 1; }
EOC
);

feed('slow');

said('watched', 'healthy', 'not polled yet');

my $server = $nginx{watched};

$server->write_file('html/long', 'x' x 60_000);

my %c = connections();
my @took;

for my $i (1 .. 5) {
    my $token = "soon-$i";

    over($_, $token) for values %c;
    sleep 0.17 * $i;
    list('watched', json => { limit => 100, tokens => [
        map { { jti => "soon-$_", exp => $hour } } 1 .. $i ] });

    my $begun = time;
    my $end = $begun + 5 * $slow;

    sleep 0.005 while time < $end
                      && grep { over($_, $token)->{status} != 401 } values %c;

    push @took, time - $begun;
}

@took = sort { $a <=> $b } @took;

cmp_ok($took[4], '<', 2 + $slow, 'a revocation is known within the interval '
                                 . 'and a second, by all workers');
note(sprintf 'revoked elsewhere, interval 1 s: %.2f s at most', $took[4]);

is($mock->calls(path => '/watched/v1/tokens/introspect',
                token => "soon-$_"), 1, 'the API is not asked for it') for 1, 5;


# also while a poll takes longer than the interval

said('slow', 'healthy', 'not polled yet');

my $calls = $mock->calls(path => '/slow/v1/tokens');

ask('slow', 'meanwhile');
ok($mock->wait_calls($calls + 1, path => '/slow/v1/tokens'), 'a slow poll');
sleep 0.1;
list('slow', delay => 1.3,
     json => { limit => 100, tokens => [ { jti => 'meanwhile',
                                           exp => $hour } ] });

my $begun = time;

$until = $begun + 6 * $slow;
sleep 0.01 while time < $until && ask('slow', 'meanwhile')->{status} != 401;

cmp_ok(time - $begun, '<', 1 + 1.3 + $slow,
       'what is revoked after it began is found by the next');

my @times = map { $_->{time} } $mock->requests(path => '/slow/v1/tokens');
my @starts = @times[ grep { $_ % 2 == 0 } 0 .. $#times ];
my ($gap) = sort { $a <=> $b } map { $starts[$_] - $starts[$_ - 1] }
                               1 .. $#starts;

cmp_ok($gap, '>', 1.25, 'polls do not overlap');
cmp_ok($gap, '<', 1.3 + 0.4 * $slow, 'nor is there a pause then');
is(scalar($nginx{slow}->log_lines(qr/feed is late/)), 0, 'it is not late');
finished('slow');


# one worker polls

my ($poller) = pollers(1.7);

ok(defined $poller && kill(0, $poller), 'a worker polls');

my $polls = status('watched')->{feed}{polls};

$begun = time;
$server->kill_worker($poller);

my ($next) = pollers(2);

isnt($next, $poller, 'when it dies another does');
cmp_ok(status('watched')->{feed}{polls}, '>', $polls, 'soon');

kill 'STOP', $next;

my ($third) = pollers(4.7);

isnt($third, $next, 'when it freezes another does, too');
kill 'CONT', $next;
sleep 0.6;
is(join(' ', pollers(1.7)), $third,
   'the one that was frozen leaves it at that');


# a new configuration, while a client is served under the old one

my $c = $server->connect;

$c->send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
$c->read_some(1);

my %old = map { $_ => 1 } $server->workers;

$server->reload;
sleep 0.6;

$polls = $mock->calls(path => '/watched/v1/tokens');

my @now = pollers(2.7);

is(scalar @now, 1, 'after a reload one polls');
is(scalar(grep { $old{$_} } @now), 0, 'a new one');
cmp_ok($mock->calls(path => '/watched/v1/tokens') - $polls, '<=', 8,
       'as often as before');
is(ask('watched', 'soon-3')->{status}, 401, 'a denied token is');
$c->close;

finished('watched', allow => [ qr/exited on signal 9/ ]);


# a worker of the old configuration stops polling when a new configuration has
# come, even if no other worker polls and the master has not told it to quit

$server = feed('former');
said('former', 'healthy', 'not polled yet');

%old = map { $_ => 1 } $server->workers;

$server->configure(http => $server->{http} =~ s{/former}{/latter}r);
$server->mark;
$server->signal('HUP');

$until = time + 10 * $slow;

my @new;

until (@new || time > $until) {
    sleep 0.001;
    @new = grep { !$old{$_} } map { $_->{pid} } $server->children;
}

kill 'STOP', $server->pid, @new;
$polls = $mock->calls(path => '/former/v1/tokens');
sleep 4.5;

is(scalar(() = $server->new_log =~ /gracefully shutting down/g), 0,
   'a worker serves on under the configuration before');
cmp_ok($mock->calls(path => '/former/v1/tokens') - $polls, '<=', 1,
       'and does not poll the API of the one before');

kill 'CONT', @new, $server->pid;

ok($server->wait_log(qr/gracefully shutting down/), 'then it quits');
ok($server->wait_log(qr/is healthy, was not polled yet.+latter"/),
   'and another polls');
finished('former');


# a reload does not let a poll count for longer than its denials last

$server = feed('longer');
said('longer', 'healthy', 'not polled yet');
list('longer', status => 503);
$server->reload(http => "$server->{http} agilicus_token_revocation_ttl 2d;");
isnt(status('longer')->{feed}{state}, 'healthy',
     'denials are to last longer: a poll before that does not count');
list('longer', @none);

$until = time + 10 * $slow;
sleep 0.05 until status('longer')->{feed}{state} eq 'healthy' || time > $until;
is(status('longer')->{feed}{state}, 'healthy', 'the next one does');
finished('longer');

done_testing();


sub rows {
    my ($name, $n) = @_;

    return map { { jti => "$name-$_", exp => $hour + $_, iat => $now - $_,
                   sub => 'user-1', session => 'session-1' } } 1 .. $n;
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


sub row_json {
    my ($row) = @_;

    return $json->encode({ %$row, map { defined $row->{$_}
                                        ? ($_ => date($row->{$_})) : () }
                                  qw(exp iat) });
}


sub encoded {
    my ($rows) = @_;

    return '{"limit":100,"tokens":[' . join(',', map { row_json($_) } @$rows)
           . ']}';
}


# An API that has these rows: what of them a query asks for, no more than its
# limit, in the order in which they are given

sub list_of {
    my ($rows, %opt) = @_;

    my @rows = map { [ $_->{exp}, $_->{iat}, row_json($_) ] } @$rows;
    my $less = $opt{exclusive} ? 1 : 0;

    return sub {
        my ($request) = @_;

        my %args = map { /^(\w+)=(.*)/ ? ($1 => $2) : () }
                   split /&/, $request->{args};
        delete @args{ @{ $opt{ignored} || [] } };

        my ($exp_from, $exp_to, $iat_from, $iat_to) =
            map { defined $args{$_} ? seconds($args{$_}) : undef }
            qw(exp_from exp_to iat_from iat_to);
        my $most = $opt{most} || $args{limit};
        my @found;

        $_ += $less for grep { defined } $exp_from, $iat_from;
        $_ -= $less for grep { defined } $exp_to, $iat_to;

        for my $row (@rows) {
            next if defined $exp_from
                    && (!defined $row->[0] || $row->[0] < $exp_from)
                 || defined $exp_to
                    && (!defined $row->[0] || $row->[0] > $exp_to)
                 || defined $iat_from && $row->[1] < $iat_from
                 || defined $iat_to && $row->[1] > $iat_to;

            push @found, $row->[2];
            last if @found == $most;
        }

        return { body => "{\"limit\":$most,\"tokens\":["
                         . join(',', @found) . ']}' };
    };
}


sub feed {
    my ($case, %opt) = @_;

    my $port = $case eq 'huge' ? $huge_port : $mock->port;
    my $zone = $case eq 'crowded' ? 'agilicus_token_denials 32k;' : '';
    my $config = delete $opt{config} || '';

    my $new = NginxProcess->new(
        log_level => 'info',
        http => <<"EOC",
            access_log off;
            keepalive_requests 100000;
            $zone
            agilicus_token_api http://127.0.0.1:$port/$case;
            agilicus_token_api_credential $dir/credential;
            agilicus_token_api_timeout 2s;
            agilicus_token_api_breaker off;
            agilicus_token_api_rate off;
            agilicus_token_revocation_feed interval=1s;
            agilicus_token_cache_valid active=500ms watched=1h;
            agilicus_token_cache_stale update=0s;
            add_header X-Why
                       "\$agilicus_token_verdict/\$agilicus_token_reason"
                       always;
            add_header X-Cache \$agilicus_token_cache always;
EOC
        config => $config . <<'EOC',
            location = /page { agilicus_token on; }
            location = /status { agilicus_token_status trusted; }
EOC
        %opt,
    );

    $new->write_file('html/page', "page\n");

    return $nginx{$case} = $new->start;
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

    $mock->script(paths => { "GET /$case/v1/tokens" => \%answer });
}


sub request {
    my ($token) = @_;

    return { path => '/page', headers => { Authorization => "Bearer $token" } };
}


sub many {
    my ($case, @tokens) = @_;

    return $nginx{$case}->http->many([ map { request($_) } @tokens ],
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


# An API that knows every token, and lists 50 MB of them whatever it is asked.
# It ends with us.

sub huge_api {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                         LocalPort => TestPorts::free_port(),
                                         ReuseAddr => 1, Listen => 128)
        or die "listen: $!\n";
    my $parent = $$;
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if ($pid) {
        NginxControl::guard($pid);
        return $listener->sockport;
    }

    open STDOUT, '>', '/dev/null';
    $SIG{CHLD} = 'IGNORE';

    my $much = ' ' x 1_048_576;
    my $token = MockAPI::token_json();

    while (getppid() == $parent) {
        next if !IO::Select->new($listener)->can_read(0.5);

        my $sock = $listener->accept or next;

        next if fork;

        while (sysread $sock, my $in, 65536) {
            next if $in !~ /^(?:GET|POST)/;
            sysread $sock, my $body, 65536 if $in !~ /\}$/ && $in !~ /^GET/;

            my $post = $in =~ /^POST/;
            my $size = $post ? length $token : 50 * length $much;

            syswrite $sock, "HTTP/1.1 200 OK\r\n"
                            . "Content-Type: application/json\r\n"
                            . "Content-Length: $size\r\n\r\n"
                            . ($post ? $token : '');

            next if $post;

            for (1 .. 50) {
                syswrite $sock, $much or POSIX::_exit(0);
            }
        }

        POSIX::_exit(0);
    }

    POSIX::_exit(0);
}


# megabytes

sub peak {
    my ($pid) = @_;

    my ($kb) = NginxControl::slurp("/proc/$pid/status") =~ /VmHWM:\s+(\d+)/;

    return $kb / 1024;
}


# the workers that poll in the next seconds

sub pollers {
    my ($seconds) = @_;

    $server->mark;
    sleep $seconds;

    my %pids = map { $_ => 1 }
               $server->new_log =~ /\[debug\] (\d+)#\d+: .*feed polled/g;

    return sort keys %pids;
}


# a connection to each worker

sub connections {
    my %found;

    for (1 .. 1000) {
        my $one = $server->connect or next;
        my $pid = $one->request(GET => '/pid')->{body};

        $found{$pid} ||= $one;

        last if keys %found == 4;
    }

    return %found;
}


sub over {
    my ($connection, $token) = @_;

    return $connection->request(GET => '/page',
        headers => { Authorization => "Bearer $token" });
}
