package Test::Nginx::Socket;

# A stand-in for Test::Nginx::Socket, for machines where that library is not
# installed.  It runs files in the documented block format with the same
# number of subtests, needs core modules only, and listens on 127.0.0.1 only.
#
#   BEGIN {
#       unless (eval { require Test::Nginx::Socket; 1 }) {
#           unshift @INC, 't/lib/fallback';
#       }
#   }
#
#   use Test::Nginx::Socket;
#
#   repeat_each(2);
#   plan tests => repeat_each() * (blocks() * 3);
#   no_shuffle();
#   run_tests();
#
#   __DATA__
#
#   === TEST 1: what is true
#   --- config
#       location = /t { return 200 "hello\n"; }
#   --- request
#   GET /t
#   --- response_body
#   hello
#   --- no_error_log
#   [error]
#
# (AgilicusTest does the first part and more.)
#
# Subtests of one block, for each repetition: one for the status of each
# request (200 unless error_code says otherwise), one for each header line,
# one for the body if there is a body section, one for each pattern of
# error_log and no_error_log (again for each request of several), one for
# grep_error_log, tcp_query, tcp_query_len, udp_query.  "ignore_response" leaves
# out those about the response.  "must_die" makes one of its own, and those of
# the error log.
#
# Sections
#
#   config http_config main_config post_main_config server_name log_level
#   error_log_file user_files init post_setup_server_root
#   request more_headers raw_request raw_request_middle_delay
#   pipelined_requests request_eval timeout abort shutdown wait
#   error_code error_code_like response_headers response_headers_like
#   raw_response_headers_like raw_response_headers_unlike
#   response_body response_body_like response_body_unlike response_body_eval
#   response_body_filters response_body_json_sort http09
#   ignore_response ignore_response_body server_addr_for_client
#   error_log no_error_log grep_error_log grep_error_log_out
#   shutdown_error_log no_shutdown_error_log access_log no_access_log
#   must_die reload_fails suppress_stderr
#   tcp_listen ... udp_listen ...          (Test::Nginx::Socket::Mock)
#   skip_nginx skip_nginx2 skip_eval todo SKIP ONLY LAST
#   and filters on each                    (Test::Nginx::Socket::Spec)
#
# "$TEST_NGINX_NAME" is replaced by the environment variable of that name in
# the configuration sections, user_files, pipelined_requests, tcp_listen,
# udp_listen, response_body and grep_error_log_out;
# $TEST_NGINX_RAND_PORT_<n> by a free port, the same throughout a block.
#
# Environment: TEST_NGINX_BINARY _SERVROOT _PORT _SERVER_PORT _CLIENT_PORT
# _LOAD_MODULES _USE_HUP _MASTER_PROCESS _TIMEOUT _LOG_LEVEL _USE_VALGRIND
# _WORKER_USER _NO_SHUFFLE _NO_CLEAN _FAST_SHUTDOWN _ERROR_LOG _EVENT_TYPE
# _POSTPONE_OUTPUT _REUSE_PORT _RANDOMIZE _CHECK_ACCUM_ERR_LOG
# _FORCE_RESTART_ON_TEST _LD_PRELOAD _VERBOSE, and those of NginxControl.
#
# Other than in the library: nginx runs with "daemon off" as our child, its
# output is shown only if it does not start, a block that cannot be understood
# or started fails instead of ending the whole session, and nothing waits for
# longer than it has to.  Not here: HTTP/2 and 3, curl, stap, benchmark and
# leak modes, skip_openssl, TEST_NGINX_IGNORE_MISSING_DIRECTIVES.

use strict;
use warnings;

use Carp qw(croak);
use Cwd ();
use File::Basename ();
use List::Util ();
use Test::More ();
use Time::HiRes qw(sleep);

BEGIN {
    my $dir = File::Basename::dirname(Cwd::abs_path(__FILE__));
    my $lib = Cwd::abs_path("$dir/../../..");

    push @INC, grep { my $new = $_; !grep { $_ eq $new } @INC }
               $lib, "$lib/fallback";
}

use HttpMessage ();
use NginxControl ();
use TestPorts ();
use Test::Nginx::Socket::Check ();
use Test::Nginx::Socket::Client ();
use Test::Nginx::Socket::Mock ();
use Test::Nginx::Socket::Server ();
use Test::Nginx::Socket::Setup;
use Test::Nginx::Socket::Skip ();
use Test::Nginx::Socket::Spec qw(seconds);

