package MockAPI;

# A Tokens API whose answers a test writes down, on 127.0.0.1.
#
#   use MockAPI;
#
#   my $mock = MockAPI->start(
#       tokens => {
#           good    => {},                          # 200 and a Token
#           narrow  => { token => { scopes => [] } },
#           revoked => 410,
#           slow    => { delay => 0.5 },
#           flaky   => [ 503, {} ],                 # 503 first, then 200
#       },
#       default => 404,                             # any other token
#       paths => { 'POST /v1/tokens/revoke' => { status => 503 } },
#   );
#
# It is a process of its own that serves any number of connections at once,
# ends with the test file, and after lifetime seconds (1800) in any case.
# Blocks find it as http://127.0.0.1:$TEST_NGINX_MOCK_PORT, and what it has
# received at $TEST_NGINX_MOCK_CONTROL_PORT:
#
#   location /calls {
#       proxy_pass http://127.0.0.1:$TEST_NGINX_MOCK_CONTROL_PORT/_calls;
#   }
#
# (with "name => 'SECOND'" given to start, the variables are called
# $TEST_NGINX_SECOND_PORT and $TEST_NGINX_SECOND_CONTROL_PORT.)
#
# Which answer: that of the path in "paths" ("POST /v1/tokens/revoke" before
# "/v1/tokens/revoke"), else, for introspection, that of the token in the
# body, else "default".  Where "paths" and the token both matter:
# { by_token => { good => 200, '*' => 503 } }.  The other operations have
# answers of their own: revoke 204, reissue 200 and {"token":"reissued-<t>"},
# create 201 and {"token":"created"}, validations an echo, list those of
# rows => [ { jti => 'a', exp => 1700000000, revoked => 1 }, ... ] that the
# query asks for (MockAPI::Operations).
#
# An answer is a status, a hash, a list of answers (one for each call, the
# last one for all further ones), or (at start only) a sub that gets the
# request and returns an answer.  Members of a hash, all optional:
#
#   status  reason  headers      200; headers is a hash or [ name, value, ... ]
#   token                        members of the Token to change (undef: leave
#                                out); a 200 has a Token unless told otherwise,
#                                400, 403, 404, 410 and 422 an object
#   json  body                   a structure, or the bytes themselves
#   type  no_type                Content-Type, or none
#   delay                        seconds before the first byte
#   informational                [ 103, [ 103, { Link => '...' } ], "HTTP/..." ]
#   chunked                      Transfer-Encoding: chunked
#   chunks                       the same in pieces: strings, { pause => 0.1 },
#                                { close => 1 }, { reset => 1 }, { hang => 1 }
#   no_last_chunk  no_length     neither; the body ends with the connection
#   cut => N                     only N bytes of the body, then end
#   version => '1.0'             and then end
#   raw => "bytes"               sent as they are, then end
#   pieces                       like chunks, but sent as they are
#   drip => { bytes => 1, every => 0.1 }      all of it a few bytes at a time
#   close                        "Connection: close", and then end
#   end => 'close', 'reset', 'hang', 'keep'   what comes after
#   end_delay                    seconds before that (with end => 'close': the
#                                idle connection goes away under the caller)
#   hang  reset  drop            instead of an answer: nothing, RST, FIN
#
# TLS: tls => { cert => $file, key => $file }, with client_ca => $file to ask
# for client certificates, version => 'TLSv12' (as IO::Socket::SSL names them;
# 'TLSv1_1' takes ciphers => 'DEFAULT:@SECLEVEL=0' too), alpn => [ ... ],
# ciphers => '...'.  TestCA makes certificates.
#
# on_connect => 'ignore' (accepts, never reads), 'close', 'reset',
# { delay => 1 } (reads after that).
#
# Methods
#
#   port  control_port  url  pid
#   calls(%filter)          how many requests; filters: token path method
#                           connection
#   requests(%filter)       the requests: { method path args target version
#                           headers header body token time connection head }
#   wait_calls($n, %filter, timeout => 5)     true when there are that many
#   connections             how many were accepted
#   connection_list         [ { id time closed tls resumed sni client error } ]
#   open_connections
#   reset                   forget the requests that were received
#   script(tokens => {...}, paths => {...}, default => ..., rows => [...],
#          on_connect => ...)
#                           change answers; undef removes one
#   down  up                refuse connections (and end the open ones); accept
#   stop
#
# The control port gives every client the same answers: /_calls, /_requests,
# /_connections (?list=1), /_open, /_reset, /_ping, and POST /_script with JSON
# of the above (and "listen": true or false, "drop": true); filters are query
# arguments: /_calls?token=good&path=/v1/tokens/introspect.
#
# Functions: token_json(%members) gives the default Token as JSON,
# raw_token_json($token, %more) a RawToken; blackhole() an object whose port
# accepts nothing and refuses nothing (its backlog is full).

