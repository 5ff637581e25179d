package NginxProcess;

# An nginx for plain Test::More files: lifecycle tests, several workers, many
# clients.  Block files do not need it.
#
#   use lib 't/lib';
#   use Test::More;
#   use NginxProcess;
#
#   my $nginx = NginxProcess->new(
#       workers => 2,
#       config  => 'location /t { return 200 "ok\n"; }',
#   );
#
#   $nginx->start;                      # dies with nginx's output if it fails
#   is($nginx->get('/t')->{status}, 200, 'answers');
#   $nginx->finish;                     # one subtest: quits, log is clean
#   done_testing();
#
# Options of new, all optional
#
#   config  http  main  events    parts of nginx.conf (the first goes into
#                                 server {}); or conf => the whole text, where
#                                 @PREFIX@ is the folder, @PORT@ the port
#   workers => 1                  worker_processes
#   master => 'on'                or 'off'
#   daemon => 0                   1: as in production; needed by upgrade()
#   module => 1                   loads build/ngx_agilicus_token_module.so or
#                                 AGILICUS_MODULE; 0: not; or a path
#   log_level => 'debug'   user   worker_connections => 512
#   command => [ 'prlimit', '--nofile=64' ]      put before the binary
#   env => { https_proxy => 'http://...' }       for nginx alone
#   port                          else a free one
#   dir                           else t/servroot-<pid>-<n>, removed at the end
#                                 if all is well
#
# $TEST_NGINX_NAME in the parts is replaced by the environment variable, as in
# block files ($TEST_NGINX_RAND_PORT_<n> is not); besides, $TEST_NGINX_PREFIX
# is the folder and $TEST_NGINX_SERVER_PORT the port of this nginx.
#
# Methods
#
#   start               stop($signal)       try_start: undef, or why not
#   test_config         { code, output } of nginx -t
#   configure(%parts)   new parts, for the next start or reload
#   reload(%parts)      HUP; true when only new workers take connections, or
#                       dies; try_reload returns undef, or why not
#   port  prefix  pid (of the master)  workers (pids)  children
#   running
#   kill_worker($pid, $signal)   KILL by default; waits for its replacement and
#                                returns the pids of the workers then
#   signal($name)       to the master
#   upgrade             USR2, or what the sub does that is given; returns the
#                       pid of the new master
#   retire_old          QUIT to the old master, wait until it is gone
#   roll_back           QUIT to the new master; the old one stays
#   wait_gone($pid, $seconds)
#   error_log           the text      log_lines(qr/.../)
#   wait_log(qr/.../, $seconds)       true once a line matches
#   mark  new_log       remember where the log ends; what came since
#   write_file($name, $text)          under the folder; returns its path
#   problems(allow => [ qr/.../ ])    crits, alerts, emergs, sanitizer reports
#   finish($title, allow => [...], secrets => [...])
#                                     a subtest: QUIT suffices, in time and
#                                     with exit code 0, and no problems; nor do
#                                     the module's log lines have the strings.
#                                     The file fails too if there are problems
#                                     that neither finish() nor, once nginx is
#                                     gone, problems() has looked for
#   http                an HttpClient; get request raw connect many go to it
#
# Environment: as NginxControl (wrapper, preload, deadlines), TEST_NGINX_BINARY,
# TEST_NGINX_WORKER_USER, AGILICUS_MODULE, TEST_NGINX_NO_CLEAN=1 (keep folder).

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Path ();
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

use HttpClient ();
use NginxControl ();
use NginxReports ();
use TestPorts ();

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
my $owner = $$;
my $count = 0;
my @all;

my %options = map { $_ => 1 } qw(config http main events conf workers master
    daemon module log_level user worker_connections command env port dir);


