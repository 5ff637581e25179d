#!/usr/bin/perl

# The end of the edge's own credential: it is told at start, once an hour by one
# worker of all, and by figures; and a credential is replaced without a gap.
#
# nginx is given clocks that the test sets, so that an hour takes no time.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__) . '/lib';

use MockAPI;
use NginxControl;
use NginxProcess;
use TestClock;
use TestJWT;

my $HOUR = 3600;

my $slow = NginxControl::slow();
my $clock = TestClock->new;
my $ahead = 0;
my $mock = MockAPI->start(default => { token => { exp => undef } });
my $second = MockAPI->start(name => 'SECOND', default => {});
my $third = MockAPI->start(name => 'THIRD', default => {});
my $now = int time;
my %secret = map { $_ => "secret-of-$_" } qw(one two third);

my $nginx = NginxProcess->new(
    workers => 2,
    env     => { $clock->env },
    http    => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $TEST_NGINX_PREFIX/credential introspect;
        agilicus_token_api_breaker off;
        agilicus_token_api_rate off;
EOC
    config  => <<'EOC',
        location = /page { agilicus_token on; try_files /page =404; }
        location = /opaque {
            agilicus_token on;
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_SECOND_PORT;
            agilicus_token_api_credential $TEST_NGINX_PREFIX/opaque;
        }
        location = /third {
            agilicus_token on;
            agilicus_token_api http://127.0.0.1:$TEST_NGINX_THIRD_PORT;
            agilicus_token_api_credential $TEST_NGINX_PREFIX/third;
        }
        location = /long { limit_rate_after 1k; limit_rate 1; try_files /page =404; }
        location = /status { agilicus_token_status; }
EOC
);

$nginx->write_file('html/page', "page\n" x 4000);
credential('credential', one($now + 26 * $HOUR));
credential('opaque', 'no-jwt');
credential('third', jwt('third', undef));


sub jwt {
    my ($name, $exp) = @_;

    return TestJWT::jwt({ alg => 'ES256' },
                        { sub => $name, defined $exp ? (exp => $exp) : () },
                        $secret{$name});
}


sub one { return jwt('one', @_) }


# as a credential is to be replaced: whole, or not at all

sub credential {
    my ($name, $token) = @_;

    my $file = $nginx->write_file("$name.new", "$token\n");

    chmod 0600, $file;
    rename $file, $nginx->prefix . "/$name" or die "$name: $!\n";

    return;
}


# both clocks of nginx

sub passes {
    my ($seconds) = @_;

    $ahead += $seconds;

    return $clock->set(wall => $ahead, mono => $ahead);
}


# what the workers have said since the last mark; each looks once a second

sub said {
    sleep 1.5 * $slow;

    my $rest = 'put a new one into the file of "agilicus_token_api_credential", '
               . 'and reload nginx';

    my $line = qr{\[(\w+)\] .* credential\sof\sthis\sedge\sfor\sTokens\sAPI
                  \s"http://127\.0\.0\.1:(\d+)"\s([\w\s]+):\s\Q$rest\E$}x;

    return [ map { /$line/ ? "$1 $2 $3" : $_ }
             grep { /the credential of this edge/ } split /\n/, $nginx->new_log ];
}


sub configured {
    local %ENV = (%ENV, $clock->env);

    my $what = '"agilicus_token_api_credential" names "[^"]+/(\w+)", whose token ([\w ]+)';

    return [ $nginx->test_config->{output}
             =~ m{^nginx: \[warn\] $what in \S+/nginx\.conf:\d+$}mg ];
}


sub figures {
    my $json = JSON::PP::decode_json($nginx->get('/status?format=json')->{body});
    my %exported = $nginx->get('/status?format=prometheus')->{body}
        =~ m{^agilicus_token_api_credential_expiry_timestamp_seconds
             \{api="([^"]+)"\}\ (\S+)$}mxg;

    return { json => { map { $_->{url} => $_->{credential_expiry_ms} }
                       grep { exists $_->{credential_expiry_ms} } @{$json->{apis}} },
             exported => \%exported };
}


