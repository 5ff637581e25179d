use strict;
use warnings;

# The same verdicts over HTTP/2, however a header is packed, and for each
# stream of a connection its own.

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

my $slow = NginxControl::slow();

my $mock = MockAPI->start(
    tokens => {
        bad     => 404,
        gone    => 410,
        out     => 503,
        narrow  => { token => { scopes => [] } },
        map({ ("bad-$_" => 404) } 1 .. 30),
        map({ ("slow-$_" => { delay => 0.3 }) } 1 .. 60),
        map({ ("hang-$_" => { hang => 1 }) } 1 .. 20),
    },
    default => {},
);

my $port = $ENV{TEST_NGINX_H2_PORT} = TestPorts::free_port();

my $nginx = NginxProcess->new(
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_breaker off;
        agilicus_token_api_timeout 1s;
        agilicus_token_api_rate off;
        server {
            listen 127.0.0.1:$TEST_NGINX_H2_PORT http2;
            root $TEST_NGINX_PREFIX/html;
            location / {
                agilicus_token on;
                try_files /page =404;
            }
            location = /scope {
                agilicus_token on;
                agilicus_token_require_scopes a;
                try_files /page =404;
            }
            location = /login {
                error_page 401 /page;
                agilicus_token on;
            }
            location = /page { }
        }
EOC
);

$nginx->write_file('html/page', "page\n");
$nginx->start;


# What curl makes of it

sub curl {
    my ($path, @args) = @_;

    my @command = ('curl', '-sS', '-i', '--max-time', 10 * $slow,
                   '--noproxy', '*', '--http2-prior-knowledge', @args,
                   "http://127.0.0.1:$port$path");

    open my $out, '-|', @command or die "curl: $!\n";
    local $/;
    my $text = <$out>;
    close $out;

    my ($head, $body) = split /\r\n\r\n/, defined $text ? $text : '', 2;
    my ($status) = $head =~ m{^HTTP/2 (\d+)};

    return ($status, lc $head, defined $body ? $body : '');
}


sub bearer { return ('-H', "Authorization: Bearer $_[0]") }

my @expected = (
    [ 'no token', 401, 'www-authenticate: bearer realm="agilicus"' ],
    [ 'a good token', 200, undef, bearer('good-1') ],
    [ 'an unknown token', 401, 'www-authenticate: bearer realm="agilicus", '
                               . 'error="invalid_token"', bearer('bad') ],
    [ 'a malformed token', 400, 'www-authenticate: bearer realm="agilicus", '
                                . 'error="invalid_request"', bearer('a b') ],
    [ 'an API that fails', 503, 'retry-after: 1', bearer('out') ],
);

for my $case (@expected) {
    my ($what, $wanted, $line, @args) = @$case;
    my ($status, $head, $body) = curl('/', @args);

    is($status, $wanted, $what);

    if (defined $line) {
        like($head, qr/^\Q$line\E\r?$/m, 'with its header line');
        like($head, qr/^cache-control: no-store\r?$/m, 'not to be stored');

    } else {
        is($body, "page\n", 'with the page');
        unlike($head, qr/^(?:www-authenticate|cache-control):/m,
               'and no header line of ours');
    }
}

my ($status, $head, $body) = curl('/scope', bearer('narrow'));

is($status, 403, 'a scope that lacks');
like($head, qr/^www-authenticate: bearer .*, scope="a"\r?$/m, 'is asked for');

($status, $head, $body) = curl('/login', bearer('bad'));
is($status, 401, 'an error page keeps the status');
like($head, qr/^www-authenticate: bearer .*error="invalid_token"\r?$/m,
     'and the challenge');
is($body, "page\n", 'and has a body');

($status, $head, $body) = curl('/login', '-I', bearer('bad'));
is($status, 401, 'for HEAD too');
like($head, qr/^www-authenticate: /m, 'with the challenge');
is($body, '', 'but no body');


# One way after another to pack the same header (RFC 7541).  Index 23 is
# "authorization".

my $start = "\x82\x86\x01\x01a\x84";         # GET, http, authority "a", /

sub text { return chr(length $_[0]) . $_[0] }

