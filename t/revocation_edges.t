use strict;
use warnings;

# Denials in corners: another zone becomes the first one, clients leave while
# they sign out, all sessions end after one token did, one client signs out
# again and again, refreshes come in crowds.

use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();

my $mock = MockAPI->start(
    default => sub { { token => { jti => $_[0]{token} } } },
);

my $config = <<'EOC';
    location = /page { agilicus_token on; }
    location = /signout { agilicus_token_revoke; }
    location = /denials { agilicus_token_revocation_hook trusted; }
EOC

my $http = <<'EOC';
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
    agilicus_token_api_rate off;
    agilicus_token_api_breaker off;
    agilicus_token_revocation_ttl 2s;
    agilicus_token_cache_valid active=600s;
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
EOC


# The first zone is made anew, another one with facts is kept: what was found
# clean by the old one's count of denials is looked through again.

my $two = NginxProcess->new(
    log_level => 'info',
    http      => zones('first:2m', 'facts:2m'),
    config    => $config,
);

$two->write_file('html/page', "page\n");
$two->start;

is(deny($two, jti => map { "old-$_" } 1 .. 100), 204, 'a hundred denials');
is(get($two, 'resized')->{status}, 200, 'a token passes');
is(get($two, 'resized')->{status}, 200, 'and is found clean');
sleep 2.6;

for my $case (
    [ resized   => 'first:1m', 'facts:2m' ],
    [ renamed   => 'other:1m', 'facts:2m' ],
    [ reordered => 'facts:2m', 'other:1m' ],
    [ back      => 'other:1m', 'facts:2m' ],
) {
    my ($token, @zones) = @$case;

    is(get($two, $token)->{status}, 200, "$token: a token passes");
    $two->reload(http => zones(@zones), config => $config);

    my $calls = $mock->calls(token => $token);

    is(deny($two, jti => $token), 204, 'it is denied after a reload');
    is(why(get($two, $token)), 'revoked/jti', 'and refused');
    is($mock->calls(token => $token), $calls, 'from what was known before');

    deny($two, sub => "nobody-$_") for 1 .. 20;
    sleep 2.6;
}

is(get($two, 'unused')->{status}, 200, 'a token passes');
$two->reload(http => zones('other:1m', 'facts:2m'), config => '');
$two->reload(http => zones('third:1m', 'facts:2m'), config => $config);
is(deny($two, jti => 'unused'), 204,
   'after a configuration that uses no zone it is denied');
is(why(get($two, 'unused')), 'revoked/jti', 'and refused');
$two->finish('zones came and went');


done_testing();


sub why { return HttpClient::header($_[0], 'X-Why') || '' }
sub bearer { return { Authorization => "Bearer $_[0]" } }


sub get {
    my ($nginx, $token) = @_;

    return $nginx->get('/page', headers => bearer($token));
}


sub deny {
    my ($nginx, $kind, @names) = @_;

    return $nginx->request(POST => '/denials',
        headers => { 'Content-Type' => 'application/json' },
        body => "{\"$kind\":[" . join(',', map { "\"$_\"" } @names) . ']}')
        ->{status};
}


sub zones {
    return join '', $http, map({ "agilicus_token_zone $_;" } @_),
                'agilicus_token_cache facts;';
}
