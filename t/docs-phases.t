#!/usr/bin/perl

# The table of phases in docs/variables.md: from which phase on each variable
# has a value, as nginx's own directives see it.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';

use MockAPI;
use MockUpstream;
use NginxProcess;

my $top = abs_path(dirname(__FILE__) . '/..');


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}


# what the page says: { variable => [ with "access", with "preaccess" ] }

my ($section) = slurp("$top/docs/variables.md") =~ /^## Phases\n(.*?)^## /ms;
my %said;

while (($section // '') =~ /^\| ([^|]*) \| (\w+) \| (\w+) \|$/mg) {
    my ($names, @phases) = ($1, $2, $3);

    # any claim stands for all of them

    $names =~ s/claim_\.\.\./claim_tier/;

    $said{$_} = \@phases for $names =~ /`\$agilicus_token_(\w+)`/g;
}

my @names = grep { !/_\z/ } map {
    slurp($_) =~ /\bngx_agt_(?:variable|fact)\("(\w+)"/g,
    slurp($_) =~ /ngx_string\("agilicus_token_(\w*[a-z])"\),\s*NULL/g
} glob "$top/ngx_agilicus_token_module/*/*.c";

push @names, qw(claim_tier no_cache upstream);

my %seen;

@names = grep { !$seen{$_}++ } @names;

cmp_ok(scalar @names, '>', 20, 'variables are found');


# a token for which each of them has a value, if it is refused for "reason"

MockAPI->start(tokens => { map { ("$_" => { token => {
    sub => 'a', sub_email => 'a@b', org => 'o', root_org => 'r',
    jti => "j-$_", session => 's', aud => [ 'u' ], scopes => [ 'x' ],
    roles => { app => [ 'y' ] }, iat => time - 9, exp => time + 3600,
    last_mfa_time => time - 9, tier => 'gold' } }) } qw(good) });

my $app = MockUpstream->start(name => 'APP');

# verdicts other than "active" have a reason, so what a refusal has is looked
# at where error_page leads to

my %of_refusals = map { $_ => 1 } grep { /^(?:reason|detail)$/ } @names;


sub location {
    my ($phase, $name) = @_;

    my $refuse = $of_refusals{$name}
                 ? 'agilicus_token_require_scopes none;'
                   . "error_page 403 = /content/$name;" : '';

    return <<"EOC";
        location /$phase/rewrite/$name {
            agilicus_token_phase $phase;
            set \$seen "\$agilicus_token_$name";
            add_header X-Seen "<\$seen>" always;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
        location /$phase/preaccess/$name {
            agilicus_token_phase $phase;
            limit_req zone=z_$name;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
        location /$phase/access/$name {
            agilicus_token_phase $phase;
            agilicus_token_require \$has_$name;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
        location /$phase/content/$name {
            agilicus_token_phase $phase;
            $refuse
            proxy_set_header X-Seen "<\$agilicus_token_$name>";
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
EOC
}


my $nginx = NginxProcess->new(
    log_level => 'notice',
    http => "variables_hash_max_size 4096;\nmap_hash_bucket_size 128;\n"
        . join('', map { <<"EOC" } @names)
        map \$agilicus_token_$_ \$has_$_ { default 1; "" ""; }
        limit_req_zone \$has_$_ zone=z_$_:64k rate=1r/m;
EOC
        . <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_timeout 30s;
        agilicus_token_cache off;
        limit_req_status 429;
EOC
    config => "agilicus_token on;\n"
        . join('', map { my $name = $_;
                         map { location($_, $name) } qw(access preaccess) }
                   @names)
        . join('', map { <<"EOC" } sort keys %of_refusals)
        location /content/$_ {
            agilicus_token off;
            proxy_set_header X-Seen "<\$agilicus_token_$_>";
            proxy_pass http://127.0.0.1:\$TEST_NGINX_APP_PORT;
        }
EOC
);

$nginx->start;


sub get {
    my ($path) = @_;

    return $nginx->get($path, headers => { Authorization => 'Bearer good' });
}


my @phases = qw(rewrite preaccess access content);


# the phases in which a variable has a value

sub phases {
    my ($phase, $name) = @_;

    get("/$phase/preaccess/$name");

    my %there = (
        rewrite   => scalar(get("/$phase/rewrite/$name")->{raw_headers}
                            =~ /^X-Seen: <.+>/m),
        preaccess => get("/$phase/preaccess/$name")->{status} == 429,
        access    => get("/$phase/access/$name")->{status} == 200,
        content   => scalar(get("/$phase/content/$name")->{body}
                            =~ /^X-Seen: <.+>/m),
    );

    return join ' ', grep { $there{$_} } @phases;
}


# the first one is on the page, and all that follow have it too

sub from {
    my ($first) = @_;

    return join(' ', @phases) =~ /\b(\Q$first\E\b.*)/ ? $1 : '';
}


for my $name (@names) {
    for my $n (0, 1) {
        my $phase = qw(access preaccess)[$n];

        is(phases($phase, $name), from($said{$name}[$n] // ''),
           "\$agilicus_token_$name, looked up in $phase");
    }
}

delete @said{@names};

is_deeply([ keys %said ], [], 'and no other variable is in the table');

$nginx->finish;

done_testing;