our $VERSION = '0.33';

$Setup{expand} = \&_expand;

my @functions = qw(
    plan run_tests run_test blocks repeat_each no_shuffle no_long_string
    no_diff no_root_location use_hup log_level master_on master_off
    master_process_enabled workers worker_connections env_to_nginx
    config_preamble set_http_config_filter server_name server_addr
    server_root html_dir server_port server_port_for_client timeout
    no_nginx_manager check_accum_error_log add_block_preprocessor
    add_response_body_check add_cleanup_handler add_test_cleanup_handler
    bail_out is_str
);

my @more = grep { $_ ne 'plan' && /^\w/ } @Test::More::EXPORT;

my ($spec, $server, $previous_config, $previous_block);
my (@preprocessors, @cleanup, @test_cleanup, @body_checks);
my %rand_ports;
my $owner = $$;


sub import {
    my ($class, @args) = @_;

    my $caller = caller;

    strict->import;
    warnings->import;

    no strict 'refs';
    no warnings 'redefine';

    *{"${caller}::$_"} = \&{$_} for @functions;
    *{"${caller}::$_"} = \&{"Test::More::$_"} for @more;
    *{"${caller}::TODO"} = \$Test::More::TODO;

    plan(@args) if @args;
}




# the last one added runs first, as in the library

sub add_block_preprocessor(&) { unshift @preprocessors, $_[0] }
sub add_response_body_check ($) { push @body_checks, $_[0] }
sub add_cleanup_handler ($) { push @cleanup, $_[0] }
sub add_test_cleanup_handler ($) { push @test_cleanup, $_[0] }


sub plan {
    my (@args) = @_;

    Test::More::plan(@args == 1 && $args[0] eq 'no_plan' ? 'no_plan' : @args);
}


sub bail_out {
    _cleanup();
    Test::More::BAIL_OUT(join '', @_);
}


sub is_str {
    my ($got, $expected, $title) = @_;

    return Test::More::like($got, $expected, $title)
        if ref $expected eq 'Regexp';

    return Test::Nginx::Socket::Check::is_string(\%Setup, $got, $expected,
                                                 $title);
}


# In scalar context their number; else the blocks, with filters run.

sub blocks {
    if (!$spec) {
        my $text = '';

        if (defined fileno main::DATA) {
            local $/;
            $text = <main::DATA>;
        }

        $spec = Test::Nginx::Socket::Spec::parse(defined $text ? $text : '');
    }

    return scalar @$spec if !wantarray;

    $_->run_filters for @$spec;

    return @$spec;
}


sub _expand {
    my ($text) = @_;

    return $text if !defined $text || ref $text;

    $text =~ s{\$(TEST_NGINX_[_A-Z0-9]+)}{ _variable($1) }ge;

    return $text;
}


sub _variable {
    my ($name) = @_;

    if ($name =~ /^TEST_NGINX_RAND_PORT_\d+$/) {
        $rand_ports{$name} = TestPorts::free_port()
            if !defined $rand_ports{$name};

        return $rand_ports{$name};
    }

    die "No environment $name defined.\n" if !defined $ENV{$name};

    return $ENV{$name};
}


sub run_tests () {
    my @blocks = blocks();

    @blocks = List::Util::shuffle(@blocks) if !$Setup{no_shuffle};

    $ENV{TEST_NGINX_SERVER_PORT} = $Setup{port}
        if !defined $ENV{TEST_NGINX_SERVER_PORT};

    $Setup{nginx_version} = NginxControl::version($Setup{binary});

    croak "cannot find or run nginx (TEST_NGINX_BINARY): $Setup{binary}\n"
        if !defined $Setup{nginx_version} && !$Setup{unmanaged};

    my $options = `\Q$Setup{binary}\E -V 2>&1`;

    $Setup{has} = { map { $_ => $options !~ /--without-http_${_}_module/ }
                    qw(proxy fastcgi uwsgi scgi) };
    $Setup{has}{client_body} = 1;

    for my $block (@blocks) {
        $_->($block) for @preprocessors;

        $block->set_value(name => "$0 " . $block->name);
        run_test($block);
        $_->($block) for @test_cleanup;
    }

    _cleanup();
}


sub run_test ($) {
    my ($block) = @_;

    return if defined $block->SKIP;

    warn 'Run the test block ', scalar $block->name, "\n"
        if env('VERBOSE');

    local $Setup{log_level} = $block->log_level || $Setup{log_level};

    %rand_ports = ();

    my $ok = eval { _run_block($block); 1 };

    Test::More::fail($block->name . " - $@") if !$ok;
}