use strict;
use warnings;

use Exporter 'import';
use HTTP::Tiny ();
use IO::Socket::INET ();
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use MockAPI::Answer qw(token_json raw_token_json);
use MockAPI::Server ();
use NginxControl ();
use TestPorts ();

our @EXPORT_OK = qw(token_json raw_token_json);

my %options = map { $_ => 1 } qw(tokens paths rows default tls on_connect
                                 name lifetime port);

my $owner = $$;
my @running;


sub start {
    my ($class, %opt) = @_;

    for my $name (keys %opt) {
        die "MockAPI: unknown option \"$name\"\n" if !$options{$name};
    }

    my $tls = $opt{tls} ? _tls_context($opt{tls}) : undef;
    my $port = $opt{port} || TestPorts::free_port();
    my $control_port = TestPorts::free_port();
    my $api = _listen($port);
    my $control = _listen($control_port);
    my $parent = $$;
    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM QUIT ALRM HUP);
        $SIG{PIPE} = 'IGNORE';
        $0 = 'mock API of ' . $parent;

        # prove waits for the end of file on it

        open STDOUT, '>', '/dev/null';
        open STDIN, '<', '/dev/null';

        my $server = MockAPI::Server->new(
            api      => $api,
            control  => $control,
            parent   => $parent,
            tls      => $tls,
            lifetime => $opt{lifetime} || 1800,
            script   => {
                tokens     => { %{ $opt{tokens} || {} } },
                paths      => { %{ $opt{paths} || {} } },
                default    => defined $opt{default} ? $opt{default} : 404,
                on_connect => $opt{on_connect},
                rows       => $opt{rows} || [],
            },
        );

        eval { $server->run; 1 } or print STDERR "MockAPI: $@";
        POSIX::_exit(0);
    }

    my $self = bless {
        pid     => $pid,
        owner   => $$,
        tls     => $tls ? 1 : 0,
        port    => $port,
        control => $control_port,
        http    => HTTP::Tiny->new(timeout => 10, proxy => undef,
                                   http_proxy => undef),
    }, $class;

    # else a refused connection would still be taken here

    close $api;
    close $control;

    NginxControl::guard($pid);

    my $name = defined $opt{name} ? $opt{name} : 'MOCK';

    $ENV{"TEST_NGINX_${name}_PORT"} = $self->{port};
    $ENV{"TEST_NGINX_${name}_CONTROL_PORT"} = $self->{control};

    push @running, $self;

    return $self;
}


sub _listen {
    my ($port) = @_;

    return IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        ReuseAddr => 1,
        Listen    => 512,
        Blocking  => 0,
    ) || die "MockAPI: cannot listen on $port: $!\n";
}


