use strict;
use warnings;

# How old facts may be by which rights are judged or told: a healthy feed tells
# of tokens that were revoked, and not of rights that were taken away.

use File::Temp;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;

my $slow = NginxControl::slow();
my $dir = File::Temp->newdir;

open my $fh, '>', "$dir/credential" or die "$dir/credential: $!\n";
chmod 0600, "$dir/credential";
print $fh "edge-credential\n";
close $fh;

# every token is good, has its name as its jti, and the rules allow anything

my $good = sub {
    return { token => { jti => $_[0]{token},
                        resource_permissions => [ {
                            user_id => 'user-1', org_id => 'org-1',
                            resource_type => 'application',
                            resource_id => 'wiki',
                            resource_role_name => 'editor' } ],
                        hosts => [ { upstream_host => '127.0.0.1',
                                     allowed_list => [ {
                                         methods => [ 'get' ],
                                         paths => [ '/.*' ] } ] } ] } };
};

my $mock = MockAPI->start(default => $good);

# what stands in each location, and what its second request finds, when facts
# are older than "rights"

my $long = 'agilicus_token_cache_valid active=1h watched=1h';
my $role = 'agilicus_token_require_role my-app editor;';

my @cases = (
    [ plain     => 'HIT', '' ],
    [ scope     => 'HIT',
      'agilicus_token_require_scopes urn:agilicus:users:owner;' ],
    [ org       => 'HIT', 'agilicus_token_require_org org-1;' ],
    [ audience  => 'HIT',
      'agilicus_token_require_audience urn:api:agilicus:gateway;' ],
    [ flags     => 'HIT', 'agilicus_token_require_expiry on;
                           agilicus_token_deny_masquerading on;' ],
    [ fields    => 'HIT', 'agilicus_token_identity_headers on;' ],

    [ role      => 'MISS', $role ],
    [ resource  => 'MISS',
      'agilicus_token_require_resource application wiki editor;' ],
    [ value     => 'MISS', 'agilicus_token_require $agilicus_token_org;' ],
    [ constant  => 'MISS', 'agilicus_token_require 1;' ],
    [ rules     => 'MISS', 'agilicus_token_rules on host=127.0.0.1;' ],
    [ told      => 'MISS',
      'agilicus_token_identity_headers on fields=sub,roles;' ],
    [ both      => 'MISS',
      "agilicus_token_require_org org-1; $role" ],

    # "update" does not go beyond it, and goes on without it

    [ stretched => 'MISS', "$role agilicus_token_cache_stale update=1h;" ],
    [ updated   => 'UPDATING',
      'agilicus_token_cache_valid active=1s watched=1s rights=1s;
       agilicus_token_cache_stale update=1h;' ],

    # the default is "active"

    [ default   => 'MISS',
      "$role agilicus_token_cache_valid active=1s watched=1h;" ],
    [ unjudged  => 'HIT', 'agilicus_token_cache_valid active=1s watched=1h;' ],
    [ longer    => 'HIT',
      "$role agilicus_token_cache_valid active=1s watched=1h rights=1h;" ],

    # it makes nothing longer

    [ shorter   => 'MISS',
      "$role agilicus_token_cache_valid active=1h watched=1s rights=1h;" ],

    # what is inherited; a directive brings all of its defaults

    [ 'inside/in'  => 'MISS', $role ],
    [ 'inside/own' => 'HIT', "$role $long;" ],
    [ 'around/in'  => 'MISS', '' ],
    [ 'around/own' => 'HIT', 'agilicus_token_identity_headers off;' ],

    [ report    => 'MISS', "agilicus_token report; $role" ],
    [ looked_up => 'MISS', "agilicus_token_phase preaccess; $role" ],
);

my %config;

for my $case (@cases) {
    my ($name, undef, $config) = @$case;
    my ($top) = $name =~ m{\A(\w+)};

    $config{$top} .= "location /$name { $config }\n";
}

$config{inside} = "location /inside { $config{inside} }\n";
$config{around} = 'location /around {
                       agilicus_token_identity_headers on fields=roles;
                       ' . $config{around} . '}';

my $nginx = NginxProcess->new(
    http => <<"EOC",
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_credential $dir/credential;
        agilicus_token_api_rate off;
        agilicus_token_revocation_feed interval=60s;
        agilicus_token_cache_stale update=0s;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        add_header X-Cache \$agilicus_token_cache always;
EOC
    config => <<"EOC" . join('', map { $config{$_} } sort keys %config),
        agilicus_token on;
        $long rights=1s;
        location / { }
        location /method { limit_except HEAD { $role } }
        location /always {
            $long rights=0;
            $role
        }
EOC
);

$nginx->write_file("html/$_", 'page')
    for 'method', 'always', map { $_->[0] } @cases;
$nginx->start;

ok($nginx->wait_log(qr/revocation feed is healthy/, 5 * $slow),
   'the feed is healthy');


sub ask {
    my ($path, $token, $method) = @_;

    return ($nginx->many([ {
        path => "/$path", method => $method || 'GET',
        headers => { Authorization => "Bearer $token" } } ]))[0];
}


sub from { return HttpClient::header(ask(@_), 'X-Cache') }
sub why { return HttpClient::header($_[0], 'X-Why') }


is(ask($_->[0], $_->[0])->{status}, 200, "$_->[0]: let in")
    for @cases;
is(ask('method', $_)->{status}, 200, "$_: let in") for qw(head get);
is(from('always', 'always'), 'MISS', 'asked about') for 1 .. 3;
is(ask($_, 'taken')->{status}, 200, "$_: the role is there") for qw(role plain);

$mock->script(tokens => { taken => { token => { jti => 'taken',
                                                roles => {} } } });
sleep 1.1;

is(from($_->[0], $_->[0]), $_->[1], "$_->[0]: $_->[1]") for @cases;

is(from('method', 'head', 'HEAD'), 'HIT', 'a method that is not limited: HIT');
is(from('method', 'get'), 'MISS', 'one for which a role is required: MISS');

is(from('plain', 'taken'), 'HIT', 'a role was taken away: unseen elsewhere');
is(why(ask('role', 'taken')), 'forbidden/role', '... and seen where judged');

$nginx->finish('all is well', secrets => [ 'edge-credential' ]);

done_testing();
