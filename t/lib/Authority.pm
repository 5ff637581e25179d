package Authority;

# Starts and asks agilicus-authority, for the tests of it.  Loopback only.
#
#   use lib 't/lib';
#   use Authority;
#
#   my $token = issue('sub=ben.osei,org=riverton');     # --issue
#   my $authority = start('--delay', '300ms');          # a server
#
#   is status($authority, $token), 200, 'a good token';
#   stops $authority, 'the end';                        # with nothing to say
#   is tokens_logged(), 0, 'no token is in any log';
#
# All of a test share a folder, $dir, and a database in it, $db, with the people
# of $seed.  Each function is described where it is.
#
# AGILICUS_AUTHORITY names the binary (build/agilicus-authority).  A wrapper
# before it, such as valgrind, goes into AGILICUS_AUTHORITY_WRAPPER; the time
# limits are multiplied by AGILICUS_AUTHORITY_SLOWER.

use strict;
use warnings;

use Cwd qw/abs_path/;
use Exporter qw/import/;
use File::Basename qw/dirname/;
use File::Temp qw/tempdir/;
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw/decode_base64url/;
use POSIX qw/:sys_wait_h strftime/;
use Test::More;
use Time::HiRes qw/sleep time/;

our @EXPORT = qw(
    run slurp spew issue start stop stops request post call introspect facts
    status list jtis refuses raw payload at tokens_logged JSON_TYPE BODY_MAX $db $dir
    $json $seed $slower %spent
);

use constant {
    JSON_TYPE => 'application/json',
    BODY_MAX  => 256 * 1024,
};