sub new {
    my ($class, %opt) = @_;

    for my $name (keys %opt) {
        die "NginxProcess: unknown option \"$name\"\n" if !$options{$name};
    }

    my $dir = defined $opt{dir} ? $opt{dir}
              : "$top/t/servroot-$$-" . ++$count;

    my $self = bless {
        workers   => 1,
        master    => 'on',
        module    => 1,
        log_level => 'debug',
        user      => $ENV{TEST_NGINX_WORKER_USER}
                     || ($> == 0 ? 'root' : undef),
        worker_connections => 512,
        config    => '',
        http      => '',
        main      => '',
        events    => '',
        %opt,
        own_dir   => !defined $opt{dir},
        dir       => $dir,
        binary    => $ENV{TEST_NGINX_BINARY} || _nginx(),
        mark      => 0,
    }, $class;

    $self->{port} = TestPorts::free_port() if !defined $self->{port};
    $self->{pidfile} = "$dir/logs/nginx.pid";
    $self->{errlog} = "$dir/logs/error.log";
    $self->{stderr} = "$dir/logs/stderr.log";

    for my $sub ($dir, map { "$dir/$_" } qw(conf html logs)) {
        File::Path::make_path($sub);
        chmod 0755, $sub;
    }

    push @all, $self;

    return $self;
}


sub _nginx {
    for my $dir (split(/:/, $ENV{PATH} || ''), '/usr/sbin',
                 '/usr/local/sbin')
    {
        return "$dir/nginx" if -x "$dir/nginx" && !-d _;
    }

    die "no nginx found; set TEST_NGINX_BINARY\n";
}


sub port { $_[0]{port} }
sub prefix { $_[0]{dir} }
sub pid { $_[0]{pid} }


sub write_file {
    my ($self, $name, $text) = @_;

    my $path = "$self->{dir}/$name";

    File::Path::make_path(File::Basename::dirname($path));

    open my $fh, '>:raw', $path or die "$path: $!\n";
    print $fh $text;
    close $fh or die "$path: $!\n";

    return $path;
}


sub configure {
    my ($self, %parts) = @_;

    for my $name (keys %parts) {
        die "NginxProcess: unknown option \"$name\"\n" if !$options{$name};
        $self->{$name} = $parts{$name};
    }

    $self->_write_conf;

    return;
}


sub _write_conf {
    my ($self) = @_;

    $self->write_file('conf/nginx.conf', $self->_expand(
        defined $self->{conf} ? $self->{conf} : $self->_conf));
}


sub _conf {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $module = $self->_module;

    return join "\n",
        defined $module ? "load_module $module;" : (),
        'daemon ' . ($self->{daemon} ? 'on;' : 'off;'),
        "master_process $self->{master};",
        "worker_processes $self->{workers};",
        "error_log $self->{errlog} $self->{log_level};",
        "pid $self->{pidfile};",
        defined $self->{user} ? "user $self->{user};" : (),
        $self->{main},
        "events { worker_connections $self->{worker_connections};",
        $self->{events}, '}',
        'http {',
        "access_log $dir/logs/access.log;",
        map({ "${_}_temp_path $dir/${_}_temp;" }
            qw(client_body proxy fastcgi uwsgi scgi)),
        'default_type text/plain;',
        $self->{http},
        'server {',
        "listen 127.0.0.1:$self->{port};",
        'server_name localhost;',
        "root $dir/html;",
        $self->{config},
        '}', '}', '';
}


sub _module {
    my ($self) = @_;

    return undef if !$self->{module};

    my $path = $self->{module} ne '1' ? $self->{module}
               : $ENV{AGILICUS_MODULE}
                 || "$top/build/ngx_agilicus_token_module.so";

    die "$path is not there: build it first, or set AGILICUS_MODULE\n"
        if !-f $path;

    return Cwd::abs_path($path);
}


sub _expand {
    my ($self, $text) = @_;

    my %own = (
        TEST_NGINX_SERVER_PORT => $self->{port},
        TEST_NGINX_PREFIX      => $self->{dir},
    );

    $text =~ s{\$(TEST_NGINX_[_A-Z0-9]+)}{
        my $value = exists $own{$1} ? $own{$1} : $ENV{$1};
        die "no environment variable $1\n" if !defined $value;
        $value;
    }ge;

    $text =~ s/\@PREFIX\@/$self->{dir}/g;
    $text =~ s/\@PORT\@/$self->{port}/g;

    return $text;
}


sub start {
    my ($self) = @_;

    my $why = $self->try_start;

    die "$why\n" if defined $why;

    return $self;
}


