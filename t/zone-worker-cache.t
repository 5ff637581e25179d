use strict;
use warnings;

# What a worker remembers of tokens: each request reads what is its own, for as
# long as it takes, however many others come and go.

use JSON::PP ();
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use NginxControl;
use NginxProcess;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;

use constant TOKENS => 150;


# Facts name their token, the options by which it was asked for, and how often
# it was: so facts of another token, or older ones, are seen.

my %asked;


sub introspect {
    my ($request) = @_;

    my $token = $request->{token};
    my $options = $json->decode($request->{body})->{introspect_options} || {};
    my $with = $options->{exclude_roles} ? 'less' : 'all';
    my $n = ++$asked{$token};

    return 404 if $token !~ /^t-/;

    my @rules = map { { methods => [ 'get' ], paths => [ "$_/$token/.*" ] } }
                    qw(/rules /short /zone2);

    # some are long, and their own rule is the last

    unshift @rules, map { { methods => [ 'get' ],
                            paths => [ "/n$_/" . 'x' x 200 ] } }
                        1 .. 10 * ($1 % 4) if $token =~ /(\d+)$/;

    push @rules, {
        methods => [ 'post' ], paths => [ '/body/.*' ],
        body => { json => [ { name => 'of', pointer => '/of',
                              exact_match => $token } ] },
    };

    return { token => {
        sub       => "$token,$with,$n",
        sub_email => "$token\@example.com",
        scopes    => [ "scope-$n" ],
        hosts     => [ { upstream_host => 'localhost',
                         allowed_list => \@rules } ],
    } };
}


my $mock = MockAPI->start(default => \&introspect);

sub http {
    my ($size) = @_;

    return <<"EOC";
        agilicus_token_zone agilicus:8m;
        agilicus_token_zone other:8m;
        agilicus_token_worker_cache $size;
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        agilicus_token_api_max_inflight 500;
        agilicus_token_api_timeout 15s;
        agilicus_token_recheck off;
        agilicus_token_cache_valid active=300s;
        keepalive_requests 100000;
        log_format who '\$arg_of \$agilicus_token_sub \$agilicus_token_email';
        access_log \$TEST_NGINX_PREFIX/logs/who.log who;
        add_header X-Sub \$agilicus_token_sub always;
        add_header X-Mail \$agilicus_token_email always;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        add_header X-Cache \$agilicus_token_cache always;
EOC
}


my $locations = <<'EOC';
        agilicus_token on;

        location /facts/ { try_files /page =404; }
        location /rules/ {
            agilicus_token_rules on;
            try_files /page =404;
        }
        location /less/ {
            agilicus_token_introspect_options exclude_roles=on;
            try_files /page =404;
        }
        location /zone2/ {
            agilicus_token_rules on;
            agilicus_token_cache other;
            try_files /page =404;
        }
        location /short/ {
            agilicus_token_cache_valid active=1s;
            agilicus_token_rules on;
            try_files /page =404;
        }
        location /slow/ {
            limit_rate 20k;
            try_files /large =404;
        }
        location /body/ {
            agilicus_token_rules on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/free/;
        }
        location /free/ {
            agilicus_token off;
            access_log off;
            add_header X-Free 1;
            return 200 "free\n";
        }
EOC

my $nginx = NginxProcess->new(
    log_level          => 'info',
    worker_connections => 2048,
    http               => http('64k'),
    config             => $locations,
);

$nginx->write_file('html/page', "page\n");
$nginx->write_file('html/large', 'x' x 50_000);


sub request {
    my ($path, $token, %more) = @_;

    return { path => "$path?of=$token", %more,
             headers => { Authorization => "Bearer $token",
                          %{ $more{headers} || {} } } };
}


sub ask { return ($nginx->http->many([ request(@_) ]))[0] }
sub told { return HttpMessage::header($_[0], $_[1]) || '' }


# what is wrong with an answer to a token, asked for with these options

sub wrong {
    my ($res, $token, $status, $with, $n) = @_;

    my ($sub, $mail) = (told($res, 'X-Sub'), told($res, 'X-Mail'));
    my $own = qr/^\Q$token\E,$with,@{[ defined $n ? $n : '\d+' ]}$/;

    return if $res->{status} == $status && $sub =~ $own
              && $mail eq "$token\@example.com";

    return "$token: $res->{status} not $status, $sub, $mail, "
           . told($res, 'X-Why');
}


subtest 'sizes' => sub {
    my $size = 'it must be a size, like "1m" \(64k at least\)';

    for (['63k', $size], ['0', $size], ['-1', $size], ['8x', $size],
         ['1m 1m', 'invalid number of arguments'],
         ['1m; agilicus_token_worker_cache 1m', 'is duplicate'])
    {
        my ($text, $why) = @$_;
        my $bad = NginxProcess->new(http => http($text));

        like($bad->test_config->{output},
             qr/\[emerg\] (?=.*"agilicus_token_worker_cache" directive).*$why/,
             $text);
    }

    my $bad = NginxProcess->new(config => 'agilicus_token_worker_cache 1m;');

    like($bad->test_config->{output}, qr/is not allowed here/, 'in a server');
};


$nginx->start;


