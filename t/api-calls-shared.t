use strict;
use warnings;

# A call is shared by requests that would have asked the very same, and by no
# others: of two locations that differ in whatever an answer depends on, each
# gets an answer of its own, whatever the other is being told meanwhile.

use IO::Socket::SSL ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use HttpMessage;
use MockAPI;
use MockUpstream;
use NginxControl;
use NginxProcess;
use TestCA;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

my $slow = NginxControl::slow();
my $json = JSON::PP->new->utf8->canonical;
my $ca = TestCA->new;
my $spread = $ENV{TEST_NGINX_SPREAD_PORT} = TestPorts::free_port();

use constant {
    DELAY => 1.2,       # of the API, for both to ask meanwhile
    CROWD => 40,        # pairs at a time
};

# What a location may have of its own, in place of what all have: then its calls
# are others.  "same" has nothing.

my %own = (
    same       => '',
    api        => 'agilicus_token_api https://127.0.0.1:$TEST_NGINX_SECOND_PORT;',
    credential => 'agilicus_token_api_credential $TEST_NGINX_PREFIX/two introspect;',
    options    => 'agilicus_token_introspect_options no_cache=on;',
    roles      => 'agilicus_token_introspect_options exclude_roles=on;',
    unverified => 'agilicus_token_api_ssl_verify off;',
    ca         => 'agilicus_token_api_ssl_trusted_certificate $TEST_NGINX_PREFIX/ca2;',
    client     => "agilicus_token_api_ssl_certificate @{[ $ca->cert('client')->{cert} ]};"
                  . "agilicus_token_api_ssl_certificate_key @{[ $ca->cert('client')->{key} ]};",
);

# the credential is not sent on introspection there, but on creation it is

my %created = (
    silent => 'agilicus_token_api_credential $TEST_NGINX_PREFIX/two;',
    other  => 'agilicus_token_api_credential $TEST_NGINX_PREFIX/one;',
);

# the location that asks first, where it is not that of "same"

my %first = (other => 'silent');

my %operations = (
    introspect => [ [ 200, 404 ], [ 404, 200 ], [ 200, 410 ], [ 410, 200 ],
                    [ 410, 404 ] ],
    reissue    => [ [ 200, 404 ], [ 404, 200 ], [ 410, 200 ], [ 200, 200 ] ],
    create     => [ [ 200, 404 ], [ 404, 200 ], [ 200, 200 ] ],
    out        => [ [ 200, 404 ], [ 404, 200 ], [ 410, 200 ] ],
);


# "<operation>.<own>.<first>.<second>.<number>": what the first and the second
# to be asked get; where the APIs are two, each has its answer, whatever comes
# first.

my %asked;
my $exp = int time + 3600;


sub answer_of {
    my ($which, $what, $name) = @_;

    my (undef, $own, @answers) = split /\./, $name;
    my $n = $asked{"$what $name"}++;

    $n = $which if $own eq 'api';

    return ($n, $answers[$n > 1 ? 1 : $n]);
}


sub refusal {
    my ($status) = @_;

    return { status => $status, json => { error_code => 'no' },
             delay => DELAY * $slow };
}


sub introspect {
    my ($which, $request) = @_;

    my ($kind, $name, $n) = split /-/, $request->{token};

    return { token => { sub => $name, jti => $name, exp => $exp } }
        if $kind eq 'parent';

    return { token => { sub => $name, jti => "$n $name", exp => $exp,
                        org => $kind eq 'child' ? 'north' : 'org-1',
                        scopes => $kind eq 'made' ? [ 'read' ] : [] } }
        if defined $n;

    my ($turn, $status) = answer_of($which, 'introspect', $name);

    return refusal($status) if $status != 200;

    return { delay => DELAY * $slow,
             token => { sub => $name, jti => "$turn $name" } };
}


sub reissue {
    my ($which, $request) = @_;

    my $name = (split /-/, $request->{token})[1];
    my ($n, $status) = answer_of($which, 'reissue', $name);

    return refusal($status) if $status != 200;

    return { status => 200, delay => DELAY * $slow,
             json => { token => "child-$name-$n" } };
}


sub create {
    my ($which, $request) = @_;

    my $name = $json->decode($request->{body})->{sub};
    my ($n, $status) = answer_of($which, 'create', $name);

    return refusal($status) if $status != 200;

    return { status => 201, delay => DELAY * $slow,
             json => { token => "made-$name-$n" } };
}


my @mocks = map {
    my $which = $_;

    MockAPI->start(
        tls     => $ca->cert('good'),
        default => sub { introspect($which, @_) },
        paths   => {
            'POST /v1/tokens/reissue' => sub { reissue($which, @_) },
            'POST /v1/tokens'         => sub { create($which, @_) },
        },
        ($which ? (name => 'SECOND') : ()),
    );
} 0, 1;

my $app = MockUpstream->start(name => 'APP');

