use strict;
use warnings;

# What rules may cost: patterns made to be slow, many rules, and more of them
# than the zone can hold.  Times are the least of several, so that what else
# runs on the machine does not count.

use List::Util qw(min);
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();

sub with {
    my (@rules) = @_;

    return { token => { hosts => [ { upstream_host => 'localhost',
                                     allowed_list => \@rules } ] } };
}

sub path { return { methods => [ 'get' ], paths => [ @_ ] } }

my $length = 4000;
my %hostile = (
    'nested-quantifiers'   => '/(a+)+$',
    'nested-stars'         => '/(a*)*b',
    'alternatives'         => '/(a|aa)+$',
    'optional'             => '/' . 'a?' x 30 . 'a' x 30 . 'b',
    'several-runs'         => '/(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)[^a!]',
    'back-reference'       => '/(a*)*\1b',
    'look-behind'          => '/.*(?<=b)c',
    'repeats-of-repeats'   => '/((a{1,50}){1,50}){1,50}b',
    'great-repeat'         => '/(?:a{1,60000}){1,60000}b',
    'recursion'            => '/((?:a(?1)?)+)+b',
    'deep-parentheses'     => '/' . '(' x 500 . 'a' . ')' x 500 . '+b',
    'atomic-group'         => '/(?>a+)+(?>a+)+b',
    'unicode-classes'      => '/(\p{L}+)+\P{L}',
    'long-pattern'         => '/' . '(a|b)*' x 5000 . 'c',
);

my $big = 'p' x 100;
my $mock = MockAPI->start(
    tokens => {
        plain => with(path('/t')),
        (map { ("hostile-$_" => with(path($hostile{$_}))) } keys %hostile),
        (map { ("beside-$_" => with(path($hostile{$_}), path('/t'),
                                    path('/a+'))) } keys %hostile),
        'hostile-all' => with(map { path($hostile{$_}) } sort keys %hostile),
        literals => with(map({ path("/l/$_") } 1 .. 999), path('/t')),
        prefixes => with(map({ path("/l/$_/.*") } 1 .. 999), path('/t')),
        patterns => with(map({ path("/l/[0-9]+/$_") } 1 .. 900), path('/t')),
        queries  => with(map({ { methods => [ 'get' ], paths => [ '/t' ],
                                 separate_query => \1, query_parameters => [
                                     { name => 'x', exact_match => "$_" } ] }
                             } 1 .. 1000)),
        large    => with(map({ path("/$big/$_") } 1 .. 1000),
                         path('/t', '/small/t')),
        larger   => with(map({ path("/$big/$_") } 1 .. 3000), path('/t')),
        one      => with(path('/one')),
        other    => with(path('/other')),
        map({ ("between-$_" => with(path('/t'))) } 1 .. 1023),
    },
);

my $location = <<'EOC';
            agilicus_token on;
            agilicus_token_rules on;
            add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason/$agilicus_token_cache" always;
EOC

my $nginx = NginxProcess->new(
    log_level => 'notice',
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_zone small:32k;
        agilicus_token_zone agilicus:10m;
EOC
    config => <<"EOC",
        location /small/ {
$location
            agilicus_token_cache small;
            try_files /page =404;
        }
        location / {
$location
            try_files /page =404;
        }
        location /search/ {
            agilicus_token on;
            agilicus_token_rules on match=search;
            add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason/\$agilicus_token_cache" always;
            try_files /page =404;
        }
EOC
);

$nginx->write_file('html/page', 'page');
$nginx->start;

my $c = $nginx->connect;
my $why;

sub ask {
    my ($token, $path) = @_;

    my $res = $c->request(GET => defined $path ? $path : '/t',
                          headers => { Authorization => "Bearer $token" });

    $why = HttpClient::header($res, 'X-Why');
    $why = '' if !defined $why;

    return $res->{status};
}


# the least of several times, once everything is known

