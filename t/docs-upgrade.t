#!/usr/bin/perl

# The commands of docs/operations.md for an upgrade on the fly, forward and back:
# no request is lost, and the new nginx has no denials of the old one.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';

use MockAPI;
use NginxControl;
use NginxProcess;
use PageCommands;

my $top = abs_path(dirname(__FILE__) . '/..');
my ($section) = PageCommands::slurp("$top/docs/operations.md")
                =~ /^### On the fly\n(.*?)^## /ms;
my @commands = PageCommands::of($section);

is(scalar @commands, 3, 'the page has three commands');

my ($start, $forward, $back) = @commands;

my $mock = MockAPI->start(tokens => {
    map({ $_ => { token => { jti => "jti-$_" } } }
        qw(one two gone-back gone-forward)),
    map({ $_ => { token => { jti => "jti-$_" }, delay => 2 } }
        qw(slow-back slow-forward)),
});

# a sanitizer is preloaded, into the new one too

my $nginx = NginxProcess->new(
    daemon => 1,
    main => join('', map { "env $_;" } qw(LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS
                                          LSAN_OPTIONS)),
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        agilicus_token_api_timeout 30s;
EOC
    config => <<'EOC',
        location / { agilicus_token on; try_files /page =404; }
        location /signout { agilicus_token_revoke; }
EOC
);

$nginx->write_file('html/page', "a page\n");
$nginx->start;


sub ask {
    my ($token, $path, $method) = @_;

    return $nginx->request($method || 'GET', $path || '/',
        headers => { Authorization => "Bearer $token" })->{status};
}


sub paste {
    my ($command) = @_;

    PageCommands::run([ $command ], dir => $nginx->prefix, change => sub {
        $_[0] =~ s{/run/nginx\.pid}{logs/nginx.pid}r });
}


for my $way (qw(back forward)) {
    my $old = $nginx->pid;
    my $slow = $nginx->connect;

    is(ask('one'), 200, 'a token is good');
    is(ask("gone-$way", '/signout', 'POST'), 204, 'another one signs out');
    is(ask("gone-$way"), 401, '... and is refused');

    $slow->send("GET / HTTP/1.1\r\nHost: h\r\n"
                . "Authorization: Bearer slow-$way\r\n\r\n");
    ok($mock->wait_calls(1, token => "slow-$way"), 'a request waits');

    my $new = $nginx->upgrade(sub { paste($start) });

    isnt($new, $old, 'a new nginx has started');
    ok(NginxControl::alive($old), '... beside the old one');

    my %seen;

    $seen{ ask($_ % 2 ? 'one' : 'two') }++ for 1 .. 20;
    is_deeply(\%seen, { 200 => 20 }, '... and requests are answered');

    paste($way eq 'back' ? $back : $forward);

    ok(NginxControl::wait_gone($way eq 'back' ? $new : $old,
                               10 * NginxControl::slow()),
       "$way: one of them has ended");
    is($slow->read->{status}, 200, 'the request that waited has its answer');

    # the API of this test still calls the token good

    if ($way eq 'back') {
        $nginx->roll_back;
        is(ask("gone-$way"), 401, 'the old one has its denials');

    } else {
        $nginx->retire_old;
        is(ask("gone-$way"), 200, 'the new one has none');
    }

    is(ask('one'), 200, 'and a good token passes');
}

$nginx->finish;

done_testing;