sub ends_at {
    my (%api) = @_;

    return { json => { map { $_ => 1000 * $api{$_} } keys %api },
             exported => { map { $_ => "$api{$_}.000" } keys %api } };
}


sub ask {
    my ($token) = @_;

    return { path => '/page', headers => { Authorization => "Bearer $token" } };
}


my $api = (split /:/, $mock->url)[-1];

is_deeply(configured(), [], 'a credential with 26 hours left is not warned of');
$nginx->start;
is_deeply(said(), [], '... nor by a worker');
is_deeply(figures(), ends_at($mock->url => $now + 26 * $HOUR),
          'its end is a figure; an opaque credential, and one without an end, have none');

$nginx->mark;
passes(2 * $HOUR + 60);
is_deeply(said(), [ "warn $api ends in 23h 58m" ],
          'one of two workers says that less than a day is left');
is_deeply(configured(), [ credential => 'ends in 23h 58m' ], 'so does nginx -t');

$nginx->mark;
passes($HOUR - 300);
is_deeply(said(), [], 'it is not said again within an hour');
passes(300);
is_deeply(said(), [ "warn $api ends in 22h 58m" ], '... but after it');

$nginx->mark;
passes(23 * $HOUR);
is_deeply(said(), [ "warn $api has ended" ], 'that it has ended is said');
is_deeply(configured(), [ credential => 'has ended' ], '... by nginx -t, too');
is_deeply(figures(), ends_at($mock->url => $now + 26 * $HOUR),
          'the figure is still there');


# less than a minute is said in seconds

credential('third', jwt('third', time + $ahead + 59));
like(configured()->[3], qr/^ends in [1-5]?\ds$/, 'seconds are left');


# what else an expiry may be

credential('third', jwt('third', 9e18));
credential('opaque', jwt('two', -5));
$nginx->reload;
is_deeply(figures(), ends_at($mock->url => $now + 26 * $HOUR, $second->url => 0,
                             $third->url => 253402300799),
          'an expiry is brought into the years that a date can have');
credential('opaque', 'no-jwt');


# another credential, while an old worker serves a long response

$nginx->mark;

my @old = $nginx->workers;
my $long = $nginx->connect;

$long->send("GET /long HTTP/1.0\r\n\r\n");
like($long->read_some(5 * $slow), qr/^HTTP/, 'a long response begins');

my @requests = map { ask("token-$_") } 1 .. 200;
my $asked = 0;

$mock->reset;

my @res = $nginx->many(\@requests, at_once => 10, on_result => sub {
    return if ++$asked != 50;

    credential('credential', jwt('two', $now + 90 * $HOUR));
    $nginx->signal('HUP');
});

is(scalar(grep { $_->{status} == 200 } @res), 200, 'all requests are served');

$nginx->reload;
$nginx->get('/page', headers => { Authorization => 'Bearer token-last' });

my @sent = map { $_->{header}{authorization} } $mock->requests;

is($sent[0], 'Bearer ' . one($now + 26 * $HOUR), '... first with the old credential');
is($sent[-1], 'Bearer ' . jwt('two', $now + 90 * $HOUR), '... and then with the new one');
is_deeply([ grep { $_ ne $sent[0] && $_ ne $sent[-1] } @sent ], [], '... and no other');
$nginx->get('/page', headers => { Authorization => 'Bearer token-1' });
is($mock->calls(token => 'token-1'), 2, 'what the old one has asked about is asked again');
is_deeply(figures(), ends_at($mock->url => $now + 90 * $HOUR,
                             $third->url => 253402300799),
          'the figure is that of the new one');
is_deeply(configured(), [], 'nginx -t does not warn of it');

# for the long response, no time passes

$clock->set(wall => $ahead + 2 * $HOUR, mono => $ahead);
is_deeply(said(), [], 'no worker speaks of the old one any more');
is(scalar(grep { NginxControl::alive($_) } @old), 1, '... though an old one still serves');
$long->close;


$nginx->finish('ends', secrets => [ values %secret, map { TestJWT::b64($_) } values %secret ]);
$_->stop for $mock, $second, $third;

done_testing;