sub _run_block {
    my ($block) = @_;

    for my $section (qw(http2 http3 stap skip_openssl skip_slave curl)) {
        die "--- $section is not supported by the stand-in\n"
            if defined $block->$section;
    }

    my $config = _expand(scalar $block->config);
    my $must_die = defined $block->must_die;
    my ($skip, $skip_why) =
        Test::Nginx::Socket::Skip::skip($block, $Setup{nginx_version});
    my ($todo, $todo_why) = Test::Nginx::Socket::Skip::todo($block);

    die "no --- config section and no previous one\n"
        if !defined $config && !defined $previous_config && !$must_die
           && !$Setup{unmanaged};

    my $restart = defined $config && !$Setup{unmanaged} && !$skip
                  && ($Setup{force_restart} || !defined $previous_config
                      || $config ne $previous_config);

    $server ||= Test::Nginx::Socket::Server->new(\%Setup);

    if ($restart) {
        $previous_config = $config;

        return _must_die($block, $config) if $must_die;

        _restart($block, $config);
    }

    $previous_block = $block;

    if (defined $block->init) {
        eval $block->init;
        die "init failed: $@" if $@;
    }

    $server->{offset} = 0;

    for my $repeat (0 .. $Setup{repeat} - 1) {
        if ($skip) {
            SKIP: { Test::More::skip($block->name . " - $skip_why", $skip) }
            next;
        }

        if ($todo) {
            TODO: {
                Test::More::todo_skip($block->name . " - $todo_why", $todo);
            }
            next;
        }

        $server->write_user_files($block) if $repeat;

        _run_once($block, $repeat);
    }

    _append_log($block);
}


sub _restart {
    my ($block, $config) = @_;

    my $why;

    if ($Setup{use_hup} && $server->running) {
        _shutdown_checks(1);
        $why = $server->reload($block, $config);

    } else {
        $server->stop;
        _shutdown_checks(0);
        $why = $server->start($block, $config);
    }

    die "$why\n" if defined $why;
}


sub _shutdown_checks {
    my ($skip) = @_;

    my $block = $previous_block or return;

    undef $previous_block;

    my $ctx = _context($block, 0);
    my $n = map { Test::Nginx::Socket::Check::patterns(scalar $_) }
            $block->shutdown_error_log, $block->no_shutdown_error_log;

    if ($skip) {
        SKIP: { Test::More::skip("$ctx->{name} - reloaded", $n) if $n }
        return;
    }

    Test::Nginx::Socket::Check::shutdown_logs($ctx, [ $server->new_lines ])
        if $n;
}


sub _must_die {
    my ($block, $config) = @_;

    my $name = $block->name;
    my $code = $block->must_die;

    $server->stop;
    _shutdown_checks(0);

    for my $repeat (0 .. $Setup{repeat} - 1) {
        my $end = $server->dies($block, $config);

        if ($end->{lives}) {
            Test::More::fail("$name - die as expected");

        } elsif ($end->{signal}) {
            Test::More::fail("$name - nginx died of signal $end->{signal}");

        } elsif ($code =~ /^\d+$/) {
            Test::More::is($end->{code}, $code,
                           "$name - die with the expected exit code");

        } else {
            Test::More::isnt($end->{code}, 0, "$name - die as expected");
        }

        Test::Nginx::Socket::Check::logs(_context($block, $repeat),
                                         [ $server->new_lines ]);
    }

    _append_log($block);
}


sub _context {
    my ($block, $repeat) = @_;

    return {
        block       => $block,
        name        => scalar $block->name,
        repeat      => $repeat,
        expand      => \&_expand,
        server_port => $Setup{port},
        long_string => $Setup{long_string},
        body_checks => \@body_checks,
    };
}


sub _run_once {
    my ($block, $repeat) = @_;

    my $ctx = _context($block, $repeat);
    my @mocks;

    my $ok = eval {
        push @mocks, Test::Nginx::Socket::Mock::tcp($ctx)
            if defined $block->tcp_listen;
        push @mocks, Test::Nginx::Socket::Mock::udp($ctx)
            if defined $block->udp_listen;

        _exchange($ctx);
        $_->check for @mocks;
        1;
    };

    my $error = $@;

    $_->stop for @mocks;

    die $error if !$ok;
}


