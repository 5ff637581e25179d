#!/usr/bin/perl

# The figures of the module: as JSON, for Prometheus and as a page.  All three
# come from one table, and docs/operations.md describes each family of it.

use strict;
use warnings;

use Digest::SHA ();
use File::Basename qw(dirname);
use File::Temp ();
use JSON::PP ();
use Test::More;

use lib dirname(__FILE__) . '/lib';

use MockAPI;
use NginxProcess;
use TestJWT;

my $top = dirname(__FILE__) . '/..';
my $mock = MockAPI->start(default => { token => {} },
                          tokens  => {
                              gone => 410,
                              'reissued-good' => { token => { org => 'north' } },
                          });
my $odd = qq{a"b\\c<d>&e};

my $nginx = NginxProcess->new(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential \$TEST_NGINX_PREFIX/late;
        agilicus_token_api_breaker 2 open=60s max=60s;
        agilicus_token_zone agilicus:1m;
        agilicus_token_zone '@{[ $odd =~ s/\\/\\\\/r ]}:1m';
EOC
    config => <<'EOC',
        location = /page { agilicus_token on; try_files /page =404; }
        location = /old {
            agilicus_token on;
            agilicus_token_cache_valid active=0s;
            agilicus_token_cache_stale error=60s;
            try_files /page =404;
        }
        location = /north {
            agilicus_token on;
            agilicus_token_reissue north;
            try_files /page =404;
        }
        location = /early {
            agilicus_token on;
            agilicus_token_api_credential $TEST_NGINX_PREFIX/early;
        }
        location = /status { agilicus_token_status; }
EOC
);

# no call is made with the second credential

my %ends = (late => time + 200000, early => time + 100000);

for my $name (keys %ends) {
    chmod 0600, $nginx->write_file($name, TestJWT::jwt({ alg => 'ES256' },
                                          { exp => $ends{$name} }, $name));
}

$nginx->write_file('html/page', "page\n");
$nginx->start;


sub page {
    my ($token, $path) = @_;

    $nginx->get($path || '/page', defined $token
                         ? (headers => { Authorization => "Bearer $token" })
                         : ());
}


# JSON that cannot be read has no figures

sub figures {
    my $body = $nginx->get('/status?format=json')->{body};

    return eval { JSON::PP::decode_json($body) }
           || { apis => [], zones => [], cache => {} };
}


sub b64 { Digest::SHA::sha256_base64($_[0]) . '=' }


sub total {
    my ($counts) = @_;
    my $n = 0;

    $n += $_ for values %$counts;

    return $n;
}


page('good') for 1 .. 3;
page('gone');
page();

my $json = figures();
my $text = $nginx->get('/status?format=prometheus')->{body};
my $html = $nginx->get('/status?format=html');


subtest 'JSON' => sub {
    is($json->{verdicts}{active}, 3, 'three were let in');
    is($json->{verdicts}{revoked}, 1, 'one was revoked');
    is($json->{verdicts}{missing}, 1, 'one came without a token');
    is($json->{decisions}{missing}{no_token}, 1, '... which is the reason');
    is($json->{decisions}{active}{''}, 3, 'none is needed to be let in');
    is($json->{decisions}{forbidden}{scope}, 0, 'what did not happen is zero');
    is($json->{cache}{hit}, 2, 'two were known');
    is($json->{cache}{miss}, 2, 'two were not');
    is($json->{hit_ratio}, 0.5, '... a half of all');
    is($json->{denials}{live}, 1, 'one is denied');
    is($json->{feed}{state}, 'off', 'there is no feed');
    ok(!$json->{feed}{incomplete}, '... which is missing nothing');
    is($json->{feed}{lag_ms}, -1, '... and has no age');

    my ($api, @more) = @{$json->{apis}};

    is(scalar @more, 0, 'one API');
    is($api->{url}, $mock->url, '... has its URL');
    is($api->{calls}{introspect}{ok}, 1, '... has told of one token');
    is($api->{calls}{introspect}{revoked}, 1, '... and of another');
    is(total($api->{calls}{introspect}), 2, '... and of no other');
    is(total($api->{latency_ms}{introspect}), 2,
       '... both calls are in the histogram');
    is(total($api->{latency_ms}{list}), 0, '... of that operation only');
    is($api->{breaker}, 'closed', '... and does not fail');
    is($api->{credential_expiry_ms}, 1000 * $ends{early},
       '... two credentials for it, of which one ends first');
    is_deeply([ map { $_->{name} } @{$json->{zones}} ], [ 'agilicus', $odd ],
              'zones have their names, whatever is in them');
    is($json->{zones}[0]{facts}, 1, 'facts of one token lie in the first');

    done_testing;
};


subtest 'Prometheus' => sub {
    my (%type, %help, @wrong, %seen, $family);

    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP (\w+) (\S.*)$/) {
            push @wrong, $line if $help{$1}++;
            $family = $1;

        } elsif ($line =~ /^# TYPE (\w+) (counter|gauge|histogram)$/) {
            push @wrong, $line if $type{$1} || $1 ne $family;
            $type{$1} = $2;

        } elsif ($line =~ /^(\w+?)((?:_(?:bucket|sum|count))?)
                           (\{\w+="(?:[^"\\]|\\.)*"
                             (?:,\w+="(?:[^"\\]|\\.)*")*\})?
                           \ \d+(?:\.\d+)?$/x)
        {
            my ($name, $suffix) = ($1, $2);

            push @wrong, $line
                if $seen{$line =~ s/ \S+$//r}++
                   || $name ne $family
                   || ($suffix ne '') != ($type{$name} eq 'histogram');

        } else {
            push @wrong, $line;
        }
    }

    is_deeply(\@wrong, [], 'every line is one of the format');
    is_deeply([ sort keys %type ], [ sort keys %help ],
              'each family has HELP and TYPE');
    is_deeply([ grep { ($type{$_} eq 'counter') != /_total$/ } keys %type ],
              [], 'counters end in _total, and only these');

    like($text, qr/^agilicus_token_build_info
                    \{version="[\d.]+",nginx="[\d.]+"\}\ 1$/mx, 'versions');
    like($text, qr/^agilicus_token_decisions_total
                    \{verdict="active",reason=""\}\ 3$/mx, 'a counter');
    like($text, qr/^agilicus_token_decisions_total
                    \{verdict="forbidden",reason="scope"\}\ 0$/mx,
         '... which is there before it counts');
    like($text, qr/^agilicus_token_api_calls_total
                    \{api="[^"]+",operation="introspect",result="revoked"\}
                    \ 1$/mx, 'calls');
    like($text, qr/^agilicus_token_api_credential_expiry_timestamp_seconds
                    \{api="[^"]+"\}\ $ends{early}\.000$/mx, 'a date');
    like($text, qr/^agilicus_token_zone_entries\{zone="agilicus",kind="facts"\} 1$/m,
         'a gauge of a zone');
    like($text, qr/\{zone="a\\"b\\\\c<d>&e",kind=/, 'a name is escaped');
    like($text, qr/^agilicus_token_feed_state\{state="off"\} 1$/m, 'a state');
    unlike($text, qr/^agilicus_token_feed_(?:lag|interval)_seconds \S/m,
           'no sample where nothing is known');

    is_deeply([ $text =~ /^agilicus_token_api_latency_seconds_bucket\{api="[^"]+",operation="introspect",le="([^"]+)"\}/mg ],
              [ qw(0.001 0.002 0.005 0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 +Inf) ],
              'bounds of the histogram are written as Prometheus does');
    like($text, qr/_bucket\{[^}]*introspect",le="\+Inf"\} 2$/m,
         '... and hold all calls');
    like($text, qr/_seconds_count\{[^}]*introspect"\} 2$/m,
         '... which are counted');
    like($text, qr/_seconds_count\{[^}]*list"\} 0$/m,
         '... each with its operation');

    done_testing;
};


subtest 'the JSON is as its schema says' => sub {
    my $file = File::Temp->new(SUFFIX => '.json');

    print $file $nginx->get('/status?format=json')->{body};
    close $file;

    my $check = 'import json, sys, jsonschema; '
                . 's, d = [json.load(open(f)) for f in sys.argv[1:]]; '
                . 'jsonschema.Draft202012Validator.check_schema(s); '
                . 'jsonschema.validate(d, s)';

    is(`python3 -B -c '$check' $top/docs/status.schema.json $file 2>&1`, '',
       'nothing is missing, nothing is more');
    is($?, 0, '... as jsonschema says');

    done_testing;
};


subtest 'promtool' => sub {
    plan skip_all => 'no promtool'
        if system('command -v promtool >/dev/null 2>&1') != 0;

    my $file = File::Temp->new;

    print $file $text;
    close $file;

    is(`promtool check metrics < $file 2>&1`, '', 'has nothing to say');
    is($?, 0, '... and agrees');

    done_testing;
};


subtest 'the page' => sub {
    like($html->{raw_headers}, qr/^Content-Type: text\/html; charset=utf-8\r$/m,
         'is HTML');
    like($html->{raw_headers}, qr/^Cache-Control: no-store\r$/m, '... not to be kept');
    like($html->{body}, qr/<\/html>\n\z/, '... is whole');
    my ($zone) = $html->{body} =~ m{<h3>Zone a&quot;b\\c&lt;d&gt;&amp;e</h3>(.*?)</table>}s;

    ok($zone, 'a name is escaped');
    is_deeply([ sort(($zone || '') =~ /<th>(\w+)</g) ],
              [ sort grep { $_ ne 'name' } keys %{$json->{zones}[0]} ],
              '... and its table has the figures that JSON has');
    like($html->{body}, qr{<th>breaker</th><td>closed</td>},
         'the breaker is a word');
    like($html->{body}, qr{<th>credential_expiry_ms</th><td>$ends{early}000</td>},
         'the end of a credential is there');
    like($html->{body}, qr{<th>decisions missing no_token</th><td>1</td>},
         'a decision has its verdict and its reason');

    my ($style) = $html->{body} =~ m{<style>(.*?)</style>}s;
    my ($script) = $html->{body} =~ m{<script>(.*?)</script>}s;

    like($html->{raw_headers}, qr/^Content-Security-Policy:\ default-src\ 'none';
                                  \ style-src\ 'sha256-\Q@{[ b64($style) ]}\E';
                                  \ script-src\ 'sha256-\Q@{[ b64($script) ]}\E';
                                  \ connect-src\ 'self';\ img-src\ data:;
                                  \ base-uri\ 'none';\ form-action\ 'none';
                                  \ frame-ancestors\ 'none'\r$/mx,
         'only its own style and script count');
    unlike($html->{body}, qr/\{\{/, 'no mark is left');
    unlike($html->{body}, qr{https?://(?!127\.0\.0\.1|www\.w3\.org/2000/svg')},
           'it names no other place');

    done_testing;
};


subtest 'a look-up is counted once' => sub {
    $mock->script(default => 500);
    is(page('good', '/old')->{status}, 200, 'old facts serve');
    $mock->script(default => {});
    is(page('good', '/old')->{status}, 200, 'and then new ones');

    my $now = figures();

    is_deeply({ map { $_ => ($now->{cache}{$_} || 0) - ($json->{cache}{$_} || 0) }
                    qw(hit miss joined updating stale bypass) },
              { hit => 0, miss => 1, joined => 0, updating => 0, stale => 1,
                bypass => 0 }, '... a stale one is no miss');

    done_testing;
};


sub since {
    my ($before, @path) = @_;
    my $now = figures();

    for my $name (@path) {
        $_ = ref eq 'ARRAY' ? $_->[$name] : $_->{$name} for $before, $now;
    }

    return { map { $now->{$_} != ($before->{$_} || 0)
                   ? ($_ => $now->{$_} - ($before->{$_} || 0)) : () } keys %$now };
}


subtest 'a request is counted once' => sub {
    my $before = figures();

    is(page('good', '/north')->{status}, 200, 'a token is reissued');
    is_deeply(since($before, 'verdicts'), { active => 1 }, '... and one let in');

    $mock->script(paths => { 'POST /v1/tokens/reissue' => 403 });
    is(page('good-2', '/north')->{status}, 403, 'another is not');
    is_deeply(since($before, 'verdicts'), { active => 1, forbidden => 1 },
              '... and one refused');
    is_deeply(since($before, 'decisions', 'forbidden'), { reissue => 1 },
              '... for that reason');
    is_deeply(since($before, 'apis', 0, 'calls', 'reissue'),
              { ok => 1, invalid => 1 }, 'the API has told of both');

    done_testing;
};


subtest 'calls have results' => sub {
    # failures stand apart, so that the breaker stays closed

    for (
        [ 'busy',  429,                            { throttled => 1 } ],
        [ 'wrong', 404,                            { invalid => 1 } ],
        [ 'down',  500,                            { failed => 1 } ],
        [ 'mine',  401,                            { refused => 1 } ],
        [ 'lost',  [ { drop => 1 }, {} ],          { retried => 1, ok => 1 } ],
        [ 'odd',   { body => '[]' },               { unusable => 1 } ],
        [ 'html',  { status => 404, type => 'text/html', body => '<p>no' },
                                                   { not_the_api => 1 } ],
    ) {
        my ($token, $answer, $results) = @$_;
        my $before = figures();

        $mock->script(tokens => { $token => $answer });
        page($token);
        is_deeply(since($before, 'apis', 0, 'calls', 'introspect'), $results,
                  join ', ', $token, sort keys %$results);
    }

    done_testing;
};


subtest 'a breaker that opens' => sub {
    $mock->script(default => 500);
    page("down-$_") for 1 .. 3;

    like($nginx->get('/status?format=json')->{body}, qr/"breaker":"open"/,
         'says so in JSON');

    my $now = $nginx->get('/status?format=prometheus')->{body};

    like($now, qr/^agilicus_token_api_breaker_open\{[^}]+\} 1$/m,
         '... as a flag');
    like($now, qr/^agilicus_token_api_breaker_opened_total\{[^}]+\} 1$/m,
         '... and counted');

    done_testing;
};


subtest 'docs/operations.md describes each family' => sub {
    open my $fh, '<', "$top/docs/operations.md" or die "operations.md: $!\n";

    my (%said, %there);

    while (my $line = <$fh>) {
        my ($name, $labels, $type) =
            $line =~ /^\| `(agilicus_token_\w+)(?:\{([\w,]+)\})?` \| (\w+) \|/
            or next;

        $said{$name} = join ' ', $type, sort split /,/, $labels || '';
    }

    for my $line (split /\n/, $text) {
        if ($line =~ /^# TYPE (\w+) (\w+)/) {
            $there{$1} = [ $2 ];

        } elsif ($line =~ /^(\w+?)(?:_bucket|_sum|_count)?\{(.*)\} /) {
            my ($name, $labels) = ($1, $2);
            my %labels = map { $_ => 1 } $labels =~ /(\w+)="/g;

            delete $labels{le};
            $there{$name} = [ $there{$name}[0], sort keys %labels ];
        }
    }

    is_deeply(\%said, { map { $_ => join ' ', @{$there{$_}} } keys %there },
              'name, type and labels');

    done_testing;
};


$nginx->finish('ends');
$mock->stop;

done_testing;
