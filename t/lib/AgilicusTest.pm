package AgilicusTest;

# What the block files in t/ share.
#
#   use lib 't/lib';
#   use AgilicusTest;
#
#   repeat_each(2);
#   plan tests => repeat_each() * (blocks() * 3);
#   no_shuffle();
#   run_tests();
#
#   __DATA__
#
#   === TEST 1: ...
#
# Takes Test::Nginx::Socket if it is installed (PERL5LIB counts), else the
# stand-in in t/lib/fallback, and gives its functions to the caller.  Both
# behave the same here:
#
#   * the module is loaded: build/ngx_agilicus_token_module.so, or what
#     AGILICUS_MODULE names ("use AgilicusTest -no_module" leaves it out);
#   * nginx listens on a free port of 127.0.0.1 and lives in
#     t/servroot-<pid>, unless TEST_NGINX_PORT or TEST_NGINX_SERVROOT say
#     otherwise.  The directory is removed after a run without failures;
#   * after the last block one more subtest fails if nginx has logged, in any
#     block, a [crit], [alert] or [emerg] that was not asked for, a sanitizer
#     or valgrind report, or a failed assertion, or if it ended by itself or
#     would not end.  plan() counts this subtest: do not.  The logs of all
#     blocks are kept next to the server root when it fails;
#   * a block that would test less than it says is an error: a section whose
#     name neither library knows, sections of which the library reads only one
#     (response_body and response_body_unlike) or none (error_code next to
#     ignore_response), and a header or a log line that is never looked for.
#
# A block asks for one of these levels by an error_log pattern with it in it,
# by must_die or reload_fails, or by a section of its own:
#
#   --- allow_alert: exited on signal 9
#
# Functions besides those of Test::Nginx::Socket
#
#   allow_alert(qr/.../)    such lines are expected, in the whole file
#   allow_section('name')   a section that the file's own preprocessor reads
#   refused                 a filter, as in "--- error_log refused": the text as
#                           it stands, in an [emerg] with nginx.conf and a line
#   free_port('NAME')       a free port of 127.0.0.1, for use in blocks as
#                           $TEST_NGINX_NAME; without a name just the number
#   secrets('x', ...)       the last subtest fails if a log line of the module,
#                           at any level, contains one of these strings
#   stop_with_tests($x)     calls $x->stop at the end
#
# Variables for blocks: $TEST_NGINX_SERVER_PORT, $TEST_NGINX_HTML_DIR,
# $TEST_NGINX_SERVER_ROOT, $TEST_NGINX_CLOSED_PORT (no server listens),
# $TEST_NGINX_RAND_PORT_1 ... (free ports, anew in each block),
# $TEST_NGINX_API_TIMEOUT (500ms, more where nginx is slow), and those that
# MockAPI and TestCA set.
#
# Environment: AGILICUS_MODULE, AGILICUS_KEEP_LOGS=1 (keep the logs of a good
# run too), and that of NginxControl (wrappers, preloads, deadlines).  Under
# TEST_NGINX_USE_VALGRIND=1 valgrind's reports go to files that the last
# subtest reads.  The exit status of the file is prove's usual one.

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Path ();

my $lib;

BEGIN {
    $lib = Cwd::abs_path(File::Basename::dirname(__FILE__));
    unshift @INC, $lib if !grep { $_ eq $lib } @INC;
}

use BlockSections ();
use NginxControl ();
use NginxReports ();
use TestPorts ();
use Test::More ();

my $owner = $$;

our $Genuine;

my $top = File::Basename::dirname(File::Basename::dirname($lib));

my (@allowed, @secrets, @problems, @at_end);
my ($logs, $servroot, $own_root, $block_number, $current);
my %own_sections;


sub import {
    my ($class, @args) = @_;

    my $caller = caller;
    my $with_module = !grep { $_ eq '-no_module' } @args;

    @args = grep { $_ ne '-no_module' } @args;

    _environment($with_module);
    _load($caller);

    strict->import;
    warnings->import;

    my %ours = (
        plan            => \&_plan,
        run_tests       => \&_run_tests,
        server_port     => sub { $ENV{TEST_NGINX_SERVER_PORT} },
        allow_alert     => \&allow_alert,
        allow_section   => \&allow_section,
        free_port       => \&free_port,
        refused         => \&refused,
        secrets         => \&secrets,
        stop_with_tests => \&stop_with_tests,
    );

    no strict 'refs';
    no warnings qw(redefine prototype);

    *{"${caller}::$_"} = $ours{$_} for keys %ours;

    _plan(@args) if @args;
}


