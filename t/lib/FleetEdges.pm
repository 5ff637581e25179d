package FleetEdges;

# Edges of one fleet, for tests: each is an NginxProcess that asks the MockAPI
# of the test, and shares its denials through the Redis of the test.
#
#   my $fleet = FleetEdges->new($redis->url, params => 'timeout=1s');
#   my $edge = $fleet->edge(workers => 2, http => '...');
#
#   $fleet->status($edge)                      its status, {} without an answer
#   $fleet->state($edge)                       a word
#   $fleet->wait_for($seconds, sub { ... }, $every)    true once that is true
#   $fleet->wait_state($edge, 'healthy', $seconds)
#   $fleet->figures($edge)                     the "fleet" of its status
#   $fleet->why($edge, $token)                 "verdict/reason"
#   $fleet->wait_why($edge, $token, $why, $seconds)
#   $fleet->post($edge, '/out', $token)        signs out: the status
#   $fleet->hook($edge, jti => @names)         the status
#   $fleet->all_healthy($seconds, @edges)      seconds that it took; or undef
#
# Checks of Test::More, of tokens whose jti is "j-" and their name:
#
#   $fleet->healthy($title, @edges)            within 30 s, or new(healing => $s)
#   my $name = $fleet->deny($edge)             a new token
#   $fleet->refused($edge, $name, $title)      within 20 s
#   $fleet->heard($title, $one, $two)          each hears what the other denies

use strict;
use warnings;

use JSON::PP ();
use File::Temp ();
use Test::More ();
use Time::HiRes qw(sleep time);

use HttpClient ();
use NginxControl ();
use NginxProcess ();

my $config = <<'EOC';
    location = /t { agilicus_token on; try_files /page =404; }
    location = /out { agilicus_token_revoke; }
    location = /hook { agilicus_token_revocation_hook trusted; }
    location = /status { agilicus_token_status; }
EOC


sub new {
    my ($class, $url, %opt) = @_;

    my $self = bless { url => $url, params => '', %opt,
                       dir => File::Temp->newdir }, $class;

    $self->{key} ||= $self->key('fleet.key', '5a' x 32);

    return $self;
}


# a file with a key, whose name is returned

sub key {
    my ($self, $name, $hex) = @_;

    my $path = "$self->{dir}/$name";

    open my $fh, '>', $path or die "$path: $!\n";
    print $fh "$hex\n";
    close $fh;
    chmod 0600, $path;

    return $path;
}


sub http {
    my ($self, %opt) = @_;

    my $url = $opt{url} || $self->{url};
    my $key = $opt{key} || $self->{key};
    my $params = defined $opt{params} ? $opt{params} : $self->{params};
    my $more = $opt{http} || '';
    my $valid = defined $opt{valid} ? $opt{valid}
                : 'agilicus_token_cache_valid active=600s invalid=1s;';

    return <<"EOC";
        agilicus_token_api http://127.0.0.1:\$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_rate off;
        $valid
        agilicus_token_fleet $url key=$key $params;
        add_header X-Why "\$agilicus_token_verdict/\$agilicus_token_reason"
                   always;
        $more
EOC
}


sub edge {
    my ($self, %opt) = @_;

    my $edge = NginxProcess->new(
        workers   => $opt{workers} || 1,
        log_level => $opt{log_level} || 'info',
        http      => $self->http(%opt),
        config    => $config . ($opt{config} || ''),
        map({ ($_ => $opt{$_}) } grep { exists $opt{$_} } qw(master daemon env)),
    );

    $edge->write_file('html/page', "page\n");
    $edge->start;

    return $edge;
}


sub status {
    my ($self, $edge) = @_;

    my $res = $edge->get('/status?format=json');

    return eval { JSON::PP::decode_json($res->{body}) } || {};
}


sub figures { return status(@_)->{fleet} || {} }


sub state { return figures(@_)->{state} || '' }


sub wait_for {
    my ($self, $seconds, $check, $every) = @_;

    my $until = time + ($seconds || 10) * NginxControl::slow();

    do {
        return 1 if $check->();
        sleep($every || 0.005);
    } while (time < $until);

    return 0;
}


sub wait_state {
    my ($self, $edge, $state, $seconds) = @_;

    return $self->wait_for($seconds,
                           sub { $self->state($edge) eq $state });
}


sub all_healthy {
    my ($self, $seconds, @edges) = @_;

    my $begin = time;

    # an edge may fall back while others are waited for

    $self->wait_for($seconds, sub {
        return !grep { $self->state($_) ne 'healthy' } @edges;
    }, 0.02 * @edges) or return undef;

    return time - $begin;
}


sub why {
    my ($self, $edge, $token) = @_;

    my $res = $edge->get('/t', headers => { Authorization => "Bearer $token" });

    return HttpClient::header($res, 'X-Why') || '';
}


sub wait_why {
    my ($self, $edge, $token, $why, $seconds) = @_;

    return $self->wait_for($seconds,
                           sub { $self->why($edge, $token) eq $why });
}


sub post {
    my ($self, $edge, $uri, $token) = @_;

    return $edge->request(POST => $uri,
        headers => { Authorization => "Bearer $token" })->{status};
}


sub hook {
    my ($self, $edge, $kind, @names) = @_;

    return $edge->request(POST => '/hook',
        headers => { 'Content-Type' => 'application/json' },
        body => JSON::PP::encode_json({ $kind => \@names }))->{status};
}


sub healthy {
    my ($self, $title, @edges) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::ok($self->wait_state($_, 'healthy', $self->{healing} || 30),
                   $title) for @edges;

    return;
}


sub deny {
    my ($self, $edge) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $name = 'token-' . ++$self->{denied};

    Test::More::is($self->hook($edge, jti => "j-$name"), 204,
                   "$name is denied");

    return $name;
}


sub refused {
    my ($self, $edge, $name, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok($self->wait_why($edge, $name, 'revoked/jti', 20),
                          "$name: $title");
}


sub heard {
    my ($self, $title, $one, $two) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $self->refused($two, $self->deny($one), $title);
    $self->refused($one, $self->deny($two), $title);

    return;
}

1;
