use strict;
use warnings;

# $agilicus_token_detail says what exactly was missing, for each reason of the
# table that has a detail, and the info line has the same text.  It has no
# token, nothing of an API's body but claims, and no byte that could end a line
# or a field of a log.

use Cwd ();
use File::Basename ();
use File::Temp ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestCA;
use TestJWT;
use TestPorts;

my $slow = NginxControl::slow();
my $begun = int time;
my $closed = TestPorts::free_port();
my $key = TestJWT->new;

$ENV{TEST_NGINX_CLOSED_PORT} = $closed;


sub rule { return { methods => [ 'get' ], paths => [ '/rules/a' ], @_ } }

sub ruled {
    my ($host, @rules) = @_;

    return { token => { hosts => [ { upstream_host => $host,
                                     allowed_list => \@rules } ] } };
}


my $given = 0;

# Every token has "secret-" in it, and every body of the API "canary"

my $mock = MockAPI->start(
    default => sub {
        my $org = $_[0]{token} =~ /child/ ? 'acme' : 'north';

        return { token => { scopes => [ 'read' ], sub => 'u', org => $org,
                            note => 'canary' } };
    },
    tokens => {
        'secret-unknown' => 404,
        'secret-gone'    => { status => 410, json => { a => 'canary' } },
        'secret-no'      => { token => { user => { locked => \1,
                                                   email => 'canary' } } },
        'secret-refresh' => { token => { refresh_token_jti => 'canary' } },
        'secret-bound'   => { token => { cnf => { jkt => 'canary' } } },
        'secret-ahead'   => { token => { nbf => $begun + 5000 } },
        'secret-date'    => { token => { exp => 'canary' } },
        'secret-old'     => { token => { exp => $begun - 100 } },
        'secret-endless' => { token => { exp => undef } },
        'secret-user' => { token => {
            aud => [ 'app' ], org => 'north', scopes => [ 'read' ],
            roles => { meters => [ 'reader' ] }, sub => 'u',
            masquerading => \1, last_mfa_time => $begun - 1000,
            resource_permissions => [ {
                user_id => 'u', org_id => 'north', resource_type => 'share',
                resource_id => 'plans', resource_role_name => 'viewer' } ],
        } },
        'secret-odd' => { token => { scopes => [ "a\nb", "c'd\"e\\f",
                                                 "\x{1b}[31m",
                                                 'g, client: 1' ] } },
        (map { ("secret-$_" => { token => { jti => "j-$_", sub => "u-$_",
                                            session => "s-$_" } }) }
             qw(jti session subject out)),
        'secret-host'    => ruled('other.example', rule()),
        'secret-rules'   => ruled('localhost', rule(),
                                  rule(paths => [ '/rules/b' ])),
        'secret-query'   => ruled('localhost', rule(
            separate_query => \1,
            query_parameters => [ { name => 'q', exact_match => '1' } ])),
        'secret-body'    => ruled('localhost', rule(
            methods => [ 'post' ],
            body => { json => [ { name => 'n', pointer => '/n',
                                  exact_match => '1' } ] })),
        'secret-matcher' => ruled('localhost', {
            methods => [ 'get' ],
            template_paths => [ { template => '/rules/{x}', prefix => \0 } ],
            matchers => { matchers => [ {
                extractor_name => 'x', inverted => \0, criteria => [
                    { operator => 'in', match_literal => [ 'z' ] } ] } ] } }),
        'secret-hang'    => { hang => 1 },
        'secret-drop'    => { reset => 1 },
        'secret-500'     => { status => 500, body => 'canary' },
        'secret-429'     => { status => 429, body => 'canary' },
        'secret-401'     => { status => 401, body => 'canary' },
        'secret-broken'  => { body => '{"canary"' },
        'secret-typed'   => { body => 'canary', type => 'text/html' },
        'secret-page'    => { status => 404, body => 'canary',
                              type => 'text/html' },
    },
    paths => {
        'POST /v1/tokens/reissue' => sub {
            return { status => 404, json => { a => 'canary' } }
                if $_[0]{body} !~ /secret-room/;
            return { status => 200,
                     json => { token => 'secret-child-' . ++$given } };
        },
        'POST /v1/tokens/validations' => { status => 403,
                                           json => { a => 'canary' } },
    },
);