my $top = abs_path(dirname(__FILE__) . '/../..');
my $binary = abs_path($ENV{AGILICUS_AUTHORITY}
                      // "$top/build/agilicus-authority");
my @wrapper = split ' ', $ENV{AGILICUS_AUTHORITY_WRAPPER} // '';

our $slower = $ENV{AGILICUS_AUTHORITY_SLOWER} // 1;

plan skip_all => 'agilicus-authority is not built'
    unless defined $binary && -x $binary;

our $seed = "$top/conf/organisation.json";
our $dir  = tempdir('agilicus-authority-XXXXXX', TMPDIR => 1, CLEANUP => 1);
our $db   = "$dir/main.db";
our $json = JSON::PP->new->utf8->canonical;
our %spent;     # jti of tokens, or tokens, that no log may show

my $main = $$;
my %running;    # pids of servers, for the case that a test dies


END {
    if ($$ == $main) {
        kill 'KILL', keys %running;
        waitpid $_, 0 for keys %running;
    }
}

$SIG{PIPE} = 'IGNORE';


# Programs.


# runs the authority to its end; returns (exit status, output, errors)

sub run {
    my (@args) = @_;

    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', "$dir/out.$$";
        open STDERR, '>', "$dir/err.$$";
        exec @wrapper, $binary, @args or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    my $rc = $? & 127 ? "signal $?" : $? >> 8;

    return ($rc, slurp("$dir/out.$pid"), slurp("$dir/err.$pid"));
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    local $/;

    return scalar <$fh>;
}


sub spew {
    my ($path, $text) = @_;

    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh;

    return $path;
}


# tokens by --issue, on the main database unless options say otherwise

sub issue {
    my ($spec, @args) = @_;

    my ($rc, $out, $err) = run('--db', $db, '--seed', $seed, '--issue', $spec,
                               @args);

    die "--issue $spec: $err\n" if $rc ne '0';

    my @tokens = split /\n/, $out;

    @spent{@tokens} = ();

    return wantarray ? @tokens : $tokens[0];
}


sub start {
    my (@args) = @_;

    my $log = "$dir/stderr." . (keys(%running) + int(rand(1e9)));

    pipe my $read, my $write or die "pipe: $!\n";

    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>&', $write;
        open STDERR, '>',  $log;
        exec @wrapper, $binary, '--listen', '127.0.0.1:0', '--seed', $seed,
             '--db', $db, @args
            or POSIX::_exit(127);
    }

    close $write;
    $running{$pid} = 1;

    my $ready = IO::Select->new($read)->can_read(10 * $slower);
    my $line = $ready ? <$read> : undef;

    my ($port) = ($line // '') =~ /^listening on 127\.0\.0\.1:(\d+)$/
        or die 'the authority does not start: ' . slurp($log) . "\n";

    return {
        pid    => $pid,
        port   => $port,
        url    => "http://127.0.0.1:$port",
        stdout => $read,
        stderr => $log,
        http   => HTTP::Tiny->new(timeout => 20 * $slower, keep_alive => 1),
    };
}


# ends a server; its exit status, and undef if it would not end

sub stop {
    my ($server, $signal) = @_;

    kill $signal // 'TERM', $server->{pid};

    my $until = time + 10 * $slower;

    while (time < $until) {
        if (waitpid($server->{pid}, WNOHANG) == $server->{pid}) {
            delete $running{ $server->{pid} };
            return $?;
        }

        sleep 0.02;
    }

    kill 'KILL', $server->{pid};
    waitpid $server->{pid}, 0;
    delete $running{ $server->{pid} };

    return undef;
}


sub stops {
    my ($server, $what, $signal) = @_;

    is stop($server, $signal), 0, "$what: ends cleanly";
    is slurp($server->{stderr}), '', "$what: says nothing";
}


# Requests.


sub request {
    my ($server, $method, $path, %options) = @_;

    my $reply = $server->{http}->request($method, "$server->{url}$path", {
        headers => $options{headers} // {},
        defined $options{content} ? (content => $options{content}) : (),
    });

    die "$method: $reply->{content}\n" if $reply->{status} == 599;

    $reply->{content} //= '';
    $reply->{json} = eval { $json->decode($reply->{content}) }
        unless $options{plain};

    return $reply;
}


sub post {
    my ($server, $path, $body, %headers) = @_;

    return request($server, 'POST', "/v1/tokens$path",
        headers => { 'Content-Type' => JSON_TYPE, %headers },
        content => ref $body ? $json->encode($body) : $body);
}


# any operation with the token of the caller; undef for none of either

sub call {
    my ($server, $bearer, $method, $path, $body) = @_;

    return request($server, $method, $path,
        headers => {
            defined $body ? ('Content-Type' => JSON_TYPE) : (),
            defined $bearer ? (Authorization => "Bearer $bearer") : (),
        },
        content => ref $body ? $json->encode($body) : $body);
}


sub introspect {
    my ($server, $token, %options) = @_;

    return post($server, '/introspect', {
        token => $token,
        %options ? (introspect_options => \%options) : (),
    });
}


sub facts {
    my ($server, $token, %options) = @_;

    my $reply = introspect($server, $token, %options);

    return $reply->{status} == 200 ? $reply->{json} : {};
}


sub status {
    return introspect(@_)->{status};
}


sub list {
    my ($server, $bearer, $query) = @_;

    return request($server, 'GET', "/v1/tokens$query",
                   headers => { Authorization => "Bearer $bearer" });
}


sub jtis {
    my ($reply) = @_;

    return join ' ', sort map { $_->{jti} } @{ $reply->{json}{tokens} // [] };
}


# an ErrorMessage with this status and code

sub refuses {
    my ($reply, $status, $code, $what) = @_;

    my $error = $reply->{json} // {};

    is $reply->{status}, $status, "$what: $status";
    is $error->{error_code}, $code, "$what: $code";
    like $error->{error_message} // '', qr/^[ -~]{5,}$/, "$what: a message";
    is $reply->{headers}{'content-type'}, JSON_TYPE, "$what: as JSON";
}


# bytes over a connection of their own, and what comes back until it closes

sub raw {
    my ($server, @pieces) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $server->{port})
        or die "connect: $!\n";

    for my $piece (@pieces) {
        $socket->syswrite($piece);
        sleep 0.05 if @pieces > 1;
    }

    $socket->shutdown(1) unless "@pieces" =~ /Connection: close/;

    my $answer = '';
    my $select = IO::Select->new($socket);

    while ($select->can_read(5 * $slower)) {
        $socket->sysread($answer, 65536, length $answer) or last;
    }

    return $answer;
}


sub payload {
    my ($token) = @_;

    return $json->decode(decode_base64url((split /\./, $token)[1]));
}


sub at {
    my ($offset) = @_;

    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $offset));
}


# how many of the tokens that were spent are in a log, also in part

sub tokens_logged {
    my $text = join '', map { slurp($_) } glob "$dir/*.log $dir/stderr.*";

    return scalar grep { index($text, $_) >= 0
                         || index($text, (split /\./, $_)[2] // "\0") >= 0 }
                  keys %spent;
}


1;