my %huffman = (
    ' ' => '010100', '-' => '010110', B => '1011101', a => '00011',
    e => '00101', f => '100101', h => '100111', k => '1110101', m => '101001',
    n => '101010', o => '00111', r => '101100', t => '01001', u => '101101',
);

sub huffman {
    my $bits = join '', map { $huffman{$_} } split //, $_[0];

    $bits .= '1' x (-length($bits) % 8);

    return chr(0x80 | length($bits) / 8) . pack 'B*', $bits;
}


my $h2 = H2->new($port);

my @packed = (
    [ 'added to the table',  "\x57" . text('Bearer table'), 200 ],
    [ 'taken from it',       "\xbe", 200 ],
    [ 'not added',           "\x0f\x08" . text('Bearer literal'), 200 ],
    [ 'never to be added',   "\x1f\x08" . text('Bearer never'), 200 ],
    [ 'with its name',       "\x00" . text('authorization')
                             . text('Bearer named'), 200 ],
    [ 'Huffman coded',       "\x1f\x08" . huffman('Bearer huffman-token'),
                             200 ],
    [ 'of a bad token',      "\x1f\x08" . text('Bearer bad-1'), 401 ],
    [ 'of a malformed one',  "\x1f\x08" . text('Bearer a b'), 400 ],
    [ 'in capitals',         "\x00" . text('Authorization')
                             . text('Bearer capitals'), undef ],
    [ 'taken again',         "\xbf", 200 ],
);

for my $case (@packed) {
    my ($what, $bytes, $wanted) = @$case;

    $h2 = H2->new($port) if !defined $wanted;

    my $stream = $h2->request($start . $bytes);
    my $got = $h2->status($stream);

    if (defined $wanted) {
        is($got, $wanted, "a header $what");

    } else {
        isnt($got, 200, "a header $what is none");

        # the next one may look something up in a table

        $h2 = H2->new($port);
        $h2->status($h2->request("$start\x57" . text("Bearer table")
                                 . "\x40" . text('x') . text('y')));
    }
}

is($mock->calls(token => $_), 1, "$_ was read")
    for qw(table literal never named huffman-token bad-1);
is($mock->calls(token => 'capitals'), 0, 'capitals are not a name');

my $stream = $h2->request("$start\x1f\x08" . text('Bearer in-pieces'),
                          split => 12);
is($h2->status($stream), 200, 'a header in several frames');
is($mock->calls(token => 'in-pieces'), 1, 'is put together');

$stream = $h2->request("$start\x1f\x08" . text('Bearer twice-1')
                       . "\x1f\x08" . text('Bearer twice-2'));
is($h2->status($stream), 400, 'two tokens in two lines');
is($mock->calls(token => $_), 0, 'the API is asked about neither')
    for qw(twice-1 twice-2);

$stream = $h2->request("$start\x1f\x17" . text('b') . "\x1f\x08"
                       . text('Bearer hosts'));
is($h2->status($stream), 400, 'a host that is not the authority');


# streams

$h2 = H2->new($port);

my @streams = map {
    $h2->request("$start\x1f\x08" . text($_ % 2 ? "Bearer good-$_"
                                                : "Bearer bad-$_"))
} 1 .. 30;

is(join(' ', map { $h2->status($_) } @streams),
   join(' ', (200, 401) x 15), 'each of thirty streams has its own verdict');

is($h2->status($h2->request($start)), 401,
   'a stream without a token is not helped by the ones before');

# a stream that is given up; its call goes on

$mock->reset;
@streams = map { $h2->request("$start\x1f\x08" . text("Bearer slow-$_")) }
               1 .. 20;
ok($mock->wait_calls(20), 'twenty streams wait');
$h2->cancel($_) for @streams;
is($h2->status($h2->request("$start\x1f\x08" . text('Bearer good-1'))), 200,
   'the connection goes on without them');

sleep 0.5;

is(join(' ', map { $h2->status($h2->request("$start\x1f\x08"
                                    . text("Bearer slow-$_"))) } 1 .. 20),
   join(' ', (200) x 20), 'the facts that were asked for them are known');
is($mock->calls, 20, 'and not asked again');

# a connection that is given up

