use strict;
use warnings;

# An answer may say of itself that the token is good for nothing, in a member of
# the Token or of its user: at once, or from a time on that is ahead.

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();
my $json = JSON::PP->new->canonical->allow_nonref;

# "<user_><member>.<value>.<n>", or "end-..." with a time that is ahead

my @values = ('true', 'false', 'null', '"2026-01-01T00:00:00Z"', '"soon"');
my ($true, $false, $null, $past, $odd) = 0 .. $#values;


sub answer {
    my ($token) = $_[0]{token};

    if ($token =~ /^end-(user_)?(\w+)-(\d+)/) {
        my %member = ($2 => time + $3);

        return { token => $1 ? { user => \%member } : \%member };
    }

    my ($user, $member, $value) = $token =~ /^(user_)?(\w+)\.(\d)\./
        or return {};

    my %member = ($member => $json->decode($values[$value]));

    # the mock leaves out undefined values: null has to be written

    return { body => $json->encode({ sub => 'x', %member }) } if !$user;
    return { token => { user => { id => 'u', %member } } };
}


my $mock = MockAPI->start(
    default => \&answer,
    paths   => { '/slow' => { chunked => 1, chunks => [
                     map { ("x\n", { pause => 0.2 }) } 1 .. 60 ] } },
);

my $nginx = NginxProcess->new(
    log_level => 'info',
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_breaker off;
        agilicus_token_cache_valid active=60s invalid=60s;
        agilicus_token_recheck 1s;
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
                   always;
        add_header X-Detail $agilicus_token_detail always;
EOC
    config => <<'EOC',
        location / { agilicus_token on; try_files /page =404; }
        location /lenient {
            agilicus_token on;
            agilicus_token_leeway 300s;
            try_files /page =404;
        }
        location /stale {
            agilicus_token on;
            agilicus_token_cache_stale error=300s;
            try_files /page =404;
        }
        location = /slow {
            agilicus_token on;
            proxy_buffering off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        }
EOC
);

$nginx->write_file('html/page', 'page');
$nginx->start;


my $detail;


sub why {
    my ($path, $token) = @_;

    my $res = $nginx->get($path,
                          headers => { Authorization => "Bearer $token" });

    $detail = HttpClient::header($res, 'X-Detail') || '';

    return "$res->{status} " . HttpClient::header($res, 'X-Why');
}


my ($yes, $no) = ('200 active/', '401 invalid/says_no');
my @named;

for my $user ('', 'user_') {
    for my $row (
        [ 'active',    $true => $yes, $false => $no, $null => $no,
                       $past => $no ],
        [ 'enabled',   $true => $yes, $false => $no, $null => $no ],
        [ 'valid',     $true => $yes, $false => $no, $odd => $no ],
        [ 'revoked',   $true => $no, $false => $yes, $null => $yes,
                       $past => $no ],
        [ map { ($_ => $true => $no) } 'disabled' ],
        [ 'expired',   $odd => $no, $false => $yes ],
        [ 'deleted',   $true => $no ],
        [ 'suspended', $true => $no ],
        [ 'blocked',   $true => $no ],
        [ 'locked',    $true => $no ],
        [ 'inactive',  $true => $no, $false => $yes ],
        [ 'invalid',   $true => $no, $false => $yes ],
        [ 'revoked_at',       $past => $no, $null => $yes, $odd => $no ],
        [ 'disabled_at_time', $past => $no, $null => $yes, $odd => $no ],
        [ 'status',      $odd => $no, $null => $yes, $true => $no ],
        [ 'oper_status', $odd => $no, $null => $yes ],
        [ 'state',       $odd => $yes, $false => $yes ],
        [ 'revoked_by',  $odd => $yes ],
    ) {
        my ($member, %wanted) = @$row;

        for my $value (sort keys %wanted) {
            my $token = "$user$member.$value.";

            is(why('/', $token), $wanted{$value},
               "$user$member: $values[$value]");

            next if $wanted{$value} ne $no;

            my $name = $user ? "user.$member" : $member;

            push @named, $name;
            is($detail, "introspect: the member '$name' says no",
               '... by its name');
        }
    }
}

my $log = $nginx->error_log;

my %named = map { $_ => 1 } @named;
my @logged = $log =~ /\[error\].*the member "([^"]*)" of an answer says no, /g;

cmp_ok(scalar @logged, '>', 0, 'the log names a member that says no');
is_deeply([ grep { !$named{$_} } @logged ], [], '... and none that does not');

unlike($log, qr/agilicus.*(?:"soon"|2026-01-01T)/, 'and no value of it');

is(why('/', "revoked.$true."), $no, 'it is refused again');
is($mock->calls(token => "revoked.$true."), 1, 'from what is remembered');


# a time that is ahead

my @ends = qw(end-disabled_at_time-3 end-user_disabled_at_time-3
              end-user_suspended_at-3);
my $begun = time;

is(why('/', $_), $yes, "$_: good until then") for @ends;
is(why('/lenient', 'end-revoked_at-3'), $yes, 'with a leeway, too');
is(why('/stale', 'end-locked_at-3'), $yes, 'and where old facts may serve');
is(why('/', 'end-deleted_at_time-600'), $yes, 'far ahead');

my $c = $nginx->connect;

$c->send("GET /slow HTTP/1.1\r\nHost: a\r\n"
         . "Authorization: Bearer end-user_blocked_at-3\r\n\r\n");
like($c->read_some(3 * $slow), qr{^HTTP/1.1 200 }, 'a response begins');

SKIP: {
    skip 'too slow to look before', 2 if time - $begun > 2;

    is(why('/', $ends[0]), $yes, 'known as well');
    is($mock->calls(token => $ends[0]), 1, 'without another call');
}

my $cut = time;

while (time - $cut < 8 && !$c->closed(0)) {
    $c->read_some(0.05);
}

cmp_ok(time - $begun, '<', 3 + 1.2 + 0.5 * $slow,
       'a response that runs on is cut then');
cmp_ok(time - $begun, '>', 2, 'and not before');
like($nginx->error_log, qr/response cut: invalid, says_no/, 'which is told');

sleep 4.2 - (time - $begun) if time - $begun < 4.2;

# the mock sets a new end in each answer: here the end known before has come

is($mock->calls(token => $ends[1]), 1, 'the API was asked once');
is(why('/', $ends[1]), $yes, 'is asked again when the time has come');
is($mock->calls(token => $ends[1]), 2, 'and says that it is good again');

$mock->script(default => { token => { revoked => JSON::PP::true } });

is(why('/', $_), $no, "$_: refused") for @ends[0, 2];
is(why('/lenient', 'end-revoked_at-3'), $no, 'no leeway is given');

$mock->script(default => 503);
is(why('/stale', 'end-locked_at-3'), '503 unavailable/status',
   'what has ended does not serve because the API fails');
is(why('/', 'end-deleted_at_time-600'), $yes, 'what has not is good');

$nginx->finish('the log of it all');

done_testing();