sub _exchange {
    my ($ctx) = @_;

    my $block = $ctx->{block};
    my $pipelined = $block->pipelined_requests;
    my @requests = Test::Nginx::Socket::Client::requests($block, \%Setup);
    my $n = $pipelined ? @$pipelined : @requests;

    $ctx->{need_array} = $pipelined || $n > 1;

    my ($bytes, $head);

    for my $i (0 .. $n - 1) {
        ($bytes, $head) = _send($ctx, $requests[$i]) if !$pipelined || !$i;

        my $res = {};

        if (!defined $block->ignore_response) {
            $res = _parse($ctx, $bytes, $head, $pipelined && $i < $n - 1);
            Test::Nginx::Socket::Check::response($ctx, $res, $i);
        }

        $bytes = defined $res->{rest} ? $res->{rest} : '';

        sleep seconds(scalar $block->wait) if $block->wait;

        my @wanted = Test::Nginx::Socket::Check::patterns(
                         scalar $block->error_log);

        Test::Nginx::Socket::Check::logs($ctx,
                                         $server->settled_lines(@wanted));

        Test::Nginx::Socket::Check::access_log($ctx, $server->access_lines)
            if !defined $block->ignore_response;
    }
}


sub _send {
    my ($ctx, $packets) = @_;

    my $block = $ctx->{block};
    my $timeout = seconds(scalar $block->timeout);

    $timeout = $Setup{timeout} * NginxControl::slow() if !defined $timeout;

    my $head = join('', map { $_->{value} } @$packets) =~ /^\s*HEAD\s/;

    my ($bytes, $error) = Test::Nginx::Socket::Client::send_packets($packets,
        addr => $block->server_addr_for_client || $Setup{addr},
        port => $Setup{client_port},
        timeout      => $timeout,
        limit        => 60 + 20 * $timeout,
        middle_delay => scalar $block->raw_request_middle_delay,
        shutdown     => scalar $block->shutdown,
        retry        => sub { $Setup{unmanaged} || $server->running },
    );

    return ($bytes, $head) if !defined $error;

    if ($error eq 'connect') {
        Test::More::fail("$ctx->{name} - cannot connect to nginx on port "
                         . $Setup{client_port});

    } elsif ($error ne 'timeout') {
        warn "WARNING: $ctx->{name} - $error\n";

    } elsif (!defined $block->abort) {
        Test::More::fail('ERROR: client socket timed out - ' . $ctx->{name});
    }

    return ($bytes, $head);
}


sub _parse {
    my ($ctx, $bytes, $head, $more) = @_;

    my $name = $ctx->{name};

    return { status => 200, raw_headers => '', headers => [],
             body => $bytes } if defined $ctx->{block}->http09;

    my $res = HttpMessage::parse($bytes, head => $head, eof => 1);

    return { headers => [], body => $bytes } if !$res;

    # a body where none may be is there for the block to see

    if (!$more && defined $res->{rest}
        && ($head || ($res->{status} || '') =~ /^[23]04$/))
    {
        $res->{body} = delete $res->{rest};
    }

    if (defined $res->{chunk_error}) {
        Test::More::fail("$name - invalid chunked data received: "
                         . $res->{chunk_error});
        return { headers => [], body => undef };

    } elsif ($res->{truncated}) {
        warn "WARNING: $name - response body truncated: $res->{truncated}[0] "
             . "expected, but got $res->{truncated}[1]\n";

    } elsif (defined $res->{rest} && !$more) {
        warn "WARNING: $name - unexpected extra bytes after the response\n";
    }

    return $res;
}


sub _append_log {
    my ($block) = @_;

    my $path = env('ERROR_LOG');

    return if !defined $path;

    open my $fh, '>>:raw', $path or die "cannot append to $path: $!\n";

    print $fh "\n=== ", scalar $block->name, "\n",
          NginxControl::slurp($server->{errlog});
}


sub _cleanup {
    return if $$ != $owner;

    my @handlers = splice @cleanup;

    $_->() for @handlers;
}


END {
    if ($$ == $owner) {
        local $?;

        _cleanup();

        if ($server && env('NO_CLEAN')) {
            NginxControl::release($server->{pid}) if $server->running;

        } elsif ($server) {
            $server->stop;
            _shutdown_checks(0);

            File::Path::remove_tree($Setup{servroot})
                if env('RANDOMIZE') && $Setup{servroot} =~ /servroot_\d+$/;
        }
    }
}


1;