my $nginx = NginxProcess->new(
    workers            => 2,
    worker_connections => 2048,
    log_level          => 'info',
    events             => 'accept_mutex off;',
);

for my $file (qw(one two)) {
    chmod 0600, $nginx->write_file($file, "edge-credential-$file\n");
}

$nginx->write_file('ca2', NginxControl::slurp($ca->file));
$nginx->write_file('passwords', "a:{PLAIN}b\n");


sub locations {
    my ($own, $settings, $zone) = @_;

    my $to = 'proxy_pass http://127.0.0.1:$TEST_NGINX_APP_PORT;';
    my $all = "$settings agilicus_token_cache $zone;";

    return <<"EOC";
        location = /introspect/$own/$zone {
            agilicus_token on; $all $to
        }
        location = /reissue/$own/$zone {
            agilicus_token on; agilicus_token_reissue north; $all $to
        }
        location = /create/$own/$zone {
            auth_basic known;
            auth_basic_user_file \$TEST_NGINX_PREFIX/passwords;
            agilicus_token on;
            agilicus_token_create sub=\$http_x_sub org=org-1 audiences=aud
                                  scopes=read identity=access;
            $all $to
        }
        location = /out/$own/$zone { agilicus_token_revoke; $all }
EOC
}


my %settings = (%own, %created);

# the zones see the same settings in another order

my $locations = join '',
    map({ locations($_, $settings{$_}, 'one') } sort keys %settings),
    map({ locations($_, $settings{$_}, 'two') } reverse sort keys %settings);

$nginx->configure(http => <<"EOC");
        access_log off;
        agilicus_token_zone one:32m;
        agilicus_token_zone two:32m;
        agilicus_token_api https://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_ssl_trusted_certificate @{[ $ca->file ]};
        agilicus_token_api_credential \$TEST_NGINX_PREFIX/one introspect;
        agilicus_token_api_max_inflight 1000;
        agilicus_token_api_breaker off;
        agilicus_token_api_rate off;
        agilicus_token_recheck off;
        agilicus_token_api_timeout @{[ 15 * $slow ]}s;
        agilicus_token_api_connect_timeout @{[ 10 * $slow ]}s;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        add_header X-Pid \$pid always;
        keepalive_requests 100000;

        server {
            listen 127.0.0.1:\$TEST_NGINX_SPREAD_PORT reuseport backlog=2048;
            root \$TEST_NGINX_PREFIX/html;
            location = /free { try_files /page =404; }
            $locations
        }
EOC

$nginx->write_file('html/page', "page\n");
$nginx->start;

my $http = HttpClient->new(port => $spread, timeout => 30 * $slow);
my %connections;


# an open connection to this worker

sub connection {
    my ($worker) = @_;

    while (!@{ $connections{$worker} || [] }) {
        my $c = $http->connect or die "no connection\n";
        my $pid = HttpMessage::header($c->request(GET => '/free'), 'X-Pid');

        push @{ $connections{$pid} }, $c;
    }

    return pop @{ $connections{$worker} };
}


sub send_to {
    my ($c, $operation, $path, $name) = @_;

    my $method = $path =~ m{^/out/} ? 'POST' : 'GET';
    my $who = $operation eq 'create'
              ? 'Basic ' . encode_base64('a:b', '') . "\r\nX-Sub: $name"
              : 'Bearer ' . ($operation eq 'reissue' ? 'parent' : 'token')
                . "-$name";

    return $c->send("$method $path HTTP/1.1\r\nHost: a\r\n"
                    . "Authorization: $who\r\n"
                    . ($method eq 'POST' ? "Content-Length: 0\r\n" : '')
                    . "\r\n");
}


# which of the calls the answer came from, or how it was refused

sub got {
    my ($res, $operation) = @_;

    return $res->{status} . ($res->{error} || '') if $operation eq 'out'
                                      || $res->{status} != 200;
    return 'nothing upstream'
        if ($res->{body} || '') !~ /^Authorization: Bearer (\S+)\r$/m;

    my $n = (split /-/, $1)[2];

    return defined $n ? "200 of $n" : 200;
}


my %paths = (
    introspect => '/v1/tokens/introspect',
    reissue    => '/v1/tokens/reissue',
    create     => '/v1/tokens',
    out        => '/v1/tokens/introspect',
);


sub calls {
    my ($operation) = @_;

    my $n = 0;

    $n += $_->calls(path => $paths{$operation}, method => 'POST') for @mocks;

    return $n;
}


# What the first (0) or the second (1) must get, as a pattern.

