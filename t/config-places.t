#!/usr/bin/perl

# What "nginx -t" refuses because of what stands in two places: an API and a
# proxy, a handler and another one, a requirement and nothing that enforces it,
# a directive and the file that it names.  Each is refused at the line of the
# directive at fault, which is marked "<<" here, also in an included file.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

use lib 't/lib';
use NginxControl;
use TestCA;

my $top = abs_path(dirname(__FILE__) . '/..');
my $module = $ENV{AGILICUS_MODULE}
             || ($ENV{BUILD} || "$top/build") . '/ngx_agilicus_token_module.so';
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

plan skip_all => 'for the release build only'
    if $ENV{AGILICUS_NGINX_PRELOAD} || $ENV{TEST_NGINX_USE_VALGRIND};

my $tmp = tempdir('agilicus-places-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $ca = TestCA->new;
my $client = $ca->cert('client');


sub spit {
    my ($name, $text, $mode) = @_;

    open my $fh, '>:raw', "$tmp/$name" or die "$tmp/$name: $!\n";
    print $fh $text;
    close $fh or die "$tmp/$name: $!\n";
    chmod $mode, "$tmp/$name" if defined $mode;
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}


spit('ca', slurp($ca->file));
spit('certificate', slurp($client->{cert}));
spit('key', slurp($client->{key}), 0600);
spit('open-key', slurp($client->{key}), 0644);
spit('credential', "edge-token\n", 0600);
spit('open-credential', "edge-token\n", 0604);
spit('words', "two words\n", 0600);
spit('empty', '', 0600);
spit('text', "no PEM\n", 0600);
spit('users', "u:{PLAIN}p\n");
mkdir "$tmp/folder" or die "$tmp/folder: $!\n";
system('mkfifo', "$tmp/pipe") == 0 or die "mkfifo failed\n";


# what nginx says of a configuration, and in which line "<<" stands

sub test {
    my ($http, $included) = @_;

    my $temp = join '', map { "${_}_temp_path $tmp/$_; " }
               qw(client_body proxy fastcgi uwsgi scgi);
    my $text = "load_module $module;\npid $tmp/pid;\nevents { }\n"
               . "http {\naccess_log off; $temp\n$http\n}\n";
    my $line = 0;

    $included = '' if !defined $included;

    for my $part ($text, $included) {
        $part =~ s/\@/$tmp\//g;

        if ($part =~ /^(.*?)<</s) {
            $line = 1 + ($1 =~ tr/\n//);
            $part =~ s/<<//;
        }
    }

    spit('part.conf', $included);
    spit('nginx.conf', $text);

    my $said = `timeout 20 '$nginx' -t -e stderr -p '$tmp/' -c nginx.conf 2>&1`;

    return ($? == 0, $said, $line);
}


sub refused {
    my ($title, $what, $http, $included) = @_;

    my ($taken, $said, $line) = test($http, $included);
    my $file = defined $included && $included =~ /<</ ? 'part' : 'nginx';

    ok(!$taken && $said =~ /\[emerg\] .*\Q$what\E.* in \S+\b$file\.conf:$line$/m,
       "refused: $title") or diag("line $line of $file.conf\n$said");
}


sub taken {
    my ($title, $http, $included) = @_;

    my ($taken, $said) = test($http, $included);

    ok($taken, "taken: $title") or diag($said);
}


sub server {
    my ($text) = @_;

    return "server {\nlisten 127.0.0.1:1;\n$text\n}\n";
}


# plain http stays on this machine

{
    my $on = server('location / { agilicus_token on; }');
    my $api = 'agilicus_token_api http://127.0.0.1:8089;';
    my $proxy = 'agilicus_token_api_proxy http://10.0.0.1:3128;';
    my $what = '"agilicus_token_api_proxy" must be "off" for a plain-http '
               . '"agilicus_token_api" such as "http://127.0.0.1:8089" in ';

    refused('both in http', $what, "$api\n<<$proxy\n$on");
    refused('in the other order', $what, "<<$proxy\n$api\n$on");
    refused('a proxy on this machine', $what,
            "$api\n<<agilicus_token_api_proxy http://127.0.0.1:1;\n$on");
    refused('IPv6', 'must be "off"',
            "agilicus_token_api http://[::1]:1;\n<<$proxy\n$on");
    refused('an included proxy', $what, "$api\ninclude part.conf;\n$on",
            "\n\n<<$proxy\n");
    refused('an API that a server sets', $what,
            "<<$proxy\n" . server("$api\nagilicus_token on;"));
    refused('a proxy that a server sets', $what,
            "$api\n" . server("<<$proxy\nagilicus_token on;"));
    refused('a proxy in a location', $what, "$api\n"
            . server("location / {\n<<$proxy\nagilicus_token on; }"));
    refused('an API in a location', $what, "<<$proxy\n"
            . server("location / {\n$api\nagilicus_token on; }"));
    refused('in limit_except', $what, "$api\n"
            . server("location / { limit_except GET {\n<<$proxy\n"
                     . 'agilicus_token on; } }'));
    refused('report', $what,
            "$api\n<<$proxy\n" . server('agilicus_token report;'));
    refused('a sign-out', $what,
            "$api\n<<$proxy\n" . server('location / { agilicus_token_revoke; }'));
    refused('a hook', $what, "$api\n<<$proxy\n"
            . server('location / { agilicus_token_revocation_hook trusted; }'));
    refused('reissue', $what, "$api\n<<$proxy\n"
            . server('location / { agilicus_token on; agilicus_token_reissue x; }'));
    refused('a feed', $what,
            "$api\n<<$proxy\nagilicus_token_api_credential \@credential;\n"
            . 'agilicus_token_revocation_feed interval=5s;'
            . server('agilicus_token_api https://127.0.0.1:1; '
                     . "agilicus_token_api_ssl_trusted_certificate \@ca; "
                     . 'agilicus_token_api_proxy off; agilicus_token on;'));

    my $https = 'agilicus_token_api https://127.0.0.1:1; '
                . "agilicus_token_api_ssl_trusted_certificate \@ca;";

    taken('https and a proxy', "$https $proxy $on");
    taken('a proxy that is off inside', "$api $proxy"
          . server('agilicus_token_api_proxy off; agilicus_token on;'));
    taken('a pair that nothing uses', "$api $proxy"
          . server("$https agilicus_token on;"));
}


# a directive that nothing enforces

{
    my @needs = (
        'agilicus_token_require_scopes a',
        'agilicus_token_require_scopes any a b',
        'agilicus_token_require_audience a',
        'agilicus_token_require_org o',
        'agilicus_token_require_role a r',
        'agilicus_token_require_resource t i r',
        'agilicus_token_require $http_x',
        'agilicus_token_rules on',
        'agilicus_token_rules on host=h match=search',
        'agilicus_token_deny_masquerading on',
        'agilicus_token_require_mfa 5m',
        'agilicus_token_require_expiry on',
        'agilicus_token_reissue o',
        'agilicus_token_create identity=ssl sub=s org=o audiences=a',
        'agilicus_token_forward off',
        'agilicus_token_identity_headers on',
        'agilicus_token_identity_headers X-Who-',
        'agilicus_token_identity_headers on fields=sub,roles encoding=percent',
        'agilicus_token_source header',
        'agilicus_token_source query=access_token',
        'agilicus_token_source cookie=at header',
    );
    my $credential = "agilicus_token_api_credential \@credential;";

    for my $needs (@needs) {
        my ($directive) = $needs =~ /^(\w+)/;
        my $what = "nothing enforces \"$directive\"";

        refused("$needs in a location", $what,
                server("location / {\n<<$needs; }"));
        taken('... where a location says "on"',
              "$credential $needs;" . server('location / { agilicus_token on; }'
                  . 'location /off { agilicus_token off; }'
                  . 'location /off/deep { }'));

        # the same for all, so a few will do

        next if $needs !~ /_(?:audience|rules on$|forward|source header)/;

        refused('... whose server is off', $what,
                server("agilicus_token off;\nlocation / {\n<<$needs; }"));
        refused('... which is off itself', $what,
                "agilicus_token on;\n"
                . server("location / { agilicus_token off;\n<<$needs; }"));
        refused('... in limit_except', $what,
                server("location / { limit_except GET {\n<<$needs; } }"));
        refused('... in a server', $what,
                server("<<$needs;\nlocation / { agilicus_token off; }"));
        refused('... in http', $what, "<<$needs;\n" . server('location / { }'));
        refused('... in an included file', $what,
                "include part.conf;\n" . server(''), "\n<<$needs;\n");
        refused('... for a sign-out alone', $what, "agilicus_token on;\n"
                . server("location / { agilicus_token_revoke;\n<<$needs; }"));

        taken('... where a nested one does', $credential
              . server("location / { $needs; location /a { location /a/b {"
                       . ' agilicus_token on; } } }'));
        taken('... where limit_except does', $credential
              . server("location / { $needs; limit_except GET {"
                       . ' agilicus_token on; } }'));
        taken('... where one is on around a sign-out',
              "$credential agilicus_token on;"
              . server("location / { $needs; agilicus_token_revoke;"
                       . ' location /a { } }'));
        taken('... where http is on, and its servers are off',
              "$credential agilicus_token on; $needs;"
              . server('agilicus_token off;'));
        taken('... where another reports',
              "$needs;" . server('location / { agilicus_token report; }'));
        taken('... where another is optional',
              "$needs;" . server('location / { agilicus_token optional; }'));
    }

    for my $needs ('agilicus_token_deny_masquerading off',
                   'agilicus_token_require_expiry off',
                   'agilicus_token_rules off',
                   'agilicus_token_identity_headers off',
                   'agilicus_token_forward on', 'agilicus_token_realm x',
                   'agilicus_token_leeway 5s', 'agilicus_token_recheck off',
                   'agilicus_token_preflight pass',
                   "agilicus_token_api_credential \@nowhere")
    {
        taken("$needs where nothing enforces",
              server("location / { $needs; }"));
    }

    refused('the first of several', 'nothing enforces "agilicus_token_rules"',
            server("location /a {\n<<agilicus_token_rules on;\n"
                   . "agilicus_token_require_scopes a; }\n"
                   . 'location /b { agilicus_token_require_org o; }'));
}


# two that answer

{
    my %ours = (agilicus_token_revoke => 'all_sessions',
                agilicus_token_status => 'purge trusted',
                agilicus_token_revocation_hook => 'trusted');
    my @others = ('proxy_pass http://127.0.0.1:1',
                  'fastcgi_pass 127.0.0.1:1', 'uwsgi_pass 127.0.0.1:1',
                  'scgi_pass 127.0.0.1:1', 'memcached_pass 127.0.0.1:1',
                  'grpc_pass 127.0.0.1:1', 'empty_gif');
    my $built = `'$nginx' -V 2>&1`;

    push @others, 'stub_status' if $built =~ /--with-http_stub_status/;
    push @others, 'flv' if $built =~ /--with-http_flv/;
    push @others, 'mp4' if $built =~ /--with-http_mp4/;
    @others = grep { !/^grpc/ } @others if $built !~ /--with-http_v2_module/;

    for my $name (sort keys %ours) {
        my $handler = "$name $ours{$name}";
        my $what = "\"$name\" answers by itself, so it does not go with ";

        for my $other (@others) {
            refused("$name and $other", $what . 'another directive',
                    server("location = /x {\n<<$handler;\n$other;\n}"));
            refused('... in the other order', $what . 'another directive',
                    server("location = /x {\n$other;\n<<$handler;\n}"));
        }

        for my $second (grep { $_ ne $name } sort keys %ours) {
            refused("$name behind $second", $what . 'another directive',
                    server("location = /x {\n$second;\n<<$handler;\n}"));
        }

        refused("$name and a proxy_pass in if", $what . 'another directive',
                server("location = /x {\n<<$handler;\nif (\$arg_x) {\n"
                       . "proxy_pass http://127.0.0.1:1; } }"));
        refused('... in limit_except', $what . 'another directive',
                server("location = /x {\n<<$handler;\nlimit_except POST {\n"
                       . "proxy_pass http://127.0.0.1:1; } }"));

        for my $return ('return 204', 'return 200 "text $uri"',
                        'return http://127.0.0.1/',
                        'set $a b; return 403',
                        'if ($arg_x) { set $a b; } return 403',
                        'rewrite ^/y /z; return 204')
        {
            refused("$name and $return", $what . '"return"',
                    server("location = /x {\n<<$handler;\n$return;\n}"));
            refused('... in the other order', $what . '"return"',
                    server("location = /x {\n$return;\n<<$handler;\n}"));
        }

        refused("$name and try_files", $what . '"try_files"',
                server("location = /x {\n<<$handler;\ntry_files \$uri =404;\n}"));
        refused('... in the other order', $what . '"try_files"',
                server("location = /x {\ntry_files /a =404;\n<<$handler;\n}"));

        taken("$name and what answers for some only",
              server("location = /x { $handler; if (\$arg_x) { return 403; }\n"
                     . 'if ($arg_y) { set $a b; add_header X-A b; } '
                     . 'rewrite ^/never /y last; set $b c; '
                     . 'limit_except POST { deny all; } }'));
        taken("$name around locations that answer",
              server("location /x { $handler; "
                     . 'location /x/y { proxy_pass http://127.0.0.1:1; } '
                     . 'location /x/z { return 204; } }'));
        taken("$name in a server that tries files and returns",
              server("try_files \$uri =404; if (\$arg_x) { return 404; } "
                     . "location /x { $handler; }"));
    }
}


# what protects a hook or a purge protects each block inside it

{
    my %ours = (agilicus_token_status => 'purge',
                agilicus_token_revocation_hook => '');
    my $needs = 'agilicus_token on; agilicus_token_require_scopes a;';

    for my $name (sort keys %ours) {
        my $handler = "$name $ours{$name};";
        my $what = 'needs "agilicus_token on" with a requirement';

        refused("$name without protection", $what,
                server("location /x {\n<<$handler }"));
        refused('... that limit_except takes away', $what,
                server("location /x { $needs\n<<$handler\n"
                       . "limit_except GET { agilicus_token off; } }"));
        refused('... that limit_except turns into a report', $what,
                server("location /x { $needs\n<<$handler\n"
                       . "limit_except GET { agilicus_token report; } }"));
        refused('... that only limit_except has', $what,
                server("location /x {\n<<$handler\n"
                       . "limit_except GET { $needs } }"));
        refused('... that is a report', $what,
                server("location /x { agilicus_token report; "
                       . "agilicus_token_require_scopes a;\n<<$handler }"));

        taken("$name with protection",
              server("location /x { $needs $handler "
                     . 'if ($arg_x) { add_header X-A b; } '
                     . 'limit_except GET { agilicus_token_require_scopes b; } }'));
        taken("$name that is trusted",
              server('location /x { ' . $handler =~ s/;/ trusted;/r
                     . 'if ($arg_x) { add_header X-A b; } '
                     . 'limit_except GET { deny all; } }'));
    }
}


# files: the directive, the file that it names, and what is wrong with it

{
    my $on = server("\nlocation / { agilicus_token on; }\n");
    my $api = 'agilicus_token_api https://127.0.0.1:1;';
    my $trusted = "agilicus_token_api_ssl_trusted_certificate \@ca;";
    my %need = (
        agilicus_token_api_credential => $trusted,
        agilicus_token_api_ssl_trusted_certificate => '',
        agilicus_token_api_ssl_certificate =>
            "$trusted agilicus_token_api_ssl_certificate_key \@key;",
        agilicus_token_api_ssl_certificate_key =>
            "$trusted agilicus_token_api_ssl_certificate \@certificate;",
    );
    my %wrong = (nowhere => 'cannot be opened (2: No such file',
                 folder => 'is not a regular file',
                 pipe => 'is not a regular file', empty => 'is empty');
    my %pem = (text => 'holds no certificate in PEM');
    my %also = (
        agilicus_token_api_credential =>
            { words => 'holds no bearer token',
              'open-credential' => 'holds a secret and everybody can read it' },
        agilicus_token_api_ssl_trusted_certificate => \%pem,
        agilicus_token_api_ssl_certificate => \%pem,
        agilicus_token_api_ssl_certificate_key =>
            { certificate => 'holds a secret and everybody can read it',
              'open-key' => 'holds a secret and everybody can read it',
              text => 'holds no private key without a password in PEM' },
    );

    for my $directive (sort keys %need) {
        my %all = (%wrong, %{ $also{$directive} });

        for my $file (sort keys %all) {
            my $line = "<<$directive \@$file;";
            my $what = "\"$directive\" names \"$tmp/$file\", which $all{$file}";

            refused("$directive of $file", $what,
                    "$api $need{$directive}\n$line\n$on");
            refused('... included', $what,
                    "$api $need{$directive}\ninclude part.conf;\n$on",
                    "\n\n$line\n");
            refused('... in a location', $what, "$api $need{$directive}"
                    . server("location / { agilicus_token on;\n$line }"));
        }
    }

    SKIP: {
        skip 'root reads everything', 1 if $> == 0;

        spit('secret', "edge-token\n", 0000);
        refused('a credential that this user cannot read',
                'which cannot be opened (13: Permission denied)',
                "$api $trusted\n<<agilicus_token_api_credential \@secret;\n$on");
    }

    for my $one (qw(certificate certificate_key)) {
        refused("ssl_$one alone", 'must be set together',
                "$api $trusted\n<<agilicus_token_api_ssl_$one \@key;\n$on");
    }

    refused('a file that two name, at the one that cannot have it',
            "names \"$tmp/open-key\", which holds a secret",
            "$api $trusted agilicus_token_api_ssl_certificate \@certificate;"
            . server("location /a { agilicus_token on; "
                     . "agilicus_token_api_ssl_certificate_key \@key; }\n"
                     . "location /b { agilicus_token on;\n"
                     . "<<agilicus_token_api_ssl_certificate_key \@open-key; }"));
}


# the base of the API, in each of its spellings

for my $url ('http://127.0.0.1/v1', 'http://127.0.0.1:8089/v1/',
             'http://[::1]/api/V1//')
{
    refused($url, "the URL of the Tokens API \"$url\" must not end in \"/v1\"",
            "<<agilicus_token_api $url;\n" . server('agilicus_token on;'));
    refused('... that is not used', 'must not end in "/v1"',
            "include part.conf;\n", "<<agilicus_token_api $url;\n");
}


done_testing;