sub try_start {
    my ($self) = @_;

    $self->_write_conf;

    my $result = NginxControl::start(
        binary  => $self->{binary},
        command => [ NginxReports::valgrind("$self->{dir}/logs", $top),
                     @{ $self->{command} || [] } ],
        prefix  => $self->{dir},
        conf    => "$self->{dir}/conf/nginx.conf",
        pidfile => $self->{pidfile},
        stderr  => $self->{stderr},
        errlog  => $self->{errlog},
        env     => $self->{env},
        daemon  => $self->{daemon},
    );

    if ($result->{started}) {
        $self->{pid} = $self->{session} = $result->{pid};
        $self->{watched} = 1;
        $self->_await_workers;
        return undef;
    }

    return 'nginx neither started nor failed in time' if $result->{hung};

    return "nginx did not start (status $result->{status})\n"
           . NginxControl::slurp($self->{stderr});
}


sub _await_workers {
    my ($self) = @_;

    return if $self->{master} ne 'on' || defined $self->{conf};

    my $wanted = $self->{workers} =~ /^\d+$/ ? $self->{workers} : 1;
    my $until = time + 5 * NginxControl::slow();

    sleep 0.002 while $self->workers < $wanted && time < $until;
}


sub test_config {
    my ($self) = @_;

    $self->_write_conf;

    my $conf = "$self->{dir}/conf/nginx.conf";
    my $pid = open my $out, '-|';

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        alarm 30 * NginxControl::slow();

        my $preload = $ENV{AGILICUS_NGINX_PRELOAD};

        local $ENV{LD_PRELOAD} = $preload if defined $preload;

        exec $self->{binary}, '-t', '-e', $self->{errlog},
             '-p', "$self->{dir}/", '-c', $conf
            or POSIX::_exit(127);
    }

    my $output = do { local $/; <$out> };

    close $out;

    return { code => $? >> 8, signal => $? & 127, output => $output };
}


sub running {
    my ($self) = @_;

    return defined $self->{pid} && NginxControl::alive($self->{pid});
}


sub workers {
    my ($self) = @_;

    return NginxControl::workers($self->{pid});
}


sub children {
    my ($self) = @_;

    return NginxControl::children($self->{pid});
}


sub signal {
    my ($self, $name) = @_;

    return kill $name, $self->{pid};
}


sub reload {
    my ($self, %parts) = @_;

    my $why = $self->try_reload(%parts);

    die "$why\n" if defined $why;

    return 1;
}


sub try_reload {
    my ($self, %parts) = @_;

    die "nginx without a master cannot reload\n" if $self->{master} ne 'on';

    $self->configure(%parts);

    return NginxControl::reload($self->{pid},
        errlog  => $self->{errlog},
        workers => defined $self->{conf} ? 1 : $self->{workers});
}


sub kill_worker {
    my ($self, $pid, $signal) = @_;

    my $before = () = $self->workers;
    my $until = time + 5 * NginxControl::slow();

    kill $signal || 'KILL', $pid;

    while (time < $until) {
        my @workers = $self->workers;

        return @workers if @workers >= $before
                           && !grep { $_ == $pid } @workers;

        sleep 0.002;
    }

    return $self->workers;
}


sub upgrade {
    my ($self, $how) = @_;

    die "upgrade needs daemon => 1\n" if !$self->{daemon};

    my $old = $self->{pid};
    my $until = time + 10 * NginxControl::slow();

    # the nginx that has started this one must have ended, else this one
    # ignores the signal, as during an upgrade

    while (time < $until) {
        my ($parent) = NginxControl::slurp("/proc/$old/status")
                       =~ /^PPid:\s+(\d+)/m;

        last if NginxControl::slurp("/proc/$parent/comm") !~ /^nginx/;
        sleep 0.05;
    }

    $how ? $how->() : kill 'USR2', $old;

    while (time < $until) {
        my $new = NginxControl::read_pidfile($self->{pidfile});

        if (defined $new && $new != $old
            && defined NginxControl::read_pidfile("$self->{pidfile}.oldbin"))
        {
            NginxControl::guard($new);

            $self->{old} = $old;
            $self->{pid} = $new;
            $self->_await_workers;

            return $new;
        }

        sleep 0.005;
    }

    die "no new binary after USR2\n";
}


sub retire_old {
    my ($self) = @_;

    my $old = delete $self->{old};

    return NginxControl::stop($old, alone => 1);
}


sub roll_back {
    my ($self) = @_;

    my $new = $self->{pid};

    $self->{pid} = delete $self->{old};

    return NginxControl::stop($new);
}