sub expected {
    my ($operation, $own, $place, @answers) = @_;

    my $n = $own eq 'same' ? 0 : $place;
    my $status = $answers[$n];

    # at one API a token that it calls revoked, or that the second request has
    # signed out, is denied for all requests: for the first one too, if it is
    # late

    if ($own ne 'api' && $operation ne 'create') {

        # where all is slow, the answer to the second may be read first

        return $place == 1 && $slow > 1 ? '(?:200|401)' : 401
            if $answers[0] == 410;

        return '(?:200|401)'
            if $place == 0 && $status == 200
               && ($answers[1] == 410 || $operation eq 'out');
    }

    return $operation eq 'out' && $place == 1 ? 204
           : $operation eq 'reissue'
             ? $status == 200 ? "200 of $n" : $status == 404 ? 403 : 401
           : $operation eq 'create'
             ? $status == 200 ? "200 of $n" : 403
           : $status == 200 ? 200 : 401;
}


my ($one, $two) = $nginx->workers;
my $number = 0;

for my $operation (sort keys %operations) {
    my (@pairs, @wrong);

    for my $own (sort keys %own, $operation eq 'create' ? keys %created : ()) {
        for my $zone (qw(one two)) {

            # those with zones of their own may share a call, or not

            next if $own eq 'same' && $zone eq 'two';

            for my $worker ($one, $two) {
                for my $answers (@{ $operations{$operation} }) {

                    # a sign-out here is told of tokens denied at this API

                    next if $operation eq 'out' && $own ne 'api'
                            && $answers->[0] == 410;

                    push @pairs, {
                        own => $own, zone => $zone, worker => $worker,
                        answers => $answers,
                        name => join '.', $operation, $own, @$answers,
                                          ++$number,
                    };
                }
            }
        }
    }

    my $n = @pairs;

    while (my @crowd = splice @pairs, 0, CROWD) {
        push @wrong, try_all($operation, @crowd);
    }

    ok(!@wrong, "$operation: $n pairs")
        or diag(join "\n", "@{[ scalar @wrong ]} wrong", splice @wrong, 0, 20);
}


# Both of each pair wait for the API at the same time, and it was the first of
# them that asked first.  Returns a list of all that is wrong.

sub try_all {
    my ($operation, @pairs) = @_;

    my $from = $operation eq 'out' ? 'introspect' : $operation;

    for my $pair (@pairs) {
        $pair->{c} = [ connection($one), connection($pair->{worker}) ];
    }

    $_->reset for @mocks;

    send_to($_->{c}[0], $operation,
            "/$from/" . ($first{$_->{own}} || 'same') . '/one', $_->{name})
        for @pairs;

    my $until = time + 10 * $slow;

    sleep 0.01 while calls($operation) < @pairs && time < $until;

    # all answers to the first are read before one to the second

    sleep 0.2;

    send_to($_->{c}[1], $operation, "/$operation/$_->{own}/$_->{zone}",
            $_->{name}) for @pairs;

    for my $pair (@pairs) {
        $pair->{got} = [ map { got($_->read, $operation) }
                         @{ $pair->{c} } ];
    }

    my (%calls, @wrong);

    for my $which (0, 1) {
        for my $request ($mocks[$which]->requests(method => 'POST')) {
            my $path = $request->{path};
            my $name = $path eq '/v1/tokens'
                       ? $json->decode($request->{body})->{sub}
                       : (split /-/, $request->{token} || '')[1];

            $calls{$path}{ defined $name ? $name : '' }{$which}++;
        }
    }

    for my $pair (@pairs) {
        my ($own, $zone, $name) = @{$pair}{qw(own zone name)};
        my $where = $pair->{worker} == $one ? 'one worker' : 'two workers';
        my $at = $calls{ $paths{$operation} }{$name} || {};
        my @want = map { expected($operation, $own, $_, @{ $pair->{answers} }) }
                   0, 1;
        my $want = $own eq 'same' ? '1 and 0'
                   : $own eq 'api' ? '1 and 1' : '2 and 0';
        my $called = join ' and ', map { $at->{$_} || 0 } 0, 1;

        push @wrong, "$operation, $own, zone $zone, $where, "
                     . "@{ $pair->{answers} }: @{ $pair->{got} }, "
                     . "not @want"
            if "@{ $pair->{got} }" !~ /^@want$/;

        push @wrong, "$operation, $own, zone $zone, $where, "
                     . "@{ $pair->{answers} }: $called calls, not $want"
            if $called ne $want;

        next if $operation ne 'out';

        # a client that is told so is signed out, where its own API knew of it

        my $status = $pair->{answers}[$own eq 'same' ? 0 : 1];
        my $revoked = $calls{'/v1/tokens/revoke'}{$name} || {};

        push @wrong, "$operation, $own, zone $zone, $where, "
                     . "@{ $pair->{answers} }: not revoked as it must be"
            if ($revoked->{ $own eq 'api' ? 1 : 0 } || 0)
               != ($status == 200 ? 1 : 0);
    }

    return @wrong;
}


$nginx->finish('nginx ends with a clean log',
               secrets => [ 'edge-credential', 'parent-', 'child-' ]);

done_testing();