sub _tls_context {
    my ($tls) = @_;

    require IO::Socket::SSL;

    my %ssl = (
        SSL_server    => 1,
        SSL_cert_file => $tls->{cert},
        SSL_key_file  => $tls->{key},
    );

    $ssl{SSL_version} = $tls->{version} if defined $tls->{version};
    $ssl{SSL_cipher_list} = $tls->{ciphers} if defined $tls->{ciphers};
    $ssl{SSL_alpn_protocols} = $tls->{alpn} if $tls->{alpn};

    if (defined $tls->{client_ca}) {
        $ssl{SSL_ca_file} = $tls->{client_ca};
        $ssl{SSL_verify_mode} = IO::Socket::SSL::SSL_VERIFY_PEER()
            | IO::Socket::SSL::SSL_VERIFY_FAIL_IF_NO_PEER_CERT();
    }

    no warnings 'once';

    return IO::Socket::SSL::SSL_Context->new(%ssl)
           || die "MockAPI: TLS: $IO::Socket::SSL::SSL_ERROR\n";
}


sub port { $_[0]{port} }
sub control_port { $_[0]{control} }
sub pid { $_[0]{pid} }


sub url {
    my ($self) = @_;

    return ($self->{tls} ? 'https' : 'http') . "://127.0.0.1:$self->{port}";
}


sub _ask {
    my ($self, $what, %args) = @_;

    my $query = join '&', map { "$_=" . _escape($args{$_}) }
                          sort grep { defined $args{$_} } keys %args;

    my $url = "http://127.0.0.1:$self->{control}/$what"
              . (length $query ? "?$query" : '');

    my $res = $self->{http}->get($url);

    die "MockAPI: $what: $res->{status} $res->{content}\n"
        if !$res->{success};

    return $res->{content};
}


sub _escape {
    my ($text) = @_;

    $text =~ s/([^A-Za-z0-9._~\/-])/sprintf '%%%02X', ord $1/ge;

    return $text;
}


sub calls { my ($self, %f) = @_; return 0 + $self->_ask('_calls', %f) }
sub connections { return 0 + $_[0]->_ask('_connections') }
sub open_connections { return 0 + $_[0]->_ask('_open') }
sub reset { $_[0]->_ask('_reset'); return }


sub requests {
    my ($self, %filter) = @_;

    return @{ JSON::PP->new->utf8->decode($self->_ask('_requests', %filter)) };
}


sub connection_list {
    my ($self) = @_;

    my $text = $self->_ask('_connections', list => 1);

    return @{ JSON::PP->new->utf8->decode($text) };
}


sub wait_calls {
    my ($self, $n, %filter) = @_;

    my $timeout = delete $filter{timeout};
    my $until = time + (defined $timeout ? $timeout
                        : 5 * NginxControl::slow());

    while ($self->calls(%filter) < $n) {
        return 0 if time > $until;
        sleep 0.005;
    }

    return 1;
}


sub script {
    my ($self, %changes) = @_;

    my $res = $self->{http}->post(
        "http://127.0.0.1:$self->{control}/_script",
        { content => JSON::PP->new->utf8->encode(\%changes) });

    die "MockAPI: script: $res->{content}\n" if !$res->{success};

    return;
}


sub down { $_[0]->script(listen => JSON::PP::false()) }
sub up { $_[0]->script(listen => JSON::PP::true()) }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid};

    return if !defined $pid || $$ != $self->{owner};

    NginxControl::stop($pid, signal => 'KILL');

    @running = grep { $_ != $self } @running;

    return;
}


# A listener that never accepts: its queue is filled, so that further SYNs are
# dropped.

sub blackhole {
    my $sock = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => TestPorts::free_port(),
        Listen    => 1,
    ) or die "blackhole: $!\n";

    my @fill;

    for (1 .. 8) {
        push @fill, IO::Socket::INET->new(
            PeerAddr => '127.0.0.1',
            PeerPort => $sock->sockport,
            Blocking => 0,
        );
    }

    sleep 0.01;

    return bless { sock => $sock, fill => \@fill, port => $sock->sockport },
           'MockAPI::Blackhole';
}


END {
    if ($$ == $owner) {
        local $?;

        $_->stop for @running;
    }
}


package MockAPI::Blackhole;

sub port { $_[0]{port} }
sub stop { $_[0]{sock}->close; delete $_[0]{fill}; return }


1;