sub least {
    my ($token, $path, $times) = @_;

    my @times;

    ask($token, $path);

    for (1 .. $times || 20) {
        my $begun = time;

        ask($token, $path);
        push @times, time - $begun;
    }

    return min(@times);
}


my $base = least('plain');

diag(sprintf 'a plain request: %.2f ms', 1000 * $base) if $ENV{TEST_VERBOSE};

# 10 ms of matching at most; the bound leaves room for a busy machine

for my $name (sort keys %hostile) {
    for my $where ('', '/search') {
        my $path = "$where/" . 'a' x $length . '!';
        my $begun = time;
        my $status = ask("hostile-$name", $path);
        my $first = time - $begun;

        is("$status $why", '403 forbidden/path/' . ($where ? 'HIT' : 'MISS'),
           "$name: refused" . ($where ? ' where it may match anywhere' : ''));
        cmp_ok($first, '<', 0.25 * $slow, 'soon, when it comes first');
        cmp_ok(least("hostile-$name", $path, 5), '<', $base + 0.03 * $slow,
               'and within 10 ms when it comes again');
    }
}

cmp_ok(least('hostile-all', '/' . 'a' x $length . '!', 5), '<',
       $base + 0.03 * $slow, 'all of them together take no longer');
is($why, 'forbidden/path/HIT', 'and are refused');

for my $name (sort keys %hostile) {
    is(ask("beside-$name", '/t'), 200, "$name: harms no rule beside it");
}


# a thousand rules take less than a millisecond; with it as bound, this would
# fail on a machine that is busy or slow

for my $case ([ literals => '/t', '/u' ], [ prefixes => '/t', '/l/x' ],
              [ patterns => '/t', '/l/17/x' ], [ queries => '/t?x=1000', '/t?x=0' ])
{
    my ($name, $good, $bad) = @$case;

    is(ask($name, $good), 200, "many $name: the last rule is found");
    is(ask($name, $bad), 403, 'and nothing else is');

    for my $path ($good, $bad) {
        my $least = least($name, $path, 30);

        cmp_ok($least, '<', $base + 0.004 * $slow, sprintf
               'a thousand of them in time: %.2f ms more',
               1000 * ($least - $base));
        like($why, qr/HIT$/, 'from the zone');
    }
}


# more than fits: asked for again each time, and never cut

for (1 .. 3) {
    is(ask('large', '/small/t') . " $why", '200 active//MISS',
       'rules that do not fit the zone are asked for again');
    is(ask('large', '/small/u') . " $why", '403 forbidden/path/MISS',
       'and are all there');
}

is(ask('large', '/t') . " $why", '200 active//MISS', 'a larger zone has room');
is(ask('large', '/t') . " $why", '200 active//HIT', 'for them');
is(ask('large', "/$big/1000") . " $why", '200 active//HIT', 'for all of them');
is(ask('large', "/$big/1001") . " $why", '403 forbidden/path/HIT',
   'and for no other');

like(ask('larger', '/t') . " $why", qr{^503 unavailable/answer/},
     'an answer that is too large is none');


# a worker has room for the rules of 1024 tokens, and then one takes the place
# of another

is(ask('one', '/one') . " $why", '200 active//MISS', 'a token of many');
is(ask('one', '/one') . " $why", '200 active//HIT', 'which is known');

$c = $nginx->connect;

is(scalar(grep { $_ == 500 and $c = $nginx->connect;
                 ask("between-$_") != 200 } 1 .. 1023), 0,
   "and so are a thousand others");

is(ask('other', '/other') . " $why", '200 active//MISS', 'and one more');
is(ask('other', '/other') . " $why", '200 active//HIT', 'has its own rules');
is(ask('other', '/one') . " $why", '403 forbidden/path/HIT',
   'and not those of the one whose place it has');
is(ask('one', '/one') . " $why", '200 active//HIT', 'which has its own again');
is(ask('one', '/other') . " $why", '403 forbidden/path/HIT', 'and no others');


$c->close;
$nginx->finish;

done_testing();
