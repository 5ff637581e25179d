use strict;
use warnings;

# Variables that something reads before the token has been looked up: a value
# that was made from them then decides nothing, wherever it was read and
# whatever it is for; and a value that cannot be made again is not trusted.

use HTTP::Tiny ();
use JSON::PP ();
use MIME::Base64 ();
use Test::More;

use lib 't/lib';

use MockAPI;
use NginxProcess;
use TestPorts;

my $json = JSON::PP->new->utf8->canonical;
my $exp = time + 3600;


# The token of "alice" has rights of each kind that a location can require;
# "mallory" has the same rights, and is on the lists that forbid.

sub person {
    my ($sub, %over) = @_;

    return { token => {
        sub => $sub, jti => "jti-$sub", exp => $exp, org => 'acme', scopes => [ 'read' ],
        aud => [ 'urn:a' ], roles => { app => [ 'user' ] }, ip => '192.0.2.1',
        resource_permissions => [ {
            user_id => $sub, org_id => 'acme', resource_type => 'application',
            resource_id => 'app', resource_role_name => 'user' } ],
        hosts => [ { upstream_host => 'here', allowed_list => [
                     { methods => [ 'get' ], paths => [ '/.*' ] } ] } ],
        %over } };
}


my %people = (
    alice   => person('alice'),
    mallory => person('mallory', ip => '198.51.100.1'),
    nobody  => 404,
);

sub made {
    my ($request) = @_;

    return { status => 201,
             json => { token => 'made-' . $json->decode($request->{body})->{sub} } };
}

my $mock = MockAPI->start(
    tokens => { %people, 'made-admin' => person('admin', org => 'home'),
                'made-fixed' => person('fixed', org => 'home') },
    paths => {
        'POST /v1/tokens/reissue' => sub {
            my $body = $json->decode($_[0]->{body});

            return { status => 200, json => {
                     token => "child-$body->{org_id}-$body->{token}" } };
        },
        'POST /v1/tokens' => \&made,
    },
    default => sub {
        my ($org, $sub) = $_[0]->{token} =~ /^child-(\w+)-(\w+)$/
            or return 404;

        return person($sub, org => $org);
    },
);

# another API, where the same tokens are of other people

my $other = MockAPI->start(
    name   => 'OTHER',
    tokens => {
        alice   => person('mallory', ip => '198.51.100.1'),
        mallory => person('alice'),
    },
);

my $app = $ENV{TEST_NGINX_APP_PORT} = TestPorts::free_port();
my $set = $ENV{TEST_NGINX_SET_PORT} = TestPorts::free_port();
my $if = $ENV{TEST_NGINX_IF_PORT} = TestPorts::free_port();

my $nginx = NginxProcess->new(workers => 1, log_level => 'info');

chmod 0600, $nginx->write_file('credential', "edge\n");
$nginx->write_file('passwords', "admin:{PLAIN}secret\n");

# ways to make a value from the subject: "ok" and the like for all users but
# mallory, or for alice only

my %made = (
    map_deny => <<'EOC',
        map $agilicus_token_sub $map_deny { default GOOD; mallory BAD; }
EOC
    map_allow => <<'EOC',
        map $agilicus_token_sub $map_allow { default BAD; alice GOOD; }
EOC
    map_twice => <<'EOC',
        map $agilicus_token_sub $step { default one; mallory two; }
        map $step $map_twice { default BAD; one GOOD; }
EOC
    map_volatile => <<'EOC',
        map $agilicus_token_sub $map_volatile { volatile; default GOOD; mallory BAD; }
EOC
    map_value => <<'EOC',
        map $agilicus_token_sub $of_mallory { default GOOD; mallory BAD; }
        map $request_method $map_value { default $of_mallory; }
EOC
    split_deny => <<'EOC',
        split_clients "ax$agilicus_token_sub" $split_deny { 50% GOOD; * BAD; }
EOC
    split_allow => <<'EOC',
        split_clients "b$agilicus_token_sub" $split_allow { 50% GOOD; * BAD; }
EOC
    geo => <<'EOC',
        geo $agilicus_token_claim_ip $geo { default GOOD; 198.51.100.0/24 BAD; }
EOC
);

