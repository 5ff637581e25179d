#!/usr/bin/perl

# Programs that know only passwords use a location with their API key: git
# clones, fetches and pushes over HTTP, and curl -u gets a page.  The API is
# agilicus-authority; git's own server is behind nginx, and never sees the key.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';

use NginxControl;
use NginxProcess;
use TestPorts;

my $backend = '/usr/lib/git-core/git-http-backend';
my $build = $ENV{BUILD} || 'build';
my $program = $ENV{AGILICUS_AUTHORITY} || "$build/agilicus-authority";

plan skip_all => 'git is not installed' if !-x $backend;
plan skip_all => 'agilicus-authority is not built' if !-x $program;

my $tmp = tempdir('agilicus-git-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $owner = $$;
my @pids;

my $user = 'ben.osei@riverton.example';
my $key = 'demo-key-of-ben';

$ENV{$_} = $tmp for qw(HOME XDG_CONFIG_HOME);
$ENV{GIT_CONFIG_NOSYSTEM} = 1;
$ENV{GIT_TERMINAL_PROMPT} = 0;
$ENV{GIT_AUTHOR_NAME} = $ENV{GIT_COMMITTER_NAME} = 'Ben';
$ENV{GIT_AUTHOR_EMAIL} = $ENV{GIT_COMMITTER_EMAIL} = $user;
$ENV{no_proxy} = '*';
delete @ENV{qw(http_proxy GIT_DIR GIT_WORK_TREE GIT_ASKPASS SSH_ASKPASS)};


END {
    if ($$ == $owner) {
        my $status = $?;

        kill 'TERM', @pids if @pids;
        waitpid $_, 0 for @pids;
        $? = $status;
    }
}


sub spew {
    my ($path, $text) = @_;

    open my $fh, '>', $path or die "$path: $!\n";
    print {$fh} $text;
    close $fh or die "$path: $!\n";
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    local $/;

    return scalar <$fh>;
}


# output and status of a command, which ends in time

sub run {
    my ($command) = @_;

    my $out = qx{timeout 60 $command 2>&1};

    return ($? >> 8, $out);
}


sub start_authority {
    pipe my $out, my $in or die "pipe: $!\n";

    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $in;
        exec $program, '--listen', '127.0.0.1:0', '--db', "$tmp/city.db",
             '--seed', 'conf/organisation.json' or exit 127;
    }

    push @pids, $pid;
    close $in;

    my ($port) = (<$out> // '') =~ /:(\d+)$/ or die "no authority\n";

    return ($port, $out);
}


# git http-backend, a CGI program, behind a server of a request at a time; the
# header that it got is written to "headers"

sub start_git {
    my $port = TestPorts::free_port();
    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 16,
        ReuseAddr => 1) or die "port $port: $!\n";

    my $pid = fork;

    die "fork: $!\n" if !defined $pid;

    if ($pid) {
        push @pids, $pid;
        return $port;
    }

    $SIG{TERM} = 'DEFAULT';
    alarm 600;
    open STDOUT, '>', '/dev/null';

    while (my $c = $listen->accept) {
        serve($c);
        close $c;
    }

    POSIX::_exit(0);
}


sub serve {
    my ($c) = @_;

    my ($head, $body) = ('', '');

    while ($head !~ /\r\n\r\n/) {
        sysread $c, $head, 65536, length $head or return;
    }

    ($head, $body) = split /\r\n\r\n/, $head, 2;

    my ($length) = $head =~ /^Content-Length: *(\d+)/mi;

    while (length $body < ($length || 0)) {
        sysread $c, $body, 65536, length $body or return;
    }

    open my $seen, '>>', "$tmp/headers" or return;
    print {$seen} "$head\n\n";
    close $seen;

    my ($method, $path, $query) =
        $head =~ m{\A(\S+) /git([^ ?]*)\??(\S*) HTTP} or return;
    my ($type) = $head =~ /^Content-Type: *(\S+)/mi;
    my ($encoding) = $head =~ /^Content-Encoding: *(\S+)/mi;
    my ($name) = $head =~ /^X-User: *(\S+)/mi;

    spew("$tmp/body", $body);

    local %ENV = (%ENV,
        GIT_PROJECT_ROOT => "$tmp/server", GIT_HTTP_EXPORT_ALL => 1,
        PATH_INFO => $path, QUERY_STRING => $query, REQUEST_METHOD => $method,
        REMOTE_USER => $name || '', CONTENT_LENGTH => length $body,
        $type ? (CONTENT_TYPE => $type) : (),
        $encoding ? (HTTP_CONTENT_ENCODING => $encoding) : ());

    my $out = qx{timeout 60 '$backend' <'$tmp/body' 2>/dev/null};
    my $status = $out =~ s/\AStatus: *([^\r\n]+)\r?\n// ? $1 : '200 OK';

    print {$c} "HTTP/1.0 $status\r\n$out";
}


