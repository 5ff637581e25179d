#!/usr/bin/perl

# The pages of the documentation against the code: they say what there is, with
# contexts, defaults and parameters of directives; their links lead somewhere,
# and nginx takes every piece of configuration in them.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use Test::More;

use lib dirname(__FILE__) . '/lib';

use TestCA;

my $top = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{BUILD} || "$top/build";
my $module = $ENV{AGILICUS_MODULE} || "$build/ngx_agilicus_token_module.so";
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my $name = 'ngx_agilicus_token_module';


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}


# the directives of requirements, which have a table of their own

sub requirements {
    return slurp("$top/$name/token/policy.h")
           =~ /^    row\(\w+, \w+, "(agilicus_token\w*)",/mg;
}


my %entries = map { /\A(\w+)\n/ ? ($1 => $_) : () }
              split /^### (?=agilicus)/m, slurp("$top/docs/directives.md");


subtest 'contexts are those of the code' => sub {
    my %contexts = (MAIN => 'http', SRV => 'server', LOC => 'location',
                    LMT => 'limit_except');
    my $source = slurp("$top/$name/$name.c");
    my ($anywhere) = $source =~ /define NGX_AGT_ANYWHERE\s+\\\n(.*)/;
    my %flags = $source =~ /\{ ngx_string\("(agilicus_token\w*)"\),\s+([A-Z\d_|]+),/g;

    $flags{$_} = 'NGX_AGT_ANYWHERE' for requirements();

    cmp_ok(scalar keys %flags, '>', 40, 'directives are found');

    for my $directive (sort keys %flags) {
        my $flags = $flags{$directive}
                    =~ s/NGX_AGT_ANYWHERE/$anywhere/r;
        my $said = ($entries{$directive} || '') =~ /^Context: +(.*)$/m
                   ? $1 : '';

        is($said, join(', ', map { $contexts{$_} }
                             grep { $flags =~ /NGX_HTTP_${_}_CONF/ }
                             qw(MAIN SRV LOC LMT)), $directive);
    }

    done_testing;
};


subtest 'defaults are those of the code' => sub {
    my $source = slurp("$top/$name/config/merge.c")
               . slurp("$top/$name/config/directives_cache.c");

    # what a field is set to where nothing is configured, and what is said

    my %merged = $source =~ /(?:ngx_conf_merge_(?:\w+_)?value
                             |ngx_agt_merge_setting)
                             \(&?conf->(\w+),
                             \s*&?prev->\w+,\s*([^;]+?)\);/gx;
    my %init = $source =~ /ngx_conf_init_\w*value\(
                           (?:conf->ages\.|mcf->)(\w+),\s*([^;]+?)\);/gx;
    my %made = $source =~ /mcf->api\.((?:rate|breaker)\.\w+)\s=\s([^;]+);/gx;
    my %code = (%merged, %init, %made);

    my @defaults = (
        [ '', 'off', enable => 'NGX_AGT_OFF' ],
        [ _realm => 'agilicus', realm => '"agilicus"' ],
        [ _source => 'header', sources => 'NULL' ],
        [ _max_size => '4k', max_size => '4096' ],
        [ _leeway => '0s', leeway => '0' ],
        [ _require_expiry => 'off' ],
        [ _preflight => 'check',
          preflight => 'NGX_AGT_PREFLIGHT_CHECK' ],
        [ _error_body => 'html',
          error_body => 'NGX_AGT_ERROR_BODY_HTML' ],
        [ _api => 'https://api.agilicus.com',
          api_url => '"https://api.agilicus.com"' ],
        [ _api_connect_timeout => '1s', api_connect_timeout => '1000' ],
        [ _api_timeout => '3s', api_timeout => '3000' ],
        [ _api_proxy => 'off', api_proxy => '""' ],
        [ _api_ssl_verify => 'on', api_ssl_verify => '1' ],
        [ _api_max_inflight => '64', max_inflight => '64' ],
        [ _api_rate => '500r/s per_client=50r/s burst=2s',
          'rate.rate' => '500 * 1000', 'rate.per_client' => '50 * 1000',
          'rate.burst' => '2 * 1000 * 1000' ],
        [ _api_breaker => '5 open=1s max=30s', 'breaker.failures' => '5',
          'breaker.open' => '1000', 'breaker.max' => '30000' ],
        [ _cache_valid => 'active=30s watched=300s rights=30s invalid=10s',
          active => '30000', watched => '300000',
          rights => 'conf->ages.active', invalid => '10000' ],
        [ _cache_stale => 'update=10s error=0s', update => '10000',
          error => '0' ],
        [ _revocation_ttl => '24h', revocation_ttl => '24 * 60 * 60' ],
        [ _recheck => '5s', recheck => '5000' ],
        [ _rules => 'off', rules => '0' ],
        [ _deny_masquerading => 'off' ],
        [ _forward => 'on', forward => '1' ],
        [ _identity_headers => 'off', identity => 'NULL' ],
    );

    for my $default (@defaults) {
        my ($directive, $text, %fields) = @$default;

        $directive = "agilicus_token$directive";

        like($entries{$directive} || '',
             qr/^Default:  \Q$directive $text;\E$/m, "$directive $text");

        is($code{$_}, $fields{$_}, "... $_") for sort keys %fields;
    }

    like($source, qr/ZONE_SIZE  \(10 \* 1024 \* 1024\)$/m, 'the zone has 10m');
    like($entries{agilicus_token_zone},
         qr/^Default:  agilicus_token_zone agilicus:10m;$/m, '... as is said');
    like($entries{agilicus_token_cache},
         qr/^Default:  agilicus_token_cache agilicus;$/m, '... and used');
    like($entries{agilicus_token_revocation_feed},
         qr/^Default:  agilicus_token_revocation_feed off;$/m, 'no feed');

    done_testing;
};


subtest 'how late a change is noticed is what the code says' => sub {
    my ($section) = slurp("$top/docs/revocation.md")
                    =~ /^## How late a change is noticed\n(.*?)^## /ms;
    my %said = $section =~ /^\| \[(\w+)\]\S* \| .* \| `(\w+)` \+ A \|$/mg;
    my %there = slurp("$top/$name/token/policy.h")
                =~ /^    row\(\w+, \w+, "(\w+)",\s+\\\n.*, (\w+)\)/mg;
    my %bound = (OWN => 'watched', RIGHTS => 'rights');

    $_ = $bound{$_} for values %there;

    # rules are judged, too, and have a directive of their own

    $there{agilicus_token_rules} = 'rights';

    cmp_ok(scalar keys %there, '>', 7, 'requirements are found');
    is_deeply(\%said, \%there, 'for each requirement');

    # and each member stands in the row that the code says

    %bound = (WATCHED => '`watched` + A', RIGHTS => '`rights` + A',
              NEVER => 'never');

    for my $of (qw(Token User)) {
        my %member = map { $_->[0] => $bound{$_->[3]} } members($of);
        my %row;

        while ($section =~ /^\| $of: ([^|]*) \|[^|]*\| ([^|]*) \|$/mg) {
            my ($names, $bound) = ($1, $2);

            $row{$_} = $bound for $names =~ /`(\w+)`/g;
        }

        is_deeply(\%row, \%member, "for each member of $of");
    }

    done_testing;
};


# members that the API documents, what becomes of each, its variable, and how
# late a change is noticed

sub members {
    my ($of) = @_;

    my $name = 'NGX_AGT_JSON_' . uc($of) . '_MEMBERS';
    my ($rows) = slurp("$top/ngx_agilicus_token_module/json/members.h")
                 =~ /^#define $name\(row\)(.*?)\n\n/ms;
    my @members;

    push @members, [ $1, $2, $3, $4 ]
        while $rows =~ /row\("(\w+)", (\w+), "(\w*)", (\w+)\)/g;

    return @members;
}


subtest 'what becomes of each member is what the code says' => sub {
    my ($section) = slurp("$top/docs/security.md")
                    =~ /^## Members of a Token\n(.*?)^## /ms;
    my %said = $section =~ /^\| `([\w.]+)` \| (\w+) \| \S.* \|$/mg;
    my %there = (map({; $_->[0] => lc $_->[1] } members('Token')),
                 map({; "user.$_->[0]" => lc $_->[1] } members('User')));

    cmp_ok(scalar keys %there, '>', 40, 'members are found');
    is_deeply(\%said, \%there, 'for each member');

    # and it has the variable that is described

    my $described = slurp("$top/docs/variables.md");

    for my $member (grep { $_->[2] !~ /^(?:claim)?\z/ } members('Token')) {
        my ($of, undef, $variable) = @$member;

        like($described, qr/^\| `\$agilicus_token_$variable` \| `$of` \|/m, $of);
    }

    done_testing;
};


subtest 'parameters are those of the code' => sub {
    my $source = join '', map { slurp($_) } glob "$top/$name/config/directives*.c";
    my %there = map { $_ => 1 }
                $source =~ /(?:ngx_strn?cmp\(value(?:\[[^]]+\]\.|->)data,|ngx_agt_fleet_is\(value,|ngx_str_set\([^"]*|ngx_string\()\s*"([a-z_]+)=/g,
                $source =~ /len == \d+ && ngx_strncmp\(name\.data, "(\w+)"/g;
    my $said = join ' ', map { /^Syntax: +(.*)$/m } values %entries;
    my %said = map { $_ => 1 } $said =~ /\b([a-z_]+)=/g;

    cmp_ok(scalar keys %said, '>', 15, 'parameters are found');
    is_deeply([ sort keys %there ], [ sort keys %said ], 'no more, no less');

    done_testing;
};


subtest 'every directive has what an entry has' => sub {
    for my $directive (sort keys %entries) {
        my $entry = $entries{$directive};

        ok($entry =~ /^```nginx\n(?:.*\n)*?\s*\Q$directive\E[ ;]/m
           && $entry =~ /^This directive appeared in version \d/m,
           "$directive has an example and a version");
    }

    done_testing;
};


subtest 'what nginx -t is said to say is what it says' => sub {
    my $source = join '', map { slurp($_) } glob "$top/$name/*.c $top/$name/*/*.c";
    my ($table) = slurp("$top/docs/troubleshooting.md")
                  =~ /^## nginx -t refuses\n(.*?)^## /ms;

    $source =~ s/"\s*\n\s*"//g;
    $source =~ s/\\"/"/g;

    for my $cell ($table =~ /^\| (`.*?`) \|/mg) {

        # nginx's own words

        next if $cell =~ /^`(?:unknown directive|module) /;

        for my $part (map { split / ?\.\.\. ?/ } $cell =~ /`(.*?)`/g) {
            $part =~ s/"x"/"%V"/;
            $part =~ s/^the URL of the Tokens API\z/the URL of the /;

            ok(index($source, $part) >= 0, $part) if length $part;
        }
    }

    done_testing;
};


subtest 'what the log is said to say of a fleet is what it says' => sub {
    my $source = join '', map { slurp($_) } glob "$top/$name/*/*.c";
    my ($table) = slurp("$top/docs/troubleshooting.md")
                  =~ /^## A fleet is not healthy\n(.*)/ms;
    my @parts = map { split / ?\.\.\. ?/ } map { /`(.*?)`/g }
                $table =~ /^\| (`.*?`) \|/mg;
    my %said;

    $source =~ s/"\s*\n\s*"//g;
    ok(index($source, $_) >= 0, $_) for grep { length } @parts;
    $said{$_} = 1 for @parts;

    # whatever a connection fails for

    is_deeply([ grep { !$said{$_} } map { slurp($_) =~
        /ngx_agt_fleet_(?:connection_fail|connection_refuse|error)\([^;"]*
         "([^"]*)"\)/xg } glob "$top/$name/fleet/*.c" ], [],
        'and nothing else');

    done_testing;
};


subtest 'every source is in the tree, and in one place of it' => sub {
    my ($tree) = slurp("$top/docs/design.md")
                 =~ m{^ngx_agilicus_token_module/\n(.*?)^```}ms;
    my ($room, %said) = ('');

    for my $line (split /\n/, $tree) {
        if ($line =~ m{^  (\w+)/  +\S}) {
            $room = "$1/";
        } elsif ($line =~ /^  (  )?(\w+)  +\S/) {
            $said{($1 ? $room : '') . $2}++;
        } else {
            is($line, '', 'a line of the tree says what a file is about');
        }
    }

    my @there = slurp("$top/config") =~ m{\$agilicus_dir/([\w/]+)\.c\s}g;

    cmp_ok(scalar @there, '>', 50, 'sources are found');
    is($said{$_}, 1, $_) for @there;
    is_deeply([ grep { my $file = $_; !grep { $_ eq $file } @there }
                sort keys %said ], [], 'and no other has');

    done_testing;
};


subtest 'the documentation says what there is' => sub {
    my $table = slurp("$top/$name/$name.c");
    my $variables = slurp("$top/$name/request/variables.c");
    my $reasons = slurp("$top/$name/token/reason.h");
    my $directives = slurp("$top/docs/directives.md");
    my $troubles = slurp("$top/docs/troubleshooting.md");
    my $described = slurp("$top/docs/variables.md");

    my %there = map { $_ => 1 } requirements(),
                $table =~ /^    \{ ngx_string\("(agilicus_token\w*)"\)/mg;
    my %said = map { $_ => 1 } $directives =~ /^### (\w+)$/mg;

    is_deeply([ sort keys %said ], [ sort keys %there ],
              'every directive, and no other');

    my $form = join '', map { "$_ +\\S.*\n" }
               qw(Syntax: Default: Context: Phase:);

    $form = qr/\n```\n$form```\n\n\S/;

    is_deeply([ grep { $directives !~ /^### \Q$_\E\n$form/m
                       || $directives !~ /^Syntax:   \Q$_\E [^\n]*;$/m }
                sort keys %there ], [], '... each in the same form');

    is_deeply([ grep { !$there{$_} } map { /^\s*(agilicus_token\w*)\s/mg }
                map { slurp($_) } glob("$top/docs/*.md $top/README.md") ],
              [], 'and examples use no other');

    my @variables = map { "\$agilicus_token_$_" } grep { !/_\z/ }
        $variables =~ /ngx_agt_(?:variable|fact)\("(\w+)"/g;

    is_deeply([ grep { $described !~ /^(?:### |\| `)\Q$_\E\b/m } @variables ],
              [], 'every variable');

    my @reasons = $reasons =~ /\bR\(\w+, "(\w+)", \w+\)/g;

    cmp_ok(scalar @reasons, '>', 30, 'reasons are found');

    $troubles =~ s/^## nginx -t.*//ms;

    my @words = $troubles =~ /^\| ((?:`\w+`(?:, )?)+)/mg;
    my %reason = map { $_ => 1 } @reasons;

    is_deeply([ grep { !$reason{$_} } map { /`(\w+)`/g } @words ], [],
              'no reason that there is not');

    done_testing;
};


subtest 'the glossary is in order, and has words of the pages' => sub {
    my @words = grep { $_ ne 'word' && !/^-/ }
                slurp("$top/docs/glossary.md") =~ /^\| ?([^|]+?) ?\|/mg;
    my $pages = join "\n", map { slurp($_) } grep { !m{/glossary} } pages();

    cmp_ok(scalar @words, '>', 30, 'it has words');
    is_deeply(\@words, [ sort { lc $a cmp lc $b } @words ], 'in order');
    is_deeply([ grep { $pages !~ /\b\Q$_\E/i } @words ], [], 'that are used');

    done_testing;
};


subtest 'links lead somewhere' => sub {
    my @broken;

    for my $file (pages()) {
        my $text = slurp($file);

        while ($text =~ /\]\(([^)\s]+)\)/g) {
            my ($path, $anchor) = split /#/, $1, 2;

            next if $path =~ /^https?:/;

            my $target = length $path ? dirname($file) . "/$path" : $file;

            push @broken, "$file: $path" if !-e $target;

            next if !defined $anchor || !-f $target;

            my %anchors = map { anchor($_) => 1 }
                          slurp($target) =~ /^#+ +(.*)$/mg;

            push @broken, "$file: $path#$anchor" if !$anchors{$anchor};
        }
    }

    is_deeply(\@broken, [], 'in every page');

    done_testing;
};


# as a heading is linked to

sub anchor {
    my ($heading) = @_;

    $heading = lc $heading;
    $heading =~ s/[^\w\- ]//g;
    $heading =~ tr/ /-/;

    return $heading;
}


# nginx -t of each example is for the release build: no plan may follow tests,
# so the others end here

if ($ENV{AGILICUS_NGINX_PRELOAD} || $ENV{TEST_NGINX_USE_VALGRIND}) {
    done_testing;
    exit;
}


# top-level statements of a piece of configuration

sub statements {
    my ($text) = @_;

    my ($depth, $one, @all) = (0, '');

    for my $part ($text =~ /("(?:[^"\\]|\\.)*"|'[^']*'|#.*|[{};]|[^"'#{};]+)/g) {
        $one .= $part;
        $depth += $part eq '{' ? 1 : $part eq '}' ? -1 : 0;

        if (!$depth && $part =~ /\A[};]\z/) {
            push @all, $one =~ s/\A\s+//r;
            $one = '';
        }
    }

    return @all;
}


# pieces of configuration in a page, as [ line, text ]: blocks, and statements
# within a sentence

sub examples {
    my ($text) = @_;

    my @examples;

    while ($text =~ /^( *)```nginx\n(.*?)^ *```$|`((?!Syntax)[a-z_]+ [^`\n]*;)`/msg) {
        my ($indent, $example, $start) = ($1 // '', $2 // $3, $-[0]);

        $example =~ s/^\Q$indent\E//mg;
        push @examples, [ 1 + (substr($text, 0, $start) =~ tr/\n//), $example ];
    }

    return @examples;
}


sub pages {
    return glob("$top/*.md $top/docs/*.md $top/authority/*.md");
}


subtest 'no configuration stands where it is not tested' => sub {
    for my $page (pages()) {
        my $text = slurp($page);

        # t/docs-getting-started.t runs what it pastes

        $text =~ s/^( *)```nginx\n.*?^ *```$//msg;
        $text =~ s/^```sh\n.*?^```$//msg if $page =~ /getting-started/;

        is(join("\n", $text =~ /^\s*(agilicus_token\w*\s[^|`]*;)$/mg), '',
           basename($page));
    }

    done_testing;
};


subtest 'nginx takes every example' => sub {
    my $tmp = tempdir('agilicus-docs-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    mkdir "$tmp/logs" or die "$tmp/logs: $!";

    my $ca = TestCA->new;
    my $client = $ca->cert('client');
    my %files = ('agilicus.token' => "edge-token\n",
                 'fleet.key' => '5a' x 32 . "\n", 'redis.password' => "p\n",
                 users => "u:{PLAIN}p\n",
                 'edge.pem' => slurp($client->{cert}),
                 'agilicus-ca.pem' => slurp($ca->file),
                 'edge.key' => slurp($client->{key}));

    for my $file (keys %files) {
        open my $fh, '>', "$tmp/$file" or die "$tmp/$file: $!\n";
        print $fh $files{$file};
        close $fh;
        chmod 0600, "$tmp/$file";
    }

    my $http = join '', map({ "upstream $_ { server 127.0.0.1:1; }\n" }
                            qw(app meters reports)),
               map({ "${_}_temp_path $tmp/$_;\n" }
                   qw(client_body proxy fastcgi uwsgi scgi)),
               "proxy_cache_path $tmp/cache keys_zone=pages:1m;\n";
    my $count = 0;

    for my $page (pages()) {
        for my $piece (examples(slurp($page))) {
            my ($line, $example) = @$piece;
            my %at = map { $_ => '' } qw(main http server location);

            for my $one (statements($example)) {
                my ($level) = $one =~ /\A(?:
                    (?<main> load_module|http|error_log|worker_\w+)
                    | (?<http> server|map|log_format|access_log
                              |limit_req_zone|agilicus_token_zone
                              |agilicus_token_worker_cache)
                    | (?<server> location))\b/x ? keys %+ : 'location';

                $at{$level} .= "$one\n";
            }

            my $load = "load_module $module;\n";

            $load = '' if $at{main} =~ s/^load_module \K\S+/$module;/m;
            $at{http} .= "server {\nlisten 127.0.0.1:1;\n$at{server}"
                         . "location /here {\n"
                         . ($at{location} =~ /^agilicus_token\s/m ? ''
                            : "agilicus_token on;\n")
                         . "$at{location} } }\n";
            $at{main} .= "http { }\n" if $at{main} !~ /^http \{/m;
            $at{main} =~ s/^http \{\K/\n$http$at{http}/m;

            my $conf = "${load}pid $tmp/pid;\nevents { }\n$at{main}";

            $conf =~ s/\A(.*?)^(load_module [^\n]+\n)/$2$1/ms;
            $conf =~ s{/(?:etc|var/log)/nginx/}{$tmp/}g;

            open my $fh, '>', "$tmp/nginx.conf" or die "$tmp: $!\n";
            print $fh $conf;
            close $fh;

            my $said = `'$nginx' -t -e stderr -p '$tmp/' -c nginx.conf 2>&1`;

            ok($? == 0, basename($page) . ", line $line")
                or diag($said, $conf);

            $count++;
        }
    }

    cmp_ok($count, '>', 40, 'there are many');

    done_testing;
};


done_testing;