my $hole = MockAPI->start(name => 'HOLE', default => { hang => 1 });
my $tls = MockAPI->start(name => 'TLS', default => {},
                         tls => TestCA->new->cert('untrusted'));

my $http = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_rate off;
    agilicus_token_api_breaker off;
    agilicus_token_api_timeout 2s;
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
    add_header X-Detail $agilicus_token_detail always;
    map $agilicus_token_detail $loop {
        volatile;
        default a$agilicus_token_detail.example;
    }
    log_format detail '$agilicus_token_detail|';
    access_log logs/detail.log detail;
EOC

my $long = 'x' x 64;

my $nginx = NginxProcess->new(
    log_level => 'info',
    http      => $http,
    config    => <<"EOC" . <<'EOC',
        location = /resolve {
            agilicus_token on;
            agilicus_token_api https://$long.invalid;
        }
EOC
        location = /page { agilicus_token on; try_files /page =404; }
        location = /report { agilicus_token report; try_files /page =404; }
        location = /places {
            agilicus_token on;
            agilicus_token_source header cookie=sid query=t;
        }
        location = /small { agilicus_token on; agilicus_token_max_size 10; }
        location = /expiry {
            agilicus_token on;
            agilicus_token_require_expiry on;
        }
        location = /scope {
            agilicus_token on;
            agilicus_token_require_scopes read;
            agilicus_token_require_scopes read write admin;
        }
        location = /any {
            agilicus_token on;
            agilicus_token_require_scopes any "$arg_scope" admin;
        }
        location = /audience {
            agilicus_token on;
            agilicus_token_require_audience other;
        }
        location = /org {
            agilicus_token on;
            agilicus_token_require_org acme;
        }
        location = /role {
            agilicus_token on;
            agilicus_token_require_role meters owner;
        }
        location = /resource {
            agilicus_token on;
            agilicus_token_require_resource share plans owner;
        }
        location = /require {
            agilicus_token on;
            agilicus_token_require $arg_a $arg_b;
        }
        location = /masquerading {
            agilicus_token on;
            agilicus_token_deny_masquerading on;
        }
        location = /mfa {
            agilicus_token on;
            agilicus_token_require_mfa 300s;
        }
        location /rules {
            agilicus_token on;
            agilicus_token_rules on;
            try_files /page =404;
        }
        location = /loop {
            agilicus_token on;
            agilicus_token_rules on host=$loop;
        }
        location = /reissue {
            agilicus_token on;
            agilicus_token_reissue acme;
        }
        location = /reissue-none {
            agilicus_token on;
            agilicus_token_reissue $arg_org;
        }
        location = /create {
            agilicus_token on;
            agilicus_token_api_credential $TEST_NGINX_PREFIX/credential;
            agilicus_token_create identity=access sub=$arg_sub org=o
                                  audiences=a;
            auth_basic x;
            auth_basic_user_file $TEST_NGINX_PREFIX/users;
        }
        location = /connect {
            agilicus_token on;
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_CLOSED_PORT;
        }
        location = /tls {
            agilicus_token on;
            agilicus_token_api https://127.0.0.1:$TEST_NGINX_TLS_PORT;
        }
        location = /hasty {
            agilicus_token on;
            agilicus_token_api_timeout 300ms;
        }
        location = /early {
            set $who $agilicus_token_sub;
            agilicus_token on;
            agilicus_token_require $who;
        }
        location = /hook { agilicus_token_revocation_hook trusted; }
        location = /out { agilicus_token_revoke; }
EOC
);

chmod 0600, $nginx->write_file('credential', "secret-credential\n");
$nginx->write_file('users', "u:{PLAIN}p\n");
$nginx->write_file('html/page', "page\n");
$nginx->start;


