#!/usr/bin/perl

# Mistakes that administrators make in a first configuration, one in each: the
# message of "nginx -t" names the directive, and what to write in its place.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

use lib 't/lib';
use TestCA;

my $top = abs_path(dirname(__FILE__) . '/..');
my $module = $ENV{AGILICUS_MODULE}
             || ($ENV{BUILD} || "$top/build") . '/ngx_agilicus_token_module.so';
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

plan skip_all => 'for the release build only'
    if $ENV{AGILICUS_NGINX_PRELOAD} || $ENV{TEST_NGINX_USE_VALGRIND};

my $tmp = tempdir('agilicus-mistakes-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $ca = TestCA->new;
my $client = $ca->cert('client');


sub spit {
    my ($name, $text, $mode) = @_;

    open my $fh, '>:raw', "$tmp/$name" or die "$tmp/$name: $!\n";
    print $fh $text;
    close $fh or die "$tmp/$name: $!\n";
    chmod $mode, "$tmp/$name" if defined $mode;
}


spit('good', "edge-token\n", 0600);
spit('open', "edge-token\n", 0644);
spit('two', "one\ntwo\n", 0600);
spit('empty', '', 0600);
spit('text', "no PEM\n", 0644);
mkdir "$tmp/folder" or die "$tmp/folder: $!\n";
system('cp', $client->{cert}, "$tmp/certificate") == 0 or die "cp failed\n";


my $API = 'agilicus_token_api http://127.0.0.1:8089;';
my $CREDENTIAL = "$API agilicus_token_api_credential \@/good;";
my $UP = 'proxy_pass http://127.0.0.1:1;';


# "http", "server" and "location" are what stands there; "api" and "on" are
# what is right and can be replaced

sub nginx_says {
    my (%with) = @_;

    my $temp = join '', map { "${_}_temp_path $tmp/$_; " }
               qw(client_body proxy fastcgi uwsgi scgi);
    my $api = $with{api} // $API;
    my $on = $with{on} // 'agilicus_token on;';
    my $http = $with{http} // '';
    my $server = $with{server} // '';
    my $location = $with{location} // '';

    my $text = <<"CONF";
load_module $module;
pid $tmp/pid;
events { }
http {
    access_log off; $temp
    $api
    $http
    server {
        listen 127.0.0.1:1;
        $server
        location / {
            $on
            $location
        }
    }
}
CONF

    $text =~ s{\@/}{$tmp/}g;
    spit('nginx.conf', $text);

    my $said = `timeout 20 '$nginx' -t -e stderr -p '$tmp/' -c nginx.conf 2>&1`;

    return ($? == 0, $said);
}


sub refused {
    my ($title, $what, %with) = @_;
    my ($taken, $said) = nginx_says(%with);

    ok(!$taken && $said =~ /\[emerg\] .*\Q$what\E/, "refused: $title")
        or diag($said);
}


sub warned {
    my ($title, $what, %with) = @_;
    my ($taken, $said) = nginx_says(%with);

    ok($taken && $said =~ /\[warn\] .*\Q$what\E.* in \S+:\d+$/m,
       "warned of: $title") or diag($said);
}


sub silent {
    my ($title, %with) = @_;
    my ($taken, $said) = nginx_says(%with);

    ok($taken && $said !~ /\[(?:warn|emerg)\]/, "taken: $title")
        or diag($said);
}


sub parameter {
    my ($value, $directive, $form, %with) = @_;

    refused("\"$value\" of $directive",
            "invalid parameter \"$value\" in \"$directive\" directive, it must "
            . "be $form", %with);
}


silent('nothing is wrong');


# names and places

refused('a directive that does not exist',
        'unknown directive "agilicus_tokn"',
        on => '', location => 'agilicus_tokn on;');
refused('in "if"', '"agilicus_token" directive is not allowed here',
        on => '', location => 'if ($arg_a) { agilicus_token on; }');
refused('twice', '"agilicus_token" directive is duplicate',
        location => 'agilicus_token on;');
refused('a sign-out in server', '"agilicus_token_revoke" directive is not '
        . 'allowed here', server => 'agilicus_token_revoke;');
refused('a zone in server', '"agilicus_token_zone" directive is not allowed '
        . 'here', server => 'agilicus_token_zone a:1m;');
refused('a rate in a location', '"agilicus_token_api_rate" directive is not '
        . 'allowed here', location => 'agilicus_token_api_rate 5r/s;');


# forms

parameter('yes', 'agilicus_token', '"on", "optional", "off" or "report"',
          on => '', location => 'agilicus_token yes;');
parameter('3sec', 'agilicus_token_api_timeout', 'a time, like "3s"',
          http => 'agilicus_token_api_timeout 3sec;');
parameter('2d', 'agilicus_token_leeway', 'a time, like "5s" (1d at most)',
          location => 'agilicus_token_leeway 2d;');
parameter('interval=5ms', 'agilicus_token_revocation_feed',
          'like "interval=5s" (between 1s and 1d)', api => $CREDENTIAL,
          http => 'agilicus_token_revocation_feed interval=5ms;');
parameter('intervall=5s', 'agilicus_token_revocation_feed',
          'like "interval=5s" (between 1s and 1d)', api => $CREDENTIAL,
          http => 'agilicus_token_revocation_feed intervall=5s;');
refused('a feed without an interval',
        '"agilicus_token_revocation_feed" directive needs an "interval", like '
        . '"interval=5s", or "off"', api => $CREDENTIAL,
        http => 'agilicus_token_revocation_feed;');
refused('a feed with only a limit', 'directive needs an "interval"',
        api => $CREDENTIAL, http => 'agilicus_token_revocation_feed limit=5;');
silent('no feed', http => 'agilicus_token_revocation_feed off;');
parameter('actve=5s', 'agilicus_token_cache_valid', 'like "active=30s"',
          location => 'agilicus_token_cache_valid actve=5s;');
parameter('30s', 'agilicus_token_cache_valid', 'like "active=30s"',
          location => 'agilicus_token_cache_valid 30s;');
parameter('60s', 'agilicus_token_cache_stale', 'like "update=10s"',
          location => 'agilicus_token_cache_stale 60s;');
parameter('error=600s', 'agilicus_token_cache_stale',
          'like "error=60s" (300s at most)',
          location => 'agilicus_token_cache_stale error=600s;');
parameter('match=regex', 'agilicus_token_rules',
          '"match=full" or "match=search"',
          location => 'agilicus_token_rules on match=regex;');
parameter('cokie=x', 'agilicus_token_source',
          '"header" or like "cookie=name"',
          location => 'agilicus_token_source cokie=x;');
parameter('500/s', 'agilicus_token_api_rate', 'like "500r/s"',
          http => 'agilicus_token_api_rate 500/s;');
parameter('0', 'agilicus_token_api_breaker', 'a number of failures, like "5"',
          http => 'agilicus_token_api_breaker 0;');
parameter('intropsect', 'agilicus_token_api_credential', '"introspect"',
          api => '', http => 'agilicus_token_api_credential @/good intropsect;');
parameter('X A', 'agilicus_token_identity_headers',
          '"on", "off", or a prefix of three characters at least',
          location => 'agilicus_token_identity_headers "X A";');
refused('a size of 0', '"agilicus_token_max_size" must not be 0, write a size, '
        . 'like "4k"', location => 'agilicus_token_max_size 0;');
refused('a time of 0', 'must not be 0, write a time, like "3s"',
        location => 'agilicus_token_api_timeout 0;');
refused('a realm that is not ASCII', '"agilicus_token_realm" directive must '
        . 'not have control characters or non-ASCII in it',
        location => "agilicus_token_realm \"\xc3\xa4\";");
refused('a flag with a name', 'in "agilicus_token_forward" directive, it must '
        . 'be "on" or "off"', location => 'agilicus_token_forward cookie=a;');


# zones

parameter('agilicus', 'agilicus_token_zone',
          'a name and a size, like "agilicus:10m"',
          http => 'agilicus_token_zone agilicus;');
parameter('agilicus:10mb', 'agilicus_token_zone',
          'a name and a size, like "agilicus:10m"',
          http => 'agilicus_token_zone agilicus:10mb;');
refused('a small zone', 'zone "a:8k" is too small, it must have 32768 bytes at '
        . 'least, like "agilicus_token_zone a:10m"',
        http => 'agilicus_token_zone a:8k;');
refused('a zone twice', 'duplicate zone "a": each "agilicus_token_zone" needs '
        . 'a name of its own',
        http => 'agilicus_token_zone a:1m; agilicus_token_zone a:1m;');
refused('no such zone', 'zone "none" is not defined, add '
        . '"agilicus_token_zone none:10m;" to http',
        location => 'agilicus_token_cache none;');


# URLs

my $like = '; write it like "agilicus_token_api https://api.agilicus.com"';

for my $case ([ 'api.agilicus.com', 'must be an "https" URL' ],
              [ 'htps://api.agilicus.com', 'must be an "https" URL' ],
              [ 'http://api.example', 'must be "https": plain "http" is for '
                . 'literal loopback addresses only' ],
              [ 'http://localhost:8089', 'must say "127.0.0.1" or "[::1]": a '
                . 'name could resolve to any address' ],
              [ 'https://api.example/v1/tokens', 'must not have "/v1/tokens" '
                . 'in it, which is added to it' ],
              [ 'https://api.example:99999', 'has no valid port' ],
              [ 'https://$host', 'must not have variables in it' ])
{
    my ($url, $why) = @$case;

    refused($url, "the URL of the Tokens API \"$url\" $why$like",
            api => "agilicus_token_api $url;");
}

refused('a proxy without a port', 'the URL of the proxy "http://proxy" must be '
        . '"http://host:port": proxies have no usual port; write it like '
        . '"agilicus_token_api_proxy http://proxy.example.com:3128"',
        http => 'agilicus_token_api_proxy http://proxy;');


# files

for my $case ([ none => 'which cannot be opened (2: No such file' ],
              [ open => 'which holds a secret and everybody can read it, take '
                . 'the permission away with "chmod o-r"' ],
              [ two => 'which holds no bearer token: it must have one token, on '
                . 'one line, and nothing else' ],
              [ empty => 'which is empty' ],
              [ folder => 'which is not a regular file' ])
{
    my ($file, $why) = @$case;

    refused("credential: $file", '"agilicus_token_api_credential" names '
            . "\"$tmp/$file\", $why",
            location => "agilicus_token_api_credential \@/$file;");
}

for my $case ([ none => 'which cannot be opened' ],
              [ text => 'which holds no certificate in PEM' ])
{
    my ($file, $why) = @$case;

    refused("authorities: $file", '"agilicus_token_api_ssl_trusted_certificate" '
            . "names \"$tmp/$file\", $why", api => '',
            location => "agilicus_token_api_ssl_trusted_certificate \@/$file;");
}

refused('a certificate without its key',
        '"agilicus_token_api_ssl_certificate" and '
        . '"agilicus_token_api_ssl_certificate_key" must be set together',
        location => 'agilicus_token_api_ssl_certificate @/certificate;');


# requirements

for my $values ('a,b', 'any a,b', 'a b,c', '"a b"') {
    refused("the scopes $values", 'in "agilicus_token_require_scopes" '
            . 'directive, it must be one scope: write several with blanks '
            . 'between them, like "agilicus_token_require_scopes a b"',
            location => "agilicus_token_require_scopes $values;");
}

silent('two scopes', location => 'agilicus_token_require_scopes a b;');
refused('an application without a role', '"agilicus_token_require_role" '
        . 'directive needs an application and at least one of its roles, like '
        . '"meters technician"', location => 'agilicus_token_require_role a;');

for my $directive ('agilicus_token_require_scopes a', 'agilicus_token_rules on')
{
    my ($name) = split ' ', $directive;

    refused("$name alone", "nothing enforces \"$name\": no token is asked for "
            . 'in its block or in any block inside it, add "agilicus_token on"',
            on => '', location => "$directive;");
}

{
    my $without = 'agilicus_token_introspect_options exclude_roles=on;';
    my $what = '"agilicus_token_introspect_options exclude_roles=on" leaves '
               . 'out the roles that "agilicus_token_require_role" needs, write '
               . '"exclude_roles=off"';

    refused('roles that are left out', $what,
            location => "$without agilicus_token_require_role a b;");
    refused('... in another place', $what, http => $without,
            location => 'agilicus_token_require_role a b;');
    silent('... without a requirement', http => $without);
    silent('roles that are not left out',
           http => $without, location => 'agilicus_token_introspect_options '
           . 'exclude_roles=off; agilicus_token_require_role a b;');
}


# handlers and what upstream gets

for my $handler (qw(revoke status)) {
    refused("agilicus_token_$handler beside proxy_pass",
            "\"agilicus_token_$handler\" answers by itself, so it does not go "
            . 'with another directive that answers, such as "proxy_pass": give '
            . 'it a location of its own',
            on => '', location => "agilicus_token_$handler; $UP");
}

for my $handler ('revocation_hook', 'status purge') {
    refused("agilicus_token_$handler without protection",
            "\"agilicus_token_$handler\" needs \"agilicus_token on\" with a "
            . 'requirement such as "agilicus_token_require_scopes"',
            on => '', location => "agilicus_token_$handler;");
}

refused('report with a reissue', '"agilicus_token report" refuses nothing, so '
        . 'it does not go with "agilicus_token_reissue", write '
        . '"agilicus_token on"',
        on => '', location => 'agilicus_token report; agilicus_token_reissue a;');
refused('create without a credential', '"agilicus_token_create" needs '
        . '"agilicus_token_api_credential", a file with the token of the edge',
        location => 'agilicus_token_create identity=ssl sub=a org=b '
        . 'audiences=c;');
refused('create with one parameter', '"agilicus_token_create" directive needs '
        . '"identity", "sub", "org" and "audiences", like "identity=ssl ',
        api => $CREDENTIAL, location => 'agilicus_token_create identity=ssl;');
refused('create with "satisfy any"', '"agilicus_token_create" does not go with '
        . '"satisfy any"', api => $CREDENTIAL,
        location => 'satisfy any; agilicus_token_create identity=ssl sub=a '
        . 'org=b audiences=c;');
refused('a feed without a credential', '"agilicus_token_revocation_feed" needs '
        . '"agilicus_token_api_credential" in http',
        http => 'agilicus_token_revocation_feed interval=5s;');


# variables

refused('an unknown variable', 'unknown "agilicus_token_subject" variable',
        location => "proxy_set_header X \$agilicus_token_subject; $UP");

for my $name (qw(sub email org root_org jti session aud scopes roles iat exp
                 mfa_time)) {
    refused("claim_$name", "unknown \"agilicus_token_claim_$name\" variable: "
            . "write \"\$agilicus_token_$name\"",
            location => "proxy_set_header X \$agilicus_token_claim_$name; $UP");
}

for (qw(sub_email:email last_mfa_time:mfa_time)) {
    my ($member, $variable) = split /:/;

    refused("claim_$member", "unknown \"agilicus_token_claim_$member\" variable: "
            . "write \"\$agilicus_token_$variable\"",
            location => "proxy_set_header X \$agilicus_token_claim_$member; $UP");
}

for my $name (qw(subject su sub_x verdict cache plan creating_sub mfa json)) {
    silent("claim_$name",
           location => "proxy_set_header X \$agilicus_token_claim_$name; $UP");
}


# what is taken, and does not protect

warned('a "return" beside it', '"return" answers before "agilicus_token" asks '
       . 'for a token: nothing protects this location',
       location => 'return 200 hello;');
silent('a "return" where it is inherited', server => 'agilicus_token on;',
       on => '', location => 'return 404;');
silent('a "return" for some requests',
       location => "if (\$arg_a) { return 403; }\n$UP");
silent('a "return" elsewhere', location => 'try_files /none @x;',
       server => 'location @x { return 200 hello; }');
warned('an API that is not verified', '"agilicus_token_api_ssl_verify off" '
       . 'lets anybody on the way answer', api => '',
       location => 'agilicus_token_api_ssl_verify off;');


# a cache of pages that does not keep users apart

sub cached {
    my ($name, $text, %with) = @_;

    my $pass = $name eq 'proxy' ? $UP : "${name}_pass 127.0.0.1:1;";

    $with{http} = "${name}_cache_path $tmp/$name-pages keys_zone=pages:1m;"
                  . ($with{http} // '');
    $with{location} = "$pass $text";

    return %with;
}

for my $name (qw(proxy fastcgi uwsgi scgi)) {
    my $what = "\"${name}_cache\" does not look at tokens, and the page of one "
               . "user may be given to another: add \"${name}_no_cache "
               . '$agilicus_token_no_cache" and '
               . "\"${name}_cache_bypass \$agilicus_token_no_cache\", or "
               . "\"\$agilicus_token_sub\" to \"${name}_cache_key\"";
    my $cache = "${name}_cache pages; ${name}_cache_key \$uri";

    warned("${name}_cache", $what, cached($name, "$cache;"));
    warned("${name}_cache from outside", $what,
           cached($name, '', http => "$cache;"));
    warned("${name}_cache_key with the organisation", $what,
           cached($name, "$cache\$agilicus_token_org;"));
    warned("${name}_no_cache of something else", $what,
           cached($name, "$cache; ${name}_no_cache 0 \$arg_fresh;"));

    silent("${name}_no_cache", cached($name, "$cache; ${name}_no_cache "
                                      . '$arg_a $agilicus_token_no_cache;'));
    silent("${name}_no_cache from outside",
           cached($name, '', http => "$cache; ${name}_no_cache "
                                     . '$agilicus_token_no_cache;'));
    silent("${name}_cache_key with the user",
           cached($name, "$cache\${agilicus_token_sub}x;"));
    silent("${name}_cache_key with the user, from outside",
           cached($name, '', http => "$cache\$agilicus_token_jti;"));
    silent("${name}_cache off",
           cached($name, "${name}_cache off;", http => "$cache;"));
    silent("${name}_cache where no token is asked for",
           cached($name, "$cache;", on => ''));
}

silent('proxy_cache of a location of files',
       http => "proxy_cache_path $tmp/file-pages keys_zone=pages:1m;\n"
               . 'proxy_cache pages;', location => "root $tmp;");
silent('proxy_cache with the header as its key',
       cached('proxy', 'proxy_cache pages; '
              . 'proxy_cache_key $uri$http_authorization;'));
silent('proxy_no_cache 1', cached('proxy', 'proxy_cache pages; '
                                  . 'proxy_no_cache 1;'));


done_testing;