my ($api, $out) = start_authority();

system("git init -q --bare '$tmp/server/water.git' && "
       . "git -C '$tmp/server/water.git' config http.receivepack true && "
       . "git init -q '$tmp/work' && cd '$tmp/work' && echo one >file && "
       . "git add file && git commit -qm one && "
       . "git push -q '$tmp/server/water.git' HEAD:main") == 0
    or BAIL_OUT('git does not work');

system("git -C '$tmp/server/water.git' symbolic-ref HEAD refs/heads/main");

$ENV{TEST_NGINX_GIT_PORT} = start_git();
$ENV{TEST_NGINX_API_PORT} = $api;

my $nginx = NginxProcess->new(log_level => 'info',
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_API_PORT;
        log_format why '$request_method $status $agilicus_token_verdict '
                       '$agilicus_token_sub $remote_user';
        access_log $TEST_NGINX_PREFIX/why.log why;
EOC
    config => <<'EOC',
        location /git/ {
            agilicus_token on;
            agilicus_token_api_keys on;
            proxy_set_header X-User $agilicus_token_sub;
            proxy_pass http://127.0.0.1:$TEST_NGINX_GIT_PORT;
        }
EOC
);

$nginx->start;

my $at = '127.0.0.1:' . $nginx->port;


sub url {
    my ($password) = @_;

    (my $name = $user) =~ s/@/%40/;

    return "http://$name:$password\@$at/git/water.git";
}


subtest 'git clones with an API key as password' => sub {
    my ($status, $said) = run("git clone -q '@{[ url($key) ]}' '$tmp/clone'");

    is($status, 0, 'it clones') or diag $said;
    is(slurp("$tmp/clone/file"), "one\n", '... what is there');
};


subtest 'git pushes and fetches' => sub {
    my ($status, $said) = run("sh -c 'cd $tmp/clone && echo two >file && "
                              . "git commit -qam two && git push -q'");

    is($status, 0, 'it pushes') or diag $said;

    ($status, $said) = run("git -C '$tmp/work' pull -q '@{[ url($key) ]}' main");

    is($status, 0, '... and fetches') or diag $said;
    is(slurp("$tmp/work/file"), "two\n", '... the pushed commit');
};


subtest 'git with a wrong key' => sub {
    my ($status, $said) =
        run("git clone -q '@{[ url('not-the-key') ]}' '$tmp/wrong'");

    isnt($status, 0, 'is refused');
    like($said, qr/Authentication failed/, '... as it says');
};


subtest 'curl -u' => sub {
    my $page = "http://$at/git/water.git/info/refs?service=git-upload-pack";

    my ($status, $said) = run("curl -sS -u '$user:$key' '$page'");

    like($said, qr/refs\/heads\/main/, 'gets a page');

    ($status, $said) = run("curl -sS -u '$user:wrong' -o /dev/null -w "
                           . "'%{http_code}' '$page'");

    is($said, 401, '... and 401 with a wrong key');

    ($status, $said) = run("curl -sS --anyauth -u '$user:$key' '$page'");

    like($said, qr/refs\/heads\/main/, 'of two challenges it takes Basic');
};


subtest 'the credentials behind nginx' => sub {
    my $seen = slurp("$tmp/headers");

    like($seen, qr/^Authorization: Bearer [\w-]+\.[\w-]+\.[\w-]+\r?$/m,
         'got a token');
    like($seen, qr/^X-User: ben\.osei\r?$/m, '... and the name of the user');
    unlike($seen, qr/Basic/i, '... and never the key');
    unlike($seen, qr/\Q$key\E/, '... in any form');
};


subtest 'the log lines' => sub {
    my $log = slurp($nginx->prefix . '/why.log');

    like($log, qr/^GET 401 missing /m, 'git asks without credentials first');
    like($log, qr/^GET 200 active ben\.osei /m, '... and then with the key');
    unlike($log . $nginx->error_log, qr/\Q$key\E/, 'no log has the key');
};

$nginx->finish('logs');

done_testing();