my %there = details();
my %tested;


# reason => kind, of those that have a detail

sub details {
    my $top = File::Basename::dirname(File::Basename::dirname(
                  Cwd::abs_path(__FILE__)));

    open my $file, '<', "$top/ngx_agilicus_token_module/token/reason.h"
        or die "reason.h: $!\n";

    my $text = do { local $/; <$file> };
    my %kinds = $text =~ /\bR\(\w+, "(\w+)", (\w+)\)/g;

    cmp_ok(scalar keys %kinds, '>=', 40, 'there are reasons');

    return map { $_ => $kinds{$_} } grep { $kinds{$_} ne 'NONE' } keys %kinds;
}


sub ask {
    my ($path, $token, %more) = @_;

    my $method = delete $more{method} || 'GET';
    my $body = delete $more{body};

    my $http = HttpClient->new(port => $nginx->port, timeout => 20 * $slow);

    return $http->request($method => $path,
        (defined $body ? (body => $body) : ()),
        headers => { defined $token ? (Authorization => "Bearer $token") : (),
                     %more });
}


# the reason of a response, its detail, and the line about it

sub refused {
    my ($res, $why, $wanted, %how) = @_;

    my ($reason) = $why =~ m{/(\w+)};
    my $detail = HttpClient::header($res, 'X-Detail');

    $detail = '' if !defined $detail;

    is(HttpClient::header($res, 'X-Why'), $why, $why);
    like($detail, qr/^$wanted$/, "... which says: $detail");

    if (!$how{silent}) {
        (my $words = $why) =~ s{/}{, };
        my @lines = $nginx->log_lines(
            qr/\[info\].*rejected: \Q$words\E(?:, fingerprint [0-9a-f]{16})?:/);

        ok(scalar(grep { /: \Q$detail\E, client: / } @lines),
           '... and so does the log')
            or diag(join "\n", @lines);
    }

    cmp_ok(length $detail, '<=', 256, '... in a few words');
    unlike($detail, qr/secret-|canary|["\\]|[^\x20-\x7e]/, '... and no others');

    $tested{$reason} = 1;

    return;
}


# where tokens come from

refused(ask('/page'), 'missing/no_token', 'header: none');
refused(ask('/places', undef, Authorization => 'Basic c2VjcmV0LXg='),
        'missing/no_token',
        "header: another scheme, cookie 'sid': none, query 't': none");
refused(ask('/page', 'secret- x'), 'malformed/syntax',
        'header: no token by its syntax');
refused(ask('/small', 'secret-12345'), 'malformed/too_long',
        'header: longer than 10 bytes');
refused(ask('/places?t=secret-2', 'secret-1'), 'malformed/multiple',
        "header: a token, cookie 'sid': none, query 't': a token");

# what the API says, from its answer and from what is remembered

for my $row (
    [ unknown => 'invalid/unknown', 'introspect: status 404' ],
    [ no      => 'invalid/says_no',
      "introspect: the member 'user.locked' says no" ],
    [ date    => 'invalid/date',
      'introspect: exp, nbf or token_validity cannot be read' ],
    [ ahead   => 'invalid/not_yet_valid', 'it is valid in \d+ s' ],
    [ old     => 'expired/expired', 'its exp was \d+ s ago' ],
    [ gone    => 'revoked/revoked',
      'denied by the API \d s ago, for \d+ s more' ],
) {
    my ($token, $why, $wanted) = @$row;

    refused(ask('/page', "secret-$token"), $why, $wanted) for 1, 2;
}

# reasons that say it all

is(HttpClient::header(ask('/page', 'secret-refresh'), 'X-Detail'), undef,
   'a refresh token is one');
is(HttpClient::header(ask('/page', 'secret-bound'), 'X-Detail'), undef,
   'a bound token is one');
is(HttpClient::header(ask('/page', 'secret-good'), 'X-Detail'), undef,
   'a request that passes has no detail');

# requirements

refused(ask('/expiry', 'secret-endless'), 'invalid/no_expiry',
        'agilicus_token_require_expiry 1: the token has no exp');

for my $row (
    [ '/audience', 'invalid/audience',
      "agilicus_token_require_audience 1: needs one of 'other'; has 'app'" ],
    [ '/scope', 'forbidden/scope',
      "agilicus_token_require_scopes 2: lacks 'write', 'admin'; has 'read'" ],
    [ '/any', 'forbidden/scope',
      'agilicus_token_require_scopes 1: value 1 is empty' ],
    [ '/any?scope=x', 'forbidden/scope',
      "agilicus_token_require_scopes 1: needs one of 'x', 'admin'; "
      . "has 'read'" ],
    [ '/org', 'forbidden/org',
      "agilicus_token_require_org 1: needs one of 'acme'; has 'north'" ],
    [ '/role', 'forbidden/role',
      "agilicus_token_require_role 1: needs one of 'owner' in 'meters'; "
      . "has 'reader'" ],
    [ '/resource', 'forbidden/resource',
      "agilicus_token_require_resource 1: needs one of 'owner' on 'share' "
      . "'plans'; has 'viewer'" ],
    [ '/require?a=1', 'forbidden/require',
      'agilicus_token_require 1: value 2 is empty' ],
    [ '/require?a=0&b=1', 'forbidden/require',
      "agilicus_token_require 1: value 1 is '0'" ],
    [ '/masquerading', 'forbidden/masquerading',
      'agilicus_token_deny_masquerading 1: the user acts as another' ],
    [ '/mfa', 'step_up/mfa',
      'agilicus_token_require_mfa 1: needs a sign-in at most 300 s ago; '
      . 'the last was 1\d\d\d s ago' ],
) {
    my ($path, $why, $wanted) = @$row;

    refused(ask($path, 'secret-user'), $why, $wanted);
}

# a host that is made of the detail finds none

refused(ask('/loop', 'secret-rules'), 'forbidden/host',
        "'GET', 0 rules for host 'a.example', others for 'localhost'");

# a claim and a value of the client stay within their apostrophes

refused(ask('/scope', 'secret-odd'), 'forbidden/scope',
        "agilicus_token_require_scopes 1: lacks 'read'; "
        . "has 'a%0Ab', 'c%27d%22e%5Cf', '%1B\\[31m', 'g%2C client: 1'");
refused(ask("/any?scope='%22\\", 'secret-user'), 'forbidden/scope',
        "agilicus_token_require_scopes 1: needs one of '%27%22%5C', 'admin'; "
        . "has 'read'");
refused(ask('/any?scope=' . 'y' x 400, 'secret-user'), 'forbidden/scope',
        "agilicus_token_require_scopes 1: needs one of 'y{48}\\.\\.\\.', "
        . "'admin'; has 'read'");

# denials

for my $kind (qw(jti session subject)) {
    my $member = $kind eq 'subject' ? 'sub' : $kind;
    my $value = substr($member, 0, 1) . "-$kind";

    $value = "u-$kind" if $kind eq 'subject';

    is(ask('/page', "secret-$kind")->{status}, 200, "$kind: a good token");
    is(ask('/hook', undef, method => 'POST',
           'Content-Type' => 'application/json',
           body => "{\"$member\":[\"$value\"]}")->{status}, 204,
       '... is denied by the hook');
    refused(ask('/page', "secret-$kind"), "revoked/$kind",
            'denied by the hook \d s ago, for \d+ s more');
}

is(ask('/page', 'secret-out')->{status}, 200, 'a good token');
is(ask('/out', 'secret-out', method => 'POST')->{status}, 204,
   '... is signed out');
refused(ask('/page', 'secret-out'), 'revoked/revoked',
        'denied by (?:the API|a sign-out) \d s ago, for \d+ s more');

# the token's own rules

for my $row (
    [ user    => '/rules/a', 'rule', "'GET', 0 rules for host 'localhost'" ],
    [ host    => '/rules/a', 'host', "'GET', 0 rules for host 'localhost', "
                                     . "others for 'other\\.example'" ],
    [ rules   => '/rules/c', 'path', "'GET', 2 rules for host 'localhost'" ],
    [ query   => '/rules/a', 'query', "'GET', 1 rule for host 'localhost'" ],
    [ matcher => '/rules/a', 'matcher', "'GET', 1 rule for host 'localhost'" ],
    [ rules   => '/rules/a%2fb', 'path',
      "'%2f' in the path can be read in two ways" ],
    [ rules   => '/rules/a//b', 'path',
      "'/' in the path can be read in two ways" ],
    [ rules   => '/rules/a/%2e%2e/b', 'path',
      "'/%2e%2e' in the path can be read in two ways" ],
    [ rules   => '/rules/a\\b', 'path',
      "'%5C' in the path can be read in two ways" ],
) {
    my ($token, $path, $reason, $wanted) = @$row;

    refused(ask($path, "secret-$token"), "forbidden/$reason", $wanted);
}

refused(ask('/rules/a', 'secret-rules', method => 'DELETE'),
        'forbidden/method', "'DELETE', 2 rules for host 'localhost'");
refused(ask('/rules/a', 'secret-body', method => 'POST', body => '{"n":"2"}',
            'Content-Type' => 'application/json'),
        'forbidden/body', "'POST', 1 rule for host 'localhost'");

# a token for upstream

refused(ask('/reissue', 'secret-good'), 'forbidden/reissue',
        'reissue: status 404') for 1, 2;
refused(ask('/reissue-none', 'secret-good'), 'forbidden/reissue',
        'a value is empty, or no UTF-8');
refused(ask('/create', undef, Authorization => 'Basic dTpw'),
        'missing/no_identity', 'a value is empty, or no UTF-8');
refused(ask('/create?sub=x', undef, Authorization => 'Basic dTpw'),
        'forbidden/create', 'validate: status 403');

# calls that fail

for my $row (
    [ '/resolve', 'good', 'resolve', "introspect: .*(?:resolve|name).*" ],
    [ '/connect', 'good', 'connect', "introspect: .*connect.*" ],
    [ '/tls', 'good', 'tls', "introspect: SSL.*" ],
    [ '/hasty', 'hang', 'timeout',
      '(?:introspect: Timeout was reached|no answer within 300 ms)' ],
    [ '/page', 'drop', 'transport', 'introspect: .*' ],
    [ '/page', '500', 'status', 'introspect: status 500' ],
    [ '/page', '429', 'throttled', 'introspect: status 429' ],
    [ '/page', '401', 'credential', 'introspect: status 401' ],
    [ '/page', 'broken', 'answer', 'introspect: the answer is not a Token' ],
    [ '/page', 'typed', 'answer',
      'introspect: the answer is not JSON by its type' ],
    [ '/page', 'page', 'not_the_api', 'introspect: status 404' ],
    [ '/early', 'good', 'early', 'a variable was assigned after .*' ],
) {
    my ($path, $token, $reason, $wanted) = @$row;

    refused(ask($path, "secret-$token"), "unavailable/$reason", $wanted);
}

# where it is reported only, the line has it as well

ask('/report', 'secret-user', method => 'GET');
is(ask('/report')->{status}, 200, 'what is reported passes');
ok($nginx->wait_log(
       qr/\[warn\].*would be rejected: missing, no_token: header: none, /),
   '... and the line says why');

# no access log has to escape anything

my $log = do { local (@ARGV, $/) = $nginx->prefix . '/logs/detail.log'; <> };

cmp_ok($log =~ tr/\n//, '>', 60, 'the details are in the access log');
unlike($log, qr/\\/, '... as they stand');

$nginx->finish('details', secrets => [ 'secret-', 'canary' ]);


# the signature gate

my $pem = do {
    my $file = File::Temp->new;
    print {$file} $key->pem;
    close $file;
    $file;
};

begin("agilicus_token_signature on key=$pem strict;");
refused(ask('/page', 'secret-token'), 'invalid/signature', 'it is no JWT')
    for 1, 2;
refused(ask('/page', $key->forged(sub => 'x')), 'invalid/signature',
        'it names no key, and none has signed it') for 1, 2;
refused(ask('/page', $key->token(sub => 'x', exp => $begun - 10)),
        'expired/expired', 'its exp has passed');
$nginx->finish('the gate', secrets => [ 'secret-', 'eyJ' ]);


# budgets and the breaker

begin('agilicus_token_api_rate 2r/s per_client=1r/s burst=1s;');
ask('/page', "secret-some-$_") for 1 .. 3;
refused(ask('/page', 'secret-some-4'), 'unavailable/client_rate',
        'more calls than 1 a second from this client');
$nginx->finish('a client', secrets => [ 'secret-' ]);

begin('agilicus_token_api_rate 3r/m per_client=100r/s burst=20s;');
ask('/page', "secret-all-$_") for 1 .. 3;
refused(ask('/page', 'secret-all-4'), 'unavailable/rate',
        'more calls than 3 a minute from all clients');
$nginx->finish('all clients', secrets => [ 'secret-' ]);

begin('agilicus_token_api_breaker 1 open=30s;');
ask('/page', 'secret-500');
refused(ask('/page', 'secret-other'), 'unavailable/breaker',
        'the breaker is open for \d+ s');
$nginx->finish('the breaker', secrets => [ 'secret-', 'canary' ]);


# a memory of denials that is full

begin('agilicus_token_denials 32k;');

my $res;

for my $n (1 .. 200) {
    $res = ask('/hook', undef, method => 'POST',
               'Content-Type' => 'application/json',
               body => '{"jti":[' . join(',', map { "\"$n-$_\"" } 1 .. 50)
                       . ']}');

    last if $res->{status} != 204;
}

refused($res, 'unavailable/overload', 'no room for the denial', silent => 1);

for my $n (1 .. 200) {
    $res = ask('/reissue', "secret-room-$n");

    last if $res->{status} == 503;
}

refused($res, 'unavailable/internal', 'no room for a record of the token');
$nginx->finish('denials', allow => [ qr/no room/ ], secrets => [ 'secret-' ]);


# places to wait

begin('agilicus_token_api_timeout 1s;');

for my $case ([ 1, 'client_places', 'the client has its share of .*' ],
              [ 250, 'places', 'all places to wait of this worker are .*' ])
{
    my ($clients, $reason, $wanted) = @$case;

    my ($full) = grep { (HttpClient::header($_, 'X-Why') || '')
                        eq "unavailable/$reason" }
        $nginx->many([ map { { path => '/hang', timeout => 30 * $slow,
            headers => { Authorization => "Bearer secret-hang-$reason-$_",
                         'X-From' => '192.0.2.' . $_ % $clients } } }
                       1 .. 1100 ]);

    refused($full || {}, "unavailable/$reason", $wanted);
}

$nginx->finish('places', secrets => [ 'secret-' ]);


is_deeply([ grep { !$tested{$_} } sort keys %there ], [],
          'every reason that has a detail is tested');

done_testing();


# another nginx, with a line of its own for the http level

sub begin {
    my ($line) = @_;

    (my $name) = $line =~ /^(\w+)/;
    (my $rest = $http) =~ s/^ *\Q$name\E .*\n//m;

    $nginx = NginxProcess->new(
        workers   => 1,
        worker_connections => 2048,
        log_level => 'info',
        http      => "$rest$line\n",
        config    => <<'EOC',
            set_real_ip_from 127.0.0.1;
            real_ip_header X-From;
            location = /page { agilicus_token on; try_files /page =404; }
            location = /hang {
                agilicus_token on;
                agilicus_token_api http://127.0.0.1:$TEST_NGINX_HOLE_PORT;
            }
            location = /reissue {
                agilicus_token on;
                agilicus_token_reissue acme;
            }
            location = /hook { agilicus_token_revocation_hook trusted; }
EOC
    );

    $nginx->write_file('html/page', "page\n");
    $nginx->start;

    return;
}