# what a location asks for: the directive, and what is good and bad for it

my %for = (
    require  => [ 'agilicus_token_require $%s;', 1, 0, 403 ],
    scopes   => [ 'agilicus_token_require_scopes $%s;', 'read', 'none', 403 ],
    audience => [ 'agilicus_token_require_audience $%s;', 'urn:a', 'none', 401 ],
    org      => [ 'agilicus_token_require_org $%s;', 'acme', 'none', 403 ],
    role     => [ 'agilicus_token_require_role app $%s;', 'user', 'none', 403 ],
    resource => [ 'agilicus_token_require_resource application app $%s;', 'user',
                  'none', 403 ],
    host     => [ 'agilicus_token_rules on host=$%s;', 'here', 'there', 403 ],
    reissue  => [ 'agilicus_token_reissue $%s;', 'acme', '""', 403 ],
    header   => [ 'agilicus_token_identity_headers on; proxy_set_header X-Seen $%s;
                   proxy_set_header X-User $http_x_agilicus_sub;',
                  'good', 'bad', 200 ],
);

# what reads it early; the second is true where that assigns it

my %read = (
    none    => [ '', 0 ],
    req     => [ 'limit_req zone=r_%s burst=1000 nodelay;', 0 ],
    conn    => [ 'limit_conn c_%s 100;', 0 ],
    if      => [ 'if ($%s = nonsense) { return 444; }', 0 ],
    rewrite => [ 'rewrite ^(.*)$ $1?seen=$%s break;', 0 ],
    set     => [ 'set $copy $%s;', 1 ],
    capture => [ 'if ($%s ~ "^(?<captured>.*)$") { set $matched 1; }', 1 ],
    answer  => [ 'auth_request /answer; auth_request_set $answered $%s;', 0 ],
);

my ($http, $config, @tries) = ('', '');


for my $for (sort keys %for) {
    for my $made (sort keys %made) {
        my ($asks, $good, $bad, $code) = @{ $for{$for} };
        my $name = "${made}_$for";
        my $text = $made{$made};

        $text =~ s/(\$(?!agilicus_token|request)\w+)/$1_$for/g;
        $text =~ s/GOOD/$good/g;
        $text =~ s/BAD/$bad/g;

        $http .= $text . "limit_req_zone \$$name zone=r_$name:64k rate=1000r/s;"
                 . "limit_conn_zone \$$name zone=c_$name:64k;\n";

        for my $read (sort keys %read) {
            my ($early, $assigns) = @{ $read{$read} };

            no warnings 'redundant';

            $config .= sprintf "location /$for/$made/$read { $asks $early"
                               . " UP; }\n", ($name) x 3;

            push @tries, [ "/$for/$made/$read", $code,
                           $assigns && $for ne 'header' ];
        }
    }
}

$config =~ s/UP;/proxy_pass http:\/\/127.0.0.1:\$TEST_NGINX_APP_PORT;/g;

sub up {
    my ($text) = @_;

    $text =~ s/CREATE/agilicus_token_create identity=access/g;

    return $text =~ s/UP;/proxy_pass http:\/\/127.0.0.1:\$TEST_NGINX_APP_PORT;/gr;
}