@streams = map { $h2->request("$start\x1f\x08" . text("Bearer hang-$_")) }
               1 .. 20;
ok($mock->wait_calls(40), 'twenty more wait');
$h2->close;

$h2 = H2->new($port);
is($h2->status($h2->request("$start\x1f\x08" . text('Bearer good-1'))), 200,
   'they are gone with their connection');

# quickly opened and reset

@streams = ();

for my $i (1 .. 2000) {
    my $id = $h2->request("$start\x1f\x08" . text("Bearer slow-" . (21 + $i % 40)));

    $h2->cancel($id);
    $h2->poll if $i % 50 == 0;
}

cmp_ok($mock->open_connections, '<=', 64,
       'streams that are reset at once do not make more calls than allowed');

$h2->close;

is((curl('/', bearer('good-2')))[0], 200, 'all is well afterwards');

$nginx->finish(secrets => [ qw(good- bad- slow- hang- huffman-) ]);

done_testing();


# As much of HTTP/2 as this file needs (RFC 9113)

package H2;

use Time::HiRes qw(time);


sub new {
    my ($class, $port) = @_;

    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $port) or die "connect: $!\n";

    my $self = bless { sock => $sock, in => '', next => 1, streams => {} },
               $class;

    $self->_write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . _frame(4, 0, 0, ''));

    return $self;
}


sub _frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
           . pack('CCN', $type, $flags, $stream) . $payload;
}


sub _write {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (length $bytes) {
        my $n = syswrite $self->{sock}, $bytes;

        return if !defined $n;

        substr $bytes, 0, $n, '';
    }
}


# a request without a body; "split" puts the rest into a second frame

sub request {
    my ($self, $block, %opt) = @_;

    my $id = $self->{next};

    $self->{next} += 2;
    $self->{streams}{$id} = {};

    if ($opt{split}) {
        $self->_write(_frame(1, 1, $id, substr $block, 0, $opt{split}));
        $self->_write(_frame(9, 4, $id, substr $block, $opt{split}));

    } else {
        $self->_write(_frame(1, 5, $id, $block));
    }

    return $id;
}


sub cancel {
    my ($self, $id) = @_;

    $self->_write(_frame(3, 0, $id, pack 'N', 8));
}


sub close { CORE::close($_[0]{sock}) }
sub poll { $_[0]->_read(0) }


# the status, or undef if the stream or the connection was ended

sub status {
    my ($self, $id) = @_;

    my $stream = $self->{streams}{$id};
    my $until = time + 5 * $slow;

    while (!$stream->{end} && !$self->{gone} && time < $until) {
        $self->_read($until - time);
    }

    return $stream->{status};
}


sub _read {
    my ($self, $seconds) = @_;

    while (IO::Select->new($self->{sock})->can_read($seconds)) {
        if (!sysread $self->{sock}, $self->{in}, 65536, length $self->{in}) {
            $self->{gone} = 1;
            return;
        }

        $seconds = 0;
    }

    while (length $self->{in} >= 9) {
        my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $self->{in};
        my $size = ($high << 16) + $low;

        last if length $self->{in} < 9 + $size;

        my $payload = substr $self->{in}, 9, $size;

        substr $self->{in}, 0, 9 + $size, '';
        $self->_take($type, $flags, $id, $payload);
    }
}


sub _take {
    my ($self, $type, $flags, $id, $payload) = @_;

    my $stream = $self->{streams}{$id} ||= {};

    if ($type == 1) {
        $stream->{status} = _status($payload);

    } elsif ($type == 3) {
        $stream->{end} = 1;

    } elsif ($type == 4 && !($flags & 1)) {
        $self->_write(_frame(4, 1, 0, ''));

    } elsif ($type == 7) {
        $self->{gone} = 1;
    }

    $stream->{end} = 1 if $type <= 1 && $flags & 1;
}


sub _status {
    my ($block) = @_;

    $block =~ s/^[\x20-\x3f]+//;

    my $first = ord $block;

    return (200, 204, 206, 304, 400, 404, 500)[$first - 0x88] if $first & 0x80;
    return substr $block, 2, ord substr $block, 1, 1;
}