subtest 'zones count alike, and are not confused' => sub {

    # each zone's first entry, of the same token: another answer in each

    my @got = map { ask($_, 't-1') } map { ("/rules/t-1/", "/zone2/t-1/") }
                                         1 .. 4;

    is_deeply([ map { told($_, 'X-Sub') } @got ],
              [ map { ('t-1,all,1', 't-1,all,2') } 1 .. 4 ],
              'each zone has its own');
    is(join(' ', map { $_->{status} } @got), join(' ', (200) x 8), 'allowed');
};


subtest 'facts come first, and rules when they are asked for' => sub {
    for my $token ('t-2', 't-3') {
        for (1 .. 3) {
            my @wrong = wrong(ask("/facts/$token/", $token), $token, 200, 'all');

            is("@wrong", '', "facts of $token");
        }

        for (1 .. 3) {
            is(wrong(ask("/rules/$token/", $token), $token, 200, 'all'), undef,
               'what rules allow');
            is(wrong(ask('/rules/t-1/', $token), $token, 403, 'all'), undef,
               'and what they do not');
        }
    }
};


subtest 'many tokens, over and over, in little memory' => sub {
    my @wrong;

    for my $round (1 .. 4) {
        my (@specs, @expected);

        for my $n (shuffle(1 .. TOKENS, (1 .. 12) x 10)) {
            my $token = "t-$n";
            my $other = 't-' . ($n + 1);

            for ([ "/facts/$token/", 200, 'all' ],
                 [ "/rules/$token/", 200, 'all' ],
                 [ "/rules/$other/", 403, 'all' ],
                 [ "/zone2/$token/", 200, 'all' ],
                 [ "/less/$token/", 200, 'less' ])
            {
                push @specs, request($_->[0], $token);
                push @expected, [ $token, @$_[1, 2] ];
            }
        }

        my @res = $nginx->http->many(\@specs, at_once => 60);

        push @wrong, map { wrong($res[$_], @{ $expected[$_] }) } 0 .. $#res;
    }

    is_deeply([ splice @wrong, 0, 10 ], [], 'each has what is its own');
};


subtest 'another answer is another entry' => sub {
    my $token = 't-900';

    for my $round (1 .. 3) {
        for (1 .. 3) {
            is(wrong(ask("/short/$token/", $token), $token, 200, 'all',
                     $round), undef, "answer $round");
        }

        sleep 1.1;
    }
};


# Requests that wait for a body, and requests whose responses run on, have all
# of the memory meanwhile, and then others come.

subtest 'what is read is held' => sub {
    my @waiting;

    my @tokens = map { "t-" . (200 + $_) } 1 .. 60;

    for my $token (@tokens) {
        ask("/facts/$token/", $token) for 1 .. 2;
    }

    for my $token (@tokens) {
        my $c = $nginx->http->connect;
        my $body = $json->encode({ of => $token });

        $c->send("POST /body/x?of=$token HTTP/1.1\r\nHost: localhost\r\n"
                 . "Authorization: Bearer $token\r\n"
                 . "Content-Type: application/json\r\nContent-Length: "
                 . length($body) . "\r\nConnection: close\r\n\r\n{");
        push @waiting, [ $token, $c, substr $body, 1 ];

        my $d = $nginx->http->connect;

        $d->send("GET /slow/?of=$token HTTP/1.1\r\nHost: localhost\r\n"
                 . "Authorization: Bearer $token\r\n"
                 . "Connection: close\r\n\r\n");
        push @waiting, [ $token, $d, undef ];
    }

    my @specs;

    for my $n (shuffle((1 .. TOKENS) x 3)) {
        push @specs, request("/rules/t-$n/", "t-$n");
    }

    my @res = $nginx->http->many(\@specs, at_once => 60);

    is(scalar(grep { $_->{status} == 200 } @res), scalar @specs,
       'others are served');

    my @wrong;

    for (@waiting) {
        my ($token, $c, $rest) = @$_;

        $c->send($rest) if defined $rest;

        my $res = $c->read;

        push @wrong, wrong($res, $token, 200, 'all');
    }

    is_deeply([ splice @wrong, 0, 10 ], [], 'each has read what is its own');

    # the logged values were read when the response had ended

    my %said;
    my $until = time + 5 * $slow;

    do {
        sleep 0.05;
        %said = ();

        for (split /\n/, NginxControl::slurp($nginx->prefix
                                             . '/logs/who.log'))
        {
            my ($of) = split / /;

            next if !defined $of || $of eq '-';

            $said{ $_ =~ /^\Q$of\E \Q$of\E,\w+,\d+ \Q$of\E\@example\.com$/
                   ? 'own' : $_ }++;
        }
    } until $said{own} && $said{own} > 2 * @tokens || time > $until;

    is_deeply([ keys %said ], [ 'own' ], 'and so is what is logged');
};


subtest 'the memory is out of cores' => sub {
    $nginx->configure(http => http('1236k'), config => $locations);
    $nginx->reload;

    is(ask('/facts/t-1/', 't-1')->{status}, 200, 'it is used');

    my ($pid) = $nginx->workers;
    my $maps = NginxControl::slurp("/proc/$pid/smaps");

    SKIP: {
        skip 'no /proc/PID/smaps', 1 if !length $maps;

        my ($flags) = $maps =~ /^Size: +1236 kB\n(?:.*\n)*?VmFlags: (.*)$/m;

        like($flags, qr/\bdd\b/, 'by its flags');
    }
};


$nginx->finish('nginx ends with a clean log', secrets => [ 'Bearer t-' ]);

done_testing();
