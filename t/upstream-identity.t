# Headers that give upstream the identity of the caller: from a good token only,
# and never as a client sent them, in whatever spelling.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

sub with { my (%token) = @_; return { token => \%token } }

# "sub|email|org|scopes|jti" under any name, as upstream gets it

sub echo {
    my ($request) = @_;

    my %got;

    for my $header (@{ $request->{headers} }) {
        my ($name, $value) = @$header;

        push @{ $got{lc $1} }, $value
            if $name =~ /^(?:x[-_.]agilicus|remote)[-_.](.*)/i;
    }

    my @known = map { join ',', @{ delete $got{$_} || [] } }
                qw(sub email org scopes jti);

    return { type => 'text/plain',
             body => join('|', @known, sort keys %got) . "\n" };
}

# every such header, a line each: "name: value", the values in brackets

sub all {
    my ($request) = @_;

    my @all = map { lc($_->[0]) . ": [$_->[1]]\n" }
              grep { $_->[0] =~ /^(?:x[-_.]agilicus|remote)[-_.]/i }
              @{ $request->{headers} };

    return { type => 'text/plain', body => join '', sort @all };
}

my $mock = MockAPI->start(
    tokens => {
        map({ ("good-$_" => {}) } 1 .. 40),
        map({ ("bare-$_" => { body => '{"sub":"only"}' }) } 1 .. 10),
        out      => 503,
        newline  => with(sub => "a\r\nX-Evil: 1", sub_email => "a\nb",
                         org => "a\rb", jti => "a\x{0b}b"),
        control  => with(sub => "a\tb", sub_email => "\x{1b}[1m",
                         org => "a\x{7f}", jti => "\x{01}"),
        beyond   => with(sub => "caf\x{e9}", sub_email => "\x{2028}",
                         org => "\x{130}org", jti => "\x{a0}"),
        spaces   => with(sub => ' a', sub_email => 'a ', org => ' ',
                         jti => 'a b'),
        scopes   => with(scopes => [ 'one', "two\n", 'three four', '',
                                     "f\x{fc}nf", 'six' ]),
        'no-scopes' => with(scopes => []),
        long     => with(sub => 'x' x 4000),
        types    => with(sub => 7, sub_email => [ 'a' ], org => { a => 1 },
                         jti => JSON::PP::true),
        'at-limit' => with(sub => 'x' x (4096 - length 'X-Agilicus-Sub: ')),
        over     => with(sub => 'x' x (4097 - length 'X-Agilicus-Sub: ')),
        grows    => with(sub => "\n" x 1400),
        more     => with(root_org => 'root-7', session => 'session-7',
                         aud => [ 'urn:a', 'urn:b' ], exp => 4102444800,
                         roles => { app => [ 'owner', 'view:er' ] }),
        odd      => with(root_org => "a\r\nX-Agilicus-Org: evil",
                         session => "caf\x{e9} 100%",
                         aud => [ 'urn:a b', "urn:b\n", '', 'urn:c' ],
                         exp => undef,
                         roles => { 'a:b' => [ 'c' ], 'a' => [ 'b:c' ],
                                    'd e' => [ 'f' ], '' => [ 'g' ],
                                    "h\n" => [ 'i j', '' ] }),
        signs    => with(sub => q(a"b\\c,d;e=f%00), sub_email => '$host',
                         org => '<script>', jti => q('"')),
    },
    paths => {
        map({ ("/up$_" => \&echo) } '', '/part'),
        '/up/all' => \&all,
        '/up/accel' => sub {
            my ($request) = @_;
            my ($to) = map { $_->[1] } grep { $_->[0] eq 'X-To' }
                       @{ $request->{headers} };

            return { headers => { 'X-Accel-Redirect' => $to } };
        },
        '/up/asked' => sub {
            my $body = echo(@_)->{body};

            chomp $body;

            return { status => 204, headers => { 'X-Asked' => $body } };
        },
        '/up/page' => { type => 'text/html',
                        body => '[<!--#include virtual="/part" -->]' },
    },
);

stop_with_tests($mock);
secrets(qw(good- bare- unknown-));

my $http_config = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_breaker off;
EOC

my $config = <<'EOC';
    agilicus_token_identity_headers on;
    underscores_in_headers on;
    ignore_invalid_headers off;
    location /_ {
        proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT;
    }
EOC

my $all = join "\n", map { ("X-Agilicus-$_: evil", "x_agilicus_\L$_\E: evil",
                            "X.Agilicus.$_: evil") }
                     qw(Sub Email Org Scopes Jti Roles Root-Org Session Aud Exp Other);

add_block_preprocessor(sub {
    my ($block) = @_;

    my $text = $block->config;
    my $headers = $block->more_headers;

    my $mock = 'http://127.0.0.1:$TEST_NGINX_MOCK_PORT';

    $text =~ s{UP(/\w+)?;}{"proxy_pass $mock/up" . ($1 || '') . ';'}eg;
    $text =~ s{RAW;}{proxy_pass $mock/raw;}g;

    $block->set_value(http_config => $http_config);
    $block->set_value(config => $config . $text);
    $block->set_value(user_files => ">>> users\nu:{PLAIN}p\n");

    s/^EVIL$/$all/mg for ref $headers ? @$headers : $headers;
    $block->set_value(more_headers => $headers);
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 105);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: upstream is told who is calling
--- config
    location /t { agilicus_token on; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-1
--- response_body
user-1|user-1@example.com|org-1|urn:agilicus:users:owner|jti-1



=== TEST 2: what a client says of itself never counts, token or not
--- config
    location /t { agilicus_token on; UP; }
    location /off { UP; }
    location /report { agilicus_token report; UP; }
    location /any { agilicus_token on; satisfy any; allow 127.0.0.1; UP; }
    location /without { agilicus_token on; agilicus_token_identity_headers off; UP; }
    location /preflight { agilicus_token on; agilicus_token_preflight pass; UP; }
--- request eval
["GET /t", "GET /off", "GET /off", "GET /report", "GET /report", "GET /any", "GET /any", "GET /without", "OPTIONS /preflight"]
--- more_headers eval
[map { "$_\nEVIL" } "Authorization: Bearer good-2", "X: y", "Authorization: Bearer good-2", "X: y",
 "Authorization: Bearer unknown-1", "X: y", "Authorization: Bearer unknown-1", "Authorization: Bearer good-2",
 "Origin: http://x\nAccess-Control-Request-Method: GET"]
--- response_body eval
["user-1|user-1\@example.com|org-1|urn:agilicus:users:owner|jti-1\n", ("||||\n") x 8]



=== TEST 3: a good token speaks for its user wherever it is looked at
--- config
    location /report { agilicus_token report; UP; }
    location /any { agilicus_token on; satisfy any; allow 127.0.0.1; UP; }
    location /forbidden { agilicus_token report; agilicus_token_require_scopes more; UP; }
--- request eval
["GET /report", "GET /any", "GET /forbidden"]
--- more_headers eval
[("Authorization: Bearer good-3\nEVIL") x 3]
--- response_body_like eval
[("^user-1\\|") x 2, "^\\|\\|\\|\\|\$"]



=== TEST 4: every spelling is taken out, and other headers are left
--- config
    location /off { RAW; }
    location /t { agilicus_token on; RAW; }
--- request eval
["GET /_reset", "GET /off", "GET /t", "GET /_requests?path=/raw"]
--- more_headers eval
["", map({ "EVIL\nx-agilicus-sub: evil\nX-AGILICUS-EVERYTHING: evil\nX-Agilicus_Sub: evil\nX.Agilicus_Sub.Is: evil\n"
 . "X-Agilicus: kept-1\nXX-Agilicus-Sub: kept-2\nX-Agilicu-Sub: kept-3\n$_" } "X: y", "Authorization: Bearer good-4"), ""]
--- error_code eval
[200, 404, 404, 200]
--- response_body_like eval
["ok", "", "", "\\A(?s:(?!.*evil).*kept-1.*kept-2.*kept-3.*kept-1.*kept-2.*kept-3.*)\\z"]



=== TEST 5: another prefix is another name, and all that are configured are taken out
--- config
    location /t { agilicus_token on; agilicus_token_identity_headers Remote-; UP; }
    location /u { agilicus_token on; UP; }
    location /off { agilicus_token_identity_headers off; UP; }
--- request eval
["GET /t", "GET /u", "GET /off"]
--- more_headers eval
[("Authorization: Bearer good-5\nRemote-Sub: evil\nREMOTE_sub: evil\nEVIL") x 3]
--- response_body_like eval
["^user-1\\|", "^user-1\\|", "^\\|"]



=== TEST 6: a claim with a line break makes no header, and leaves no client's either
--- config
    location /t { agilicus_token on; UP; }
--- request eval
[("GET /t") x 4]
--- more_headers eval
[map { "Authorization: Bearer $_\nEVIL" } qw(newline control beyond spaces)]
--- response_body eval
[("|||urn:agilicus:users:owner|\n") x 3, "|||urn:agilicus:users:owner|a b\n"]



=== TEST 7: nothing of such a claim gets upstream under any name
--- config
    location /t { agilicus_token on; RAW; }
--- request eval
["GET /_reset", "GET /t", "GET /_requests?path=/raw"]
--- more_headers eval
["", "Authorization: Bearer newline", ""]
--- error_code eval
[200, 404, 200]
--- response_body_unlike eval
["x", "Evil", "Evil"]



=== TEST 8: signs that a header may have go upstream as they are
--- config
    location /t { agilicus_token on; UP; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
[map { "Authorization: Bearer $_" } "signs", "long"]
--- response_body_like eval
["^a\"b\\\\c,d;e=f%00\\|\\\$host\\|<script>\\|urn:agilicus:users:owner\\|'\"'\$", "^x{4000}\\|user-1"]



=== TEST 9: what the token does not say makes no header
--- config
    location /t { agilicus_token on; UP; }
    location /raw { agilicus_token on; RAW; }
--- request eval
["GET /t", "GET /t", "GET /_reset", "GET /raw", "GET /_requests?path=/raw"]
--- more_headers eval
["Authorization: Bearer bare-1\nEVIL", "Authorization: Bearer no-scopes\nEVIL", "", "Authorization: Bearer bare-1\nEVIL", ""]
--- error_code eval
[200, 200, 200, 404, 200]
--- response_body_like eval
["^only\\|\\|\\|\\|\$", "^user-1\\|user-1\@example.com\\|org-1\\|\\|jti-1\$", "", "", "^(?s:(?!.*[Aa]gilicus-(?:[Ee]mail|[Oo]rg|[Ss]copes|[Jj]ti)).*)\\z"]



=== TEST 10: claims of another type make no token
--- config
    location /t { agilicus_token on; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer types
EVIL
--- error_code: 503



=== TEST 11: a scope that cannot stand beside others is left out
--- config
    location /t { agilicus_token on; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer scopes
EVIL
--- response_body_like: ^user-1\|[^|]*\|org-1\|one six\|jti-1$



=== TEST 12: nothing is left of the request before on the same connection
--- config
    location /t { agilicus_token on; UP; }
    location /off { UP; }
    location /any { agilicus_token on; satisfy any; allow 127.0.0.1; UP; }
--- pipelined_requests eval
["GET /t", "GET /off", "GET /t", "GET /any"]
--- more_headers eval
["Authorization: Bearer good-6", "", "Authorization: Bearer bare-2", "Authorization: Bearer unknown-2"]
--- response_body eval
["user-1|user-1\@example.com|org-1|urn:agilicus:users:owner|jti-1\n", "||||\n", "only||||\n", "||||\n"]



=== TEST 13: after a redirect, it is the last location that tells
--- config
    location /accel { agilicus_token on; UP/accel; }
    location /inner/off { agilicus_token off; UP; }
    location /inner/without { agilicus_token on; agilicus_token_identity_headers off; UP; }
    location /inner/other { agilicus_token on; agilicus_token_identity_headers Remote-; UP; }
    location /inner/on { agilicus_token on; UP; }
    location /try { agilicus_token on; try_files /nowhere @named; }
    location @named { agilicus_token off; rewrite ^ /up break; proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_PORT; }
--- request eval
[("GET /accel") x 4, "GET /try"]
--- more_headers eval
[map { "X-To: $_\nAuthorization: Bearer good-7\nEVIL" } map({ "/inner/$_" } qw(off without other on)), ""]
--- response_body_like eval
[("^\\|\\|\\|\\|\$") x 2, "^user-1\\|", "^user-1\\|", "^\\|\\|\\|\\|\$"]



=== TEST 14: a part of a page has its own, and leaves the page's alone
--- config
    location = /page { agilicus_token on; ssi on; UP/page; }
    location = /part { UP; }
    location = /open/page { ssi on; UP/page; }
--- request eval
["GET /page", "GET /open/page"]
--- more_headers eval
[("Authorization: Bearer good-8\nEVIL") x 2]
--- response_body eval
[("[||||\n]") x 2]



=== TEST 15: a part that is protected tells who is calling
--- config
    location = /page { ssi on; UP/page; }
    location = /part { agilicus_token on; UP; }
--- request
GET /page
--- more_headers
Authorization: Bearer good-9
EVIL
--- response_body_like: ^\[user-1\|



=== TEST 16: another service that is asked is told too, and no other headers are taken
--- config
    location /t { auth_request /asked; auth_request_set $asked $upstream_http_x_asked; add_header X-Asked $asked; UP; }
    location = /asked { internal; agilicus_token on; UP/asked; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-10
EVIL
--- response_headers
X-Asked: user-1|user-1@example.com|org-1|urn:agilicus:users:owner|jti-1
--- response_body
||||



=== TEST 17: a configuration that looks for them before sees none
--- config
    location /t {
        if ($http_x_agilicus_sub) { return 418; }
        if ($http_x_agilicus_other) { return 418; }
        agilicus_token on;
        UP;
    }
--- request
GET /t
--- more_headers
Authorization: Bearer good-11
EVIL
--- response_body_like: ^user-1\|



=== TEST 18: a client cannot have our headers dropped by the next proxy
--- config
    location /t {
        agilicus_token on;
        proxy_http_version 1.1;
        proxy_set_header Connection $http_connection;
        RAW;
    }
--- request eval
["GET /_reset", "GET /t", "GET /_requests?path=/raw"]
--- more_headers eval
["", "Connection: X-Agilicus-Sub, x_agilicus_org,authorization , X-Other, close\nAuthorization: Bearer good-12", ""]
--- error_code eval
[200, 404, 200]
--- response_body_like eval
["ok", "", '"connection":"X-Other,close"']



=== TEST 19: without the token going on, its user does
--- config
    location /t { agilicus_token on; agilicus_token_forward off; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer good-13
EVIL
--- response_body_like: ^user-1\|



=== TEST 20: upstream is not told of a refused request
--- config
    location /t { agilicus_token on; RAW; }
--- request eval
["GET /_reset", ("GET /t") x 4, "GET /_calls?path=/raw"]
--- more_headers eval
["", map({ "$_\nEVIL" } "X: y", map { "Authorization: Bearer $_" } "unknown-3", "a b", "out"), ""]
--- error_code eval
[200, 401, 401, 400, 503, 200]
--- response_body_like eval
["ok", "401", "401", "400", "503", "^0\$"]



=== TEST 21: only the fields that are named are told, whatever a client says
--- config
    location /t { agilicus_token on; agilicus_token_identity_headers on fields=exp,roles,aud,session,root_org; UP/all; }
    location /one { agilicus_token on; agilicus_token_identity_headers Remote fields=roles; UP/all; }
    location /off { agilicus_token_identity_headers off; UP/all; }
--- request eval
["GET /t", "GET /one", "GET /off"]
--- more_headers eval
[("Authorization: Bearer more\nX_Agilicus.Root_Org: evil\nRemote-Roles: evil\nremote.exp: evil\nEVIL") x 3]
--- response_body eval
["x-agilicus-aud: [urn:a urn:b]\nx-agilicus-exp: [4102444800]\nx-agilicus-roles: [app:owner app:view:er]\n"
 . "x-agilicus-root-org: [root-7]\nx-agilicus-session: [session-7]\n",
 "remote-roles: [app:owner app:view:er]\n", ""]



=== TEST 22: what could be read in two ways is left out of each field
--- config
    location /t { agilicus_token on; agilicus_token_identity_headers on encoding=none fields=exp,roles,aud,session,root_org; UP/all; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer odd\nEVIL", "Authorization: Bearer bare-3\nEVIL"]
--- response_body eval
["x-agilicus-aud: [urn:c]\nx-agilicus-roles: [a:b:c]\n", ""]



=== TEST 23: with percent, it is encoded, and cannot be read in two ways
--- config
    location /t { agilicus_token on; agilicus_token_identity_headers on fields=exp,roles,aud,session,root_org encoding=percent; UP/all; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer odd\nEVIL", "Authorization: Bearer bare-4\nEVIL"]
--- response_body eval
["x-agilicus-aud: [urn:a%20b urn:b%0A urn:c]\nx-agilicus-roles: [a:b:c a%3Ab:c d%20e:f h%0A:i%20j]\n"
 . "x-agilicus-root-org: [a%0D%0AX-Agilicus-Org: evil]\nx-agilicus-session: [caf%C3%A9 100%25]\n", ""]



=== TEST 24: with percent, no claim ends a line or loses a blank
--- config
    location /t { agilicus_token on; agilicus_token_identity_headers on encoding=percent; UP; }
--- request eval
[("GET /t") x 6]
--- more_headers eval
[map { "Authorization: Bearer $_\nEVIL" } qw(newline control beyond spaces scopes signs)]
--- response_body eval
["a%0D%0AX-Evil: 1|a%0Ab|a%0Db|urn:agilicus:users:owner|a%0Bb\n",
 "a%09b|%1B[1m|a%7F|urn:agilicus:users:owner|%01\n",
 "caf%C3%A9|%E2%80%A8|%C4%B0org|urn:agilicus:users:owner|%C2%A0\n",
 "%20a|a%20|%20|urn:agilicus:users:owner|a b\n",
 "user-1|user-1\@example.com|org-1|one two%0A three%20four f%C3%BCnf six|jti-1\n",
 "a\"b\\c,d;e=f%2500|\$host|<script>|urn:agilicus:users:owner|'\"'\n"]



=== TEST 25: one location encodes, and the next does not
--- config
    location /t {
        agilicus_token on;
        agilicus_token_identity_headers Remote encoding=percent;
        UP/all;
        location /t/deep { UP/all; }
        location /t/deeper { agilicus_token_identity_headers Remote fields=sub; UP/all; }
    }
--- request eval
["GET /t", "GET /t/deep", "GET /t/deeper"]
--- more_headers eval
[("Authorization: Bearer beyond\nREMOTE_sub: evil\nEVIL") x 3]
--- response_body_like eval
[("^remote-email: \\[%E2%80%A8\\]\n(?:.*\n){3}remote-sub: \\[caf%C3%A9\\]\n\$") x 2, "^\$"]



=== TEST 26: a header that others may refuse is warned of once
--- config
    location /t { agilicus_token on; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer over
--- response_body_like: ^x{4081}\|
--- grep_error_log eval
qr/\[warn\][^,]*/
--- grep_error_log_out eval
[qr/\A[^\n]*agilicus token: the identity header "X-Agilicus-Sub" is longer than 4096 bytes\n\z/, ""]



=== TEST 27: one that is as long as most take is not
--- config
    location /t { agilicus_token on; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer at-limit
--- response_body_like: ^x{4080}\|
--- grep_error_log eval
qr/\[warn\][^,]*/
--- grep_error_log_out eval
["", ""]



=== TEST 28: it is as long as it is encoded
--- config
    location /t { agilicus_token on; agilicus_token_identity_headers on encoding=percent fields=sub; UP; }
--- request
GET /t
--- more_headers
Authorization: Bearer grows
--- response_body_like: ^(?:%0A){1400}\|
--- grep_error_log eval
qr/\[warn\][^,]*/
--- grep_error_log_out eval
[qr/is longer than 4096 bytes\n\z/, ""]