$nginx->configure(
    http => <<'EOC' . $http . up(<<'EOD'),
        variables_hash_max_size 8192;
        map_hash_bucket_size 128;
        log_format why '$uri $status $agilicus_token_verdict/$agilicus_token_reason'
                       ' [$map_deny_header]';
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $TEST_NGINX_PREFIX/credential;
        agilicus_token_api_rate off;

        # the same nginx is the application, which gets none of these headers

        proxy_set_header X-User $http_x_agilicus_sub;
        server {
            listen 127.0.0.1:$TEST_NGINX_APP_PORT;
            location / {
                add_header X-Accel-Redirect $http_x_to;
                return 200 "$request_uri|$http_authorization|$http_x_user|$http_x_seen|";
            }
            location /tells {
                add_header X-User admin;
                return 204;
            }
            location /page {
                default_type text/html;
                return 200 'p[<!--#include virtual="$arg_a" -->][<!--#include virtual="$arg_b" -->]';
            }
        }
EOC
        map $agilicus_token_sub $who { default "<$agilicus_token_sub>"; }
        map $agilicus_token_sub $not_banned { default 1; mallory 0; }
        map $remote_user $user { default $remote_user; }
        map $remote_user $short { ~^(?<part>[^@]+) $part; }
        map $user $again { default $user; }
        limit_req_zone $user$again zone=user:64k rate=1000r/s;
        limit_req_zone $short zone=short:64k rate=1000r/s;
        limit_req_zone $not_banned$who zone=who:64k rate=1000r/s;
        server {
            listen 127.0.0.1:$TEST_NGINX_SET_PORT;
            access_log logs/why.log why;
            set $copy $not_banned;
            if ($who = nonsense) { return 444; }
            location / {
                agilicus_token on;
                agilicus_token_require $not_banned;
                proxy_set_header X-Seen $who;
                UP;
            }
            location /none {
                agilicus_token on;
                agilicus_token_require_scopes read;
                proxy_set_header X-Seen "$who$copy";
                UP;
            }
        }
        server {
            listen 127.0.0.1:$TEST_NGINX_IF_PORT;
            if ($who = nonsense) { return 444; }
            if ($not_banned = 2) { return 444; }
            location / {
                agilicus_token on;
                agilicus_token_require $not_banned;
                proxy_set_header X-Seen $who;
                UP;
            }
            location ~ ^/tenant/(?<tenant>\w+) {
                agilicus_token on;
                agilicus_token_require_org $tenant;
                UP;
            }
        }
EOD
    config => <<'EOC' . $config . up(<<'EOD'),
        access_log logs/why.log why;
        agilicus_token on;
        auth_basic_user_file $TEST_NGINX_PREFIX/passwords;
        location = /answer { agilicus_token off; return 204; }
EOC
        location = /id {
            agilicus_token_require_org $map_deny_org;
            set $id $request_id;
            add_header X-Same "$id $request_id";
            UP;
        }
        location ~ ^/tenant/(?<org>\w+) {
            limit_req zone=who burst=1000 nodelay;
            agilicus_token_require_org $org;
            proxy_set_header X-Seen "$org $who";
            UP;
        }
        location /accel {
            agilicus_token off;
            proxy_set_header X-Seen $who;
            UP;
        }
        location /first {
            agilicus_token_require $not_banned;
            proxy_set_header X-Seen $who;
            UP;
        }
        location ~ ^/captured/(?<what>\w+) {
            set $root $document_root;
            agilicus_token_require $what;
            proxy_pass_request_headers off;
            proxy_set_header X-Seen "$what $who";
            UP;
        }
        location /second {
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_OTHER_PORT;
            limit_req zone=who burst=1000 nodelay;
            agilicus_token_require $not_banned;
            proxy_pass_request_headers off;
            proxy_set_header X-Seen $who;
            UP;
        }
        location /seen {
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_OTHER_PORT;
            if ($who != "<>") { return 409 "seen $who"; }
            agilicus_token_require $not_banned;
            proxy_pass_request_headers off;
            UP;
        }
        location /taken {
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_OTHER_PORT;
            set $taken $who;
            proxy_pass_request_headers off;
            proxy_set_header X-Seen $taken;
            UP;
        }
        location /between {
            agilicus_token off;
            set $between $who;
            rewrite ^ /then last;
        }
        location /then {
            agilicus_token_require $between;
            UP;
        }
        location /last {
            if ($who = nonsense) { return 444; }
            rewrite ^ /end last;
        }
        location /end {
            agilicus_token_require $not_banned;
            proxy_set_header X-Seen $who;
            UP;
        }
        location /refused {
            error_page 403 = @named;
            agilicus_token_require $agilicus_token_claim_nothing;
            UP;
        }
        location @named {
            set $named 1;
            agilicus_token_require $named $not_banned;
            proxy_set_header X-Seen $who;
            UP;
        }
        location /page {
            agilicus_token_require $not_banned;
            proxy_set_header X-Seen $who;
            ssi on;
            UP;
        }
        location /open/page {
            agilicus_token off;
            ssi on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT/page;
        }
        location /asks {
            agilicus_token_require $not_banned;
            auth_request /asked;
            proxy_set_header X-Seen $who;
            UP;
        }
        location = /asked {
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_OTHER_PORT;
            proxy_set_header X-Seen $who;
            UP;
        }
        location /create {
            agilicus_token on;
            auth_request /answer;
            location /create/plain {
                CREATE sub=$remote_user org=home audiences=urn:a; UP; }
            location /create/map { limit_req zone=user burst=1000 nodelay;
                CREATE sub=$user org=home audiences=urn:a; UP; }
            location /create/twice { limit_req zone=user burst=1000 nodelay;
                CREATE sub=$again org=home audiences=urn:a; UP; }
            location /create/capture { limit_req zone=short burst=1000 nodelay;
                CREATE sub=$short org=home audiences=urn:a; UP; }
            location /create/scope { limit_req zone=user burst=1000 nodelay;
                CREATE sub=fixed org=home audiences=urn:a scopes=$user; UP; }
            location /create/set { set $name $remote_user;
                CREATE sub=$name org=home audiences=urn:a; UP; }
            location /create/part { if ($short = nonsense) { return 444; }
                CREATE sub=$part org=home audiences=urn:a; UP; }
            location /create/answer { auth_request_set $named_so $remote_user;
                CREATE sub=$named_so org=home audiences=urn:a; UP; }
            location /create/none { set $name $remote_user;
                CREATE sub=fixed org=home audiences=urn:a; UP; }
            location /create/told { limit_req zone=user burst=1000 nodelay;
                auth_request_set $told $upstream_http_x_user; auth_request /tells;
                CREATE sub=$told org=home audiences=urn:a; UP; }
            location /create/basic { limit_req zone=user burst=1000 nodelay;
                auth_basic closed; set $name $remote_user;
                CREATE sub=$name org=home audiences=urn:a; UP; }
        }
        location = /tells {
            agilicus_token off;
            proxy_set_header X-Note $remote_user;
            UP;
        }
EOD
);

