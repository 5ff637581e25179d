package RedisServer;

# A Redis for tests of the fleet: redis-server as a child, on a unix socket, and
# on a port of 127.0.0.1 where that is asked for.
#
#   use RedisServer;
#
#   my $redis = RedisServer->start(port => 1);
#   $redis->url                   "unix:..." ; $redis->tcp: "redis://..."
#   $redis->cli('XLEN', 'agilicus:stream')      what redis-cli prints
#   $redis->halt; $redis->go_on                 SIGSTOP, SIGCONT
#   $redis->kill; $redis->restart               SIGKILL; the same data, if any
#   $redis->stop
#
# Options of start, all optional: port => 1; data => 1 (survives a restart);
# args => [ ... ] of redis-server; password => '...' that redis-cli uses; clock =>
# a TestClock.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use POSIX ();
use Time::HiRes qw(sleep time);

use TestPorts ();

my $owner = $$;
my @all;


sub start {
    my ($class, %opt) = @_;

    my $self = bless { args => [], %opt, dir => File::Temp->newdir }, $class;

    chmod 0755, "$self->{dir}";

    $self->{port} = $opt{port} ? TestPorts::free_port() : 0;
    $self->{socket} = "$self->{dir}/redis.sock";

    push @all, $self;

    return $self->restart;
}


sub restart {
    my ($self) = @_;

    my $pid = fork();
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/log";
        open STDERR, '>&', \*STDOUT;

        # not under the sanitizers' runtime that nginx is given

        delete $ENV{LD_PRELOAD};
        %ENV = (%ENV, $self->{clock}->preload) if $self->{clock};

        { exec 'redis-server', '--port', $self->{port}, '--bind', '127.0.0.1',
             '--unixsocket', $self->{socket}, '--unixsocketperm', '777',
             '--dir', "$self->{dir}", '--save', '', '--daemonize', 'no',
             '--appendonly', $self->{data} ? 'yes' : 'no',
             '--appendfsync', 'always', @{ $self->{args} }; }
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    my $until = time + 30;

    while (time < $until) {
        my $answer = $self->cli('PING');

        return $self if $answer =~ /PONG|NOAUTH|NOPERM/;
        die "redis-server did not start:\n" . $self->log
            if waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.02;
    }

    die "redis-server does not answer:\n" . $self->log;
}


sub url { return "unix:$_[0]{socket}" }
sub port { return $_[0]{port} }
sub tcp { return "redis://127.0.0.1:$_[0]{port}" }
sub pid { return $_[0]{pid} }


sub log {
    my ($self) = @_;

    open my $fh, '<', "$self->{dir}/log" or return '';
    local $/;
    return <$fh>;
}


sub cli {
    my ($self, @args) = @_;

    my @auth = defined $self->{password} ? ('--no-auth-warning', '-a',
                                            $self->{password}) : ();

    my $pid = open my $fh, '-|';
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        { exec 'redis-cli', '-s', $self->{socket}, @auth, @args; }
        POSIX::_exit(127);
    }

    local $/;
    my $text = <$fh>;
    close $fh;
    $text = '' if !defined $text;
    $text =~ s/\n\z//;

    return $text;
}


sub halt { CORE::kill STOP => $_[0]{pid} }
sub go_on { CORE::kill CONT => $_[0]{pid} }


sub kill {
    my ($self) = @_;

    return if !$self->{pid};

    CORE::kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    $self->{pid} = 0;
}


sub stop { $_[0]->kill }


END {
    if ($$ == $owner) {
        local $?;
        $_->kill for @all;
    }
}

1;