sub _environment {
    my ($with_module) = @_;

    $ENV{TEST_NGINX_BINARY} = _nginx() if !$ENV{TEST_NGINX_BINARY};

    $own_root = !$ENV{TEST_NGINX_SERVROOT};
    $servroot = $ENV{TEST_NGINX_SERVROOT}
              ||= "$top/t/servroot-$$";
    $logs = "$servroot-logs";

    my $port = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT}
               || TestPorts::free_port();

    $ENV{TEST_NGINX_PORT} = $ENV{TEST_NGINX_CLIENT_PORT} = $port;
    $ENV{TEST_NGINX_SERVER_PORT} = $port;
    $ENV{TEST_NGINX_CLOSED_PORT} = TestPorts::free_port();
    $ENV{TEST_NGINX_API_TIMEOUT} = 500 * NginxControl::slow() . 'ms';
    $ENV{TEST_NGINX_SERVER_ROOT} = $servroot;
    $ENV{TEST_NGINX_HTML_DIR} = "$servroot/html";

    if ($with_module) {
        my $module = $ENV{AGILICUS_MODULE}
                     || "$top/build/ngx_agilicus_token_module.so";

        die "$module is not there: build it first, or set AGILICUS_MODULE\n"
            if !-f $module;

        $ENV{TEST_NGINX_LOAD_MODULES} = join ' ', grep { defined }
            $ENV{TEST_NGINX_LOAD_MODULES}, Cwd::abs_path($module);
    }

    _valgrind() if ($ENV{TEST_NGINX_USE_VALGRIND} || '') =~ /^\d+$/;
}


sub _nginx {
    for my $dir (split(/:/, $ENV{PATH} || ''), '/usr/sbin',
                 '/usr/local/sbin')
    {
        return "$dir/nginx" if -x "$dir/nginx" && !-d _;
    }

    die "no nginx found; set TEST_NGINX_BINARY\n";
}


# "-q" is the library's own

sub _valgrind {
    File::Path::make_path($logs);

    my (undef, undef, @options) = NginxReports::valgrind($logs, $top);

    $ENV{TEST_NGINX_USE_VALGRIND} = join ' ', @options;
}


# The library reads its environment when it is loaded.