$nginx->start;

sub ask {
    my ($path, $token, %header) = @_;

    my $port = delete $header{port} || $nginx->port;
    my $res = HTTP::Tiny->new(max_redirect => 0)->get(
                  "http://127.0.0.1:$port$path",
                  { headers => { $token ? (Authorization => "Bearer $token") : (),
                                 %header } });

    return ($res->{status}, $res->{content}, $res);
}

sub codes { my ($path, %header) = @_; return join ' ', map { (ask($path, $_, %header))[0] } qw(alice mallory) }


# each requirement, each way to make a value, each thing that reads it before

for my $try (@tries) {
    my ($path, $code, $assigns) = @$try;

    if ($assigns) {
        is(codes($path), '503 503', "$path: an assigned value is not trusted");
        next;
    }

    is(codes($path), $path =~ m{/header/} ? '200 200' : "200 $code", $path);

    next if $path !~ m{/header/};

    for my $who (qw(alice mallory)) {
        my $seen = (ask($path, $who))[1];
        my $is = $who eq 'alice' ? 'good' : 'bad';

        like($seen, qr/\|\Q$who\E\|\Q$is\E\|/, "$path: upstream is told");
    }
}

like(join('', lines('logs/why.log')),
     qr{^/header/map_deny/req 200 active/ \[bad\]$}m,
     'the log has the values that were made again');
like(join('', lines('logs/why.log')),
     qr{^/require/map_deny/set 503 unavailable/early }m,
     'and why nothing was decided');


# reads of the server, which does not enforce by itself

is(codes('/', port => $set), '503 503', 'a server that sets');
is(codes('/none', port => $set), '200 200', 'where nothing is decided by it');
like((ask('/none', 'mallory', port => $set))[1], qr/\|<mallory>1\|$/,
     'a set value stays, a mapped one is made again');
is(codes('/', port => $if), '200 403', 'a server that only looks');
like((ask('/', 'alice', port => $if))[1], qr/\|<alice>\|$/, 'tells upstream');
is(codes('/tenant/acme', port => $if), '503 503',
   'a capture after that might be made of it');


# a value that is not made from a token stays as it is