sub wait_gone {
    my ($self, $pid, $seconds) = @_;

    return NginxControl::wait_gone($pid, defined $seconds ? $seconds
                                         : 5 * NginxControl::slow());
}


# The name of the signal that it took, undef if nginx was gone already

sub stop {
    my ($self, $signal) = @_;

    for my $pid (grep { defined } delete $self->{old}) {
        NginxControl::stop($pid, alone => 1);
    }

    my $pid = delete $self->{pid};

    return undef if !defined $pid;

    my $needed = NginxControl::stop($pid, signal => $signal || 'QUIT');

    $self->{status} = NginxControl::status($pid);

    # a new binary lives in the session of the old one

    NginxControl::end_session($self->{session});

    return $needed;
}


sub error_log {
    my ($self) = @_;

    return NginxControl::slurp($self->{errlog});
}


sub log_lines {
    my ($self, $regex) = @_;

    return grep { $_ =~ $regex } split /\n/, $self->error_log;
}


sub wait_log {
    my ($self, $regex, $seconds) = @_;

    my $until = time + (defined $seconds ? $seconds
                        : 5 * NginxControl::slow());

    for ( ;; ) {
        return 1 if $self->new_log =~ $regex;
        return 0 if time > $until;

        sleep 0.005;
    }
}


sub mark {
    my ($self) = @_;

    $self->{mark} = -s $self->{errlog} || 0;

    return;
}


sub new_log {
    my ($self) = @_;

    my $text = $self->error_log;

    return length $text > $self->{mark} ? substr $text, $self->{mark} : '';
}


sub problems {
    my ($self, %opt) = @_;

    my @found;

    $self->{watched} = 0 if !$self->running;

    for my $file ($self->{errlog}, $self->{stderr},
                  NginxReports::sanitizer_logs())
    {
        push @found, NginxReports::problems(NginxControl::slurp($file), %opt);
    }

    for my $file (glob "$self->{dir}/logs/valgrind.*") {
        push @found, NginxReports::problems(NginxControl::slurp($file), %opt,
                                            all => 1);
    }

    my %seen;

    return grep { !$seen{$_}++ } @found;
}


sub finish {
    my ($self, @args) = @_;

    my $title = @args % 2 ? shift @args : 'nginx quits, its log is clean';
    my %opt = @args;

    my @problems;
    my $pid = $self->{pid};

    $self->{watched} = 0;

    if (!defined $pid || !$self->running) {
        push @problems, 'nginx ended by itself';
    }

    my $needed = $self->stop;

    push @problems, "nginx did not quit, it took $needed"
        if defined $needed && $needed ne 'QUIT';

    push @problems, "nginx exited with status $self->{status}"
        if $self->{status};

    @problems = grep { my $line = $_;
                       !grep { $line =~ $_ } @{ $opt{allow} || [] } }
                @problems, $self->problems(allow => $opt{allow});

    push @problems, map { "secret logged: $_" }
                    NginxReports::leaked($self->error_log,
                                         @{ $opt{secrets} || [] });

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return 1 if Test::More::ok(!@problems, $title);

    Test::More::diag("  $_")
        for @problems > 20 ? @problems[0 .. 19] : @problems;
    Test::More::diag("  log: $self->{errlog}");

    return 0;
}


sub http {
    my ($self) = @_;

    return $self->{http_client} ||= HttpClient->new(port => $self->{port});
}


sub get { my $self = shift; return $self->http->get(@_) }
sub request { my $self = shift; return $self->http->request(@_) }
sub raw { my $self = shift; return $self->http->raw(@_) }
sub connect { my $self = shift; return $self->http->connect(@_) }
sub many { my $self = shift; return $self->http->many(@_) }


END {
    if ($$ == $owner) {
        my $status = $?;

        $_->stop for @all;

        for my $nginx (grep { $_->{watched} } @all) {
            my @problems = $nginx->problems or next;

            Test::More::diag("  $_") for "never finished: $nginx->{dir}",
                                         @problems;
            $status ||= 1;
        }

        my $builder = Test::More->builder;

        if ($status == 0 && $builder->is_passing
            && !$ENV{TEST_NGINX_NO_CLEAN})
        {
            File::Path::remove_tree($_->{dir})
                for grep { $_->{own_dir} } @all;
        }

        $? = $status;
    }
}


1;