sub _load {
    my ($caller) = @_;

    $Genuine = 1;

    my $port = $ENV{TEST_NGINX_SERVER_PORT};

    # it says "listen PORT;", which would be every address (with HUP it asks
    # that very port, so there it has to be)

    local $ENV{TEST_NGINX_SERVER_PORT} = "127.0.0.1:$port"
        if !$ENV{TEST_NGINX_USE_HUP};

    if (!eval { require Test::Nginx::Socket; 1 }) {
        die $@ if $@ !~ m{^Can't locate Test/Nginx/Socket\.pm in \@INC};

        $Genuine = 0;
        $ENV{TEST_NGINX_SERVER_PORT} = $port;
        unshift @INC, "$lib/fallback";
        require Test::Nginx::Socket;

    } else {
        _wrap_binary();
    }

    eval "package $caller; Test::Nginx::Socket->import; 1" or die $@;

    Test::Nginx::Socket::add_block_preprocessor(\&_before_block);
}


# The genuine library knows neither wrappers nor our preload variable, but
# runs whatever TEST_NGINX_BINARY names.

sub _wrap_binary {
    my $wrapper = $ENV{AGILICUS_NGINX_WRAPPER};
    my $preload = $ENV{AGILICUS_NGINX_PRELOAD};

    $ENV{TEST_NGINX_LD_PRELOAD} = $preload if defined $preload;

    return if !defined $wrapper || !length $wrapper;

    require File::Temp;

    my $dir = File::Temp::tempdir(CLEANUP => 1);
    my $path = "$dir/nginx";

    open my $fh, '>', $path or die "$path: $!\n";
    print $fh "#!/bin/sh\nexec $wrapper '$ENV{TEST_NGINX_BINARY}' \"\$@\"\n";
    close $fh;
    chmod 0755, $path;

    no warnings 'once';
    $Test::Nginx::Util::NginxBinary = $ENV{TEST_NGINX_BINARY} = $path;
}


sub allow_alert { push @allowed, map { ref $_ ? $_ : qr/\Q$_\E/ } @_ }
sub allow_section { $own_sections{$_} = 1 for @_ }
sub secrets { push @secrets, @_ }
sub stop_with_tests { push @at_end, @_ }


sub refused {
    my ($text) = @_;

    chomp $text;
    $text =~ s/\$(TEST_NGINX_\w+)/$ENV{$1}/g;

    return qr/\[emerg\] \S+ \Q$text\E in \S+\/nginx\.conf:[1-9]\d*$/;
}


sub free_port {
    my ($name) = @_;

    my $port = TestPorts::free_port();

    $ENV{"TEST_NGINX_$name"} = $port if defined $name;

    return $port;
}


sub _plan {
    my (@args) = @_;

    for my $i (0 .. $#args - 1) {
        $args[$i + 1]++ if $args[$i] eq 'tests';
    }

    @args = (tests => $args[0] + 1) if @args == 1 && $args[0] =~ /^\d+$/;

    return @args == 1 && $args[0] eq 'no_plan' ? Test::More::plan('no_plan')
           : Test::More::plan(@args);
}


sub _before_block {
    my ($block) = @_;

    _finish_block();

    my $name = $block->name;
    my $why = BlockSections::mistake($block, \%own_sections);

    die "$why in \"$name\"\n" if defined $why;

    $current = {
        number => ++$block_number,
        name   => $name,
        allow  => _asked_for($block),
        dies   => defined $block->must_die,
    };
}


sub _asked_for {
    my ($block) = @_;

    my $patterns = $block->error_log;
    my $text = join "\n", grep { defined }
               ref $patterns eq 'ARRAY' ? @$patterns : $patterns;
    my @allow;

    for my $level (qw(crit alert emerg)) {
        push @allow, qr/\[$level\]/ if $text =~ /\[\\?$level|\[$level/;
    }

    push @allow, qr/\[emerg\]/
        if defined $block->must_die || defined $block->reload_fails;

    my $section = $block->allow_alert;

    push @allow, map { qr/$_/ } ref $section ? $section
                 : split /\n/, $section if defined $section;

    return \@allow;
}


# Between two blocks, and after the last, nginx is ended and its log read,
# before the library removes it.

sub _finish_block {
    my $block = $current or return;

    undef $current;

    my $last = !@_ ? 0 : $_[0];
    my $pidfile = "$servroot/logs/nginx.pid";
    my $pid = NginxControl::read_pidfile($pidfile);
    my $keeps = $ENV{TEST_NGINX_USE_HUP} && !$last
                || $ENV{TEST_NGINX_NO_CLEAN} && $last;

    if (defined $pid) {
        if (!NginxControl::alive($pid)) {
            _problem($block, "nginx ($pid) ended by itself");

        } elsif (!$keeps) {
            my $needed = NginxControl::stop($pid);

            _problem($block, "nginx ($pid) did not quit, ended by $needed")
                if defined $needed && $needed ne 'QUIT';
        }
    }

    _read_logs($block);
}


sub _read_logs {
    my ($block) = @_;

    my %seen;

    for my $file ("$servroot/logs/error.log", "$servroot/logs/stderr.log",
                  NginxReports::sanitizer_logs(), glob "$logs/valgrind.*")
    {
        my $text = NginxControl::slurp($file);

        next if !length $text;

        my @lines = NginxReports::problems($text,
                        all   => scalar $file =~ m{/valgrind\.\d+$},
                        allow => [ @allowed, @{ $block->{allow} } ]);

        _problem($block, $_) for grep { !$seen{$_}++ } @lines;
        _problem($block, "secret logged: $_")
            for NginxReports::leaked($text, @secrets);
        _keep($block, $file, $text);

        unlink $file if $file !~ m{^\Q$servroot\E/};
    }
}


sub _keep {
    my ($block, $file, $text) = @_;

    File::Path::make_path($logs);

    my $base = File::Basename::basename($file);
    my $path = sprintf '%s/%03d-%s', $logs, $block->{number}, $base;

    open my $fh, '>>:raw', $path or return;
    print $fh "=== $block->{name}\n$text";
    close $fh;
}


sub _problem {
    my ($block, $text) = @_;

    return if grep { $text =~ $_ } @allowed, @{ $block->{allow} };

    push @problems, "$block->{name}: $text";
}


sub _run_tests {
    Test::Nginx::Socket::run_tests();

    _finish_block(1);

    my $ok = Test::More::ok(!@problems, 'no crit, alert, emerg, sanitizer '
                            . 'report or unexpected end of nginx in any block');

    if (!$ok) {
        Test::More::diag("  $_")
            for @problems > 20 ? @problems[0 .. 19] : @problems;
        Test::More::diag("  logs: $logs");
    }

    $_->stop for splice @at_end;
}


END {
    if ($$ == $owner && $own_root && defined $servroot
        && !$ENV{TEST_NGINX_NO_CLEAN})
    {
        my $status = $?;
        my $builder = Test::More->builder;
        my $expected = $builder->expected_tests;

        # before Test::More's own END, so its verdict is not in $? yet

        if ($status == 0 && $builder->is_passing
            && (!$expected || $expected == $builder->current_test))
        {
            File::Path::remove_tree($servroot);
            File::Path::remove_tree($logs) if !$ENV{AGILICUS_KEEP_LOGS};
        }

        $? = $status;
    }
}


1;