is(codes('/tenant/acme'), '200 200', 'a capture before the first read');
is(codes('/tenant/other'), '403 403', 'says what it said');
like((ask('/tenant/acme', 'mallory'))[1], qr/\|acme <mallory>\|$/,
     'and stands beside what is made again');

my ($a, $b) = split ' ', (ask('/id', 'alice'))[2]{headers}{'x-same'};

ok($a && $a eq $b, '$request_id stays the same');


# over redirects: from one API to another

sub accel { my ($from, $to) = @_; return map { [ ask($from, $_, 'X-To' => $to) ] } qw(alice mallory) }

sub seen { return join ' ', map { $_->[0] . ($_->[1] =~ /\|([^|]*)\|$/ ? $1 : '') } @_ }

is(seen(accel('/accel', '/second')), '403 200<alice>',
   'the other API alone, from a location that enforces nothing');
is(seen(accel('/accel', '/seen')), '403 200', 'nothing is known before its look-up');
is((ask('/first', 'alice', 'X-To' => '/seen'))[0], 403,
   'nor of the first API');
is((ask('/first', 'alice', 'X-To' => '/second'))[0], 403,
   'what the first API said does not count');
is(seen([ ask('/first', 'alice', 'X-To' => '/taken') ]), '200<>',
   'and is not taken');
is(seen([ ask('/first', 'alice', 'X-To' => '/captured/yes') ]), '200yes <alice>',
   'where the first location read, captures and "set" of the next are its own');
is((ask('/first', 'alice', 'X-To' => '/between'))[0], 503,
   'a value of the first location that one in between has taken');
is(codes('/last'), '200 403', 'rewritten');
is(seen([ ask('/refused', 'alice') ]), '200<alice>', 'a named location');
is((ask('/refused', 'mallory'))[0], 403, 'which decides by itself');


# parts of a page, whose variables are the page's

my $page = '/page?a=/first&b=/second';

like((ask($page, 'alice'))[1], qr/^p\[\/first.*\|<alice>\|\]\[<html>.*403/s,
     'each part is of its own location');

sub lines { my ($file) = @_; open my $in, '<', $nginx->prefix . "/$file" or die; return <$in> }

sub log_of { my ($uri) = @_; return (grep { /^\Q$uri\E / } lines('logs/why.log'))[-1] }

like((ask('/open/page?a=/first&b=/second', 'mallory'))[1],
     qr/^p\[<html>.*403.*\]\[\/second.*\|<alice>\|\]$/s, 'also in an open page');
like(log_of('/page'), qr{ active/ \[good\]$},
     'and the page is logged as its own');
is(seen([ ask('/asks', 'alice') ]), '200<alice>',
   'nor does a location that was asked leave what it was told');


# user names that no password has confirmed

my $basic = 'Basic ' . MIME::Base64::encode_base64('admin:nonsense', '');

my @names = (plain => 401, map => 401, twice => 401, capture => 401,
             scope => 401, set => 503, part => 503, answer => 503,
             none => 200, told => 200, basic => 401);

while (my ($where, $code) = splice @names, 0, 2) {
    my $before = $mock->calls(path => '/v1/tokens', method => 'POST');

    is((ask("/create/$where", undef, Authorization => $basic))[0], $code,
       "/create/$where: the name was not checked");

    next if $code == 200;

    is($mock->calls(path => '/v1/tokens', method => 'POST'), $before,
       'and no token is made');
}

$basic = 'Basic ' . MIME::Base64::encode_base64('admin:secret', '');

is((ask('/create/basic', undef, Authorization => $basic))[0], 200,
   'a name that was checked here counts, whenever it was read');


# the warnings about early reads

my @warn = grep { /\[warn\].*agilicus token/ } split /^/m, $nginx->error_log;

ok(@warn > 100, 'each location says so');
is(scalar(grep { /"\$agilicus_token_sub" was read before.*GET \/require\/map_deny\/req / } @warn),
   1, 'once');
is(scalar(grep { /GET \/require\/map_deny\/none / } @warn), 0,
   'and only where it happened');
like(join('', @warn), qr/"\$remote_user" was read before.*\/create\//,
     'also of a name');

done_testing();
