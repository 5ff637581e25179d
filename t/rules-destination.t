use strict;
use warnings;

# Methods that name a second target: the token's own rules allow both, or the
# request is refused and nothing is written.

use Test::More;

use lib 't/lib';

use HttpClient;
use MockAPI;
use NginxControl;
use NginxProcess;
use TestPorts;

$SIG{PIPE} = 'IGNORE';

my @methods = qw(get copy move);

sub rules {
    my ($host, @rules) = @_;

    return { upstream_host => $host, allowed_list => [
        map { { methods => \@methods, separate_query => \1, %$_ } } @rules ] };
}

my $mine = { paths => [ '/dav/mine/.*', '/p/mine/.*' ] };

my $mock = MockAPI->start(
    tokens => {
        mine  => { token => { hosts => [ rules('files', $mine) ] } },
        every => { token => { hosts => [
            rules('files', { paths => [ '/.*' ], methods => [ 'all' ] }) ] } },
        # what it may copy to, it may not move to
        moved => { token => { hosts => [
            rules('files', $mine, { paths => [ '/p/theirs/.*' ],
                                    methods => [ qw(get copy) ] }) ] } },
        hosts => { token => { hosts => [
            rules('app.example', { paths => [ '/up/a.*' ] }),
            rules('other.example', { paths => [ '/up/b.*' ] }) ] } },
        body  => { token => { hosts => [
            rules('files', $mine, { paths => [ '/p/body/.*' ],
                body => { json => [ { name => 'n', pointer => '/ok',
                                      exact_match => 'yes' } ] } }) ] } },
        query => { token => { hosts => [
            rules('files', $mine, { paths => [ '/p/query/.*' ],
                query_parameters => [ { name => 'v',
                                        exact_match => '1' } ] }) ] } },
    },
);

my $upstream = $ENV{TEST_NGINX_UPSTREAM_PORT} = TestPorts::free_port();

my $nginx = NginxProcess->new(
    http => <<'EOC',
        agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
        server {
            listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
            location / { return 200 "$request_method $http_destination"; }
        }
        add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason"
            always;
EOC
    config => <<'EOC',
        agilicus_token on;
        location /dav/ {
            agilicus_token_rules on host=files;
            root html;
            dav_methods PUT DELETE COPY MOVE;
        }
        location /p/ {
            agilicus_token_rules on host=files;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
        location /up/ {
            agilicus_token_rules on;
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
        location /free/ {
            proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        }
        error_page 400 /p/mine/error;
EOC
);

$nginx->write_file('html/dav/mine/a', 'mine');
$nginx->write_file('html/dav/theirs/b', 'theirs');
$nginx->start;

my $html = $nginx->prefix . '/html';

chmod 0777, map { "$html$_" } '', '/dav', '/dav/mine', '/dav/theirs';
chmod 0666, map { "$html/dav/$_" } 'mine/a', 'theirs/b';


sub ask {
    my ($token, $method, $target, @lines) = @_;

    @lines = ('Host: localhost', @lines) if !grep { /^Host:/ } @lines;

    my $res = $nginx->raw(join "\r\n", "$method $target HTTP/1.1", @lines,
                          "Authorization: Bearer $token", 'Connection: close',
                          '', '');

    my $why = HttpClient::header($res, 'X-Why');

    return $res->{status} =~ /^2/ ? $res->{status}
           : "$res->{status} " . (defined $why ? $why : '-');
}


# as a destination is given to upstream

sub copied {
    my ($token, $destination, @lines) = @_;

    return ask($token, 'COPY', '/p/mine/a', "Destination:$destination",
               @lines);
}


sub slurp {
    my ($name) = @_;

    open my $fh, '<', "$html/dav/$name" or return undef;
    local $/;
    return scalar <$fh>;
}


# nginx's own WebDAV

for my $method (qw(COPY MOVE)) {
    for my $destination ('/dav/theirs/b', 'http://localhost/dav/theirs/b',
                         '/dav/theirs/new', 'http://localhost/dav/theirs/new',
                         'http://localhost.evil/dav/mine/b',
                         '/dav/mine/../theirs/b', '/dav/mine/%2e%2e/theirs/b',
                         '/dav/mine//../theirs/b', '/dav//theirs/b',
                         'http://localhost/dav/mine%2f..%2ftheirs/b') {
        like(ask('mine', $method, '/dav/mine/a', "Destination: $destination",
                 'Overwrite: T'),
             qr{^403 forbidden/(?:path|host)$}, "$method to $destination");
    }
}

is(slurp('mine/a'), 'mine', 'the file that was not moved is there');
is(slurp('theirs/b'), 'theirs', 'the file that was not allowed is as before');
ok(!-e "$html/dav/theirs/new", 'and nothing is new');

is(ask('mine', 'COPY', '/dav/mine/a', 'Destination: /dav/mine/c'), 204,
   'a copy where the rules allow both');
is(slurp('mine/c'), 'mine', 'is made');
is(ask('mine', 'MOVE', '/dav/mine/c',
       'Destination: http://localhost/dav/mine/d'), 204, 'and so is a move');
ok(-e "$html/dav/mine/d" && !-e "$html/dav/mine/c", 'from one to the other');
is(ask('mine', 'COPY', '/dav/theirs/b', 'Destination: /dav/mine/e'),
   '403 forbidden/path', 'the first target counts as ever');


# forms of a destination

is(copied('mine', $_->[0], @$_[2 .. $#$_]), $_->[1], $_->[0]) for (
    [ ' /p/mine/b', 200 ],
    [ "\t/p/mine/b \t", 200 ],
    [ '/p/mine/%62', 200 ],
    [ '/p/%6dine/b', 200 ],
    [ '/p/mine/b?x=y', 200 ],
    [ 'http://localhost/p/mine/b', 200 ],
    [ 'HTTP://LOCALHOST./p/mine/b', 200 ],
    [ 'http://localhost:80/p/mine/b', 200 ],
    [ 'https://localhost/p/mine/b', 200 ],
    [ 'https://localhost:443/p/mine/b', 200 ],
    [ 'http://localhost:8080/p/mine/b', 200, 'Host: localhost:8080' ],
    [ 'http://[::1]/p/mine/b', 200, 'Host: [::1]' ],
    [ '/p/theirs/b', '403 forbidden/path' ],
    [ '/p/theirs/b?/p/mine/b', '403 forbidden/path' ],
    [ '/p/%74heirs/b', '403 forbidden/path' ],
    [ '/p/minex/b', '403 forbidden/path' ],
    [ '/p/mine/;/b', '403 forbidden/path' ],
    [ '/p/mine/..;/theirs', '403 forbidden/path' ],
    [ '/p/mine/b#c', '403 forbidden/path' ],
    [ '/p/mine/b%00', '403 forbidden/path' ],
    [ '/p/mine\\b', '403 forbidden/path' ],
    [ '/p/mine/%252e', '403 forbidden/path' ],
    [ '/p/mine/b c', '403 forbidden/path' ],
    [ "/p/mine/\xff", '403 forbidden/path' ],
    [ '//localhost/p/mine/b', '403 forbidden/path' ],
    [ 'p/mine/b', '403 forbidden/path' ],
    [ '', '403 forbidden/path' ],
    [ "\t", '403 forbidden/path' ],
    [ 'http://localhost', '403 forbidden/path' ],
    [ 'http:///p/mine/b', '403 forbidden/path' ],
    [ 'ftp://localhost/p/mine/b', '403 forbidden/path' ],
    [ 'http://u@localhost/p/mine/b', '403 forbidden/path' ],
    [ 'http://localhost@evil/p/mine/b', '403 forbidden/path' ],
    [ 'http://local%68ost/p/mine/b', '403 forbidden/path' ],
    [ 'http://localhost:8080/p/mine/b', '403 forbidden/path' ],
    [ 'http://localhost/p/mine/b', '403 forbidden/path',
      'Host: localhost:8080' ],
    [ 'http://localhost:443/p/mine/b', '403 forbidden/path' ],
    [ 'http://evil/p/mine/b', '403 forbidden/host' ],
    [ 'http://evil:81/p/mine/b', '403 forbidden/path' ],
    [ 'http://files/p/mine/b', 200 ],
    [ 'http://files/p/theirs/b', '403 forbidden/path' ],
    [ '/p/mine/b', '403 forbidden/path', 'Destination: /p/mine/b' ],
    [ '/p/mine/b', '403 forbidden/path', 'destination: /p/theirs/b' ],
);

is(ask('mine', 'COPY', '/p/mine/a'), '403 forbidden/path', 'none at all');
is(ask('mine', 'MOVE', '/p/mine/a'), '403 forbidden/path', 'nor of a move');


# where another host has rules

is(ask('hosts', 'COPY', '/up/a', 'Host: app.example', "Destination: $_->[0]"),
   $_->[1], "$_->[0] from app.example") for (
    [ '/up/a2', 200 ],
    [ '/up/b', '403 forbidden/path' ],
    [ 'http://app.example/up/b', '403 forbidden/path' ],
    [ 'http://other.example/up/b', 200 ],
    [ 'http://OTHER.example./up/b', 200 ],
    [ 'http://other.example:80/up/b', 200 ],
    [ 'http://other.example:81/up/b', '403 forbidden/path' ],
    [ 'http://other.example/up/a', '403 forbidden/path' ],
    [ 'http://third.example/up/a', '403 forbidden/host' ],
);


# all that a rule asks for, and the method

is(ask('moved', 'COPY', '/p/mine/a', 'Destination: /p/theirs/b'), 200,
   'a rule that allows to copy');
is(ask('moved', 'MOVE', '/p/mine/a', 'Destination: /p/theirs/b'),
   '403 forbidden/path', 'does not allow to move');
is(ask('query', 'COPY', '/p/mine/a', 'Destination: /p/query/b?v=1'), 200,
   'the query of a destination');
is(ask('query', 'COPY', '/p/mine/a?v=1', 'Destination: /p/query/b'),
   '403 forbidden/query', 'is its own');

for my $case ([ '{"ok":"yes"}', 200 ], [ '{"ok":"no"}', '403 forbidden/body' ])
{
    my ($body, $expected) = @$case;

    my $res = $nginx->raw("COPY /p/mine/a HTTP/1.1\r\nHost: localhost\r\n"
                          . "Destination: /p/body/b\r\nConnection: close\r\n"
                          . "Authorization: Bearer body\r\nContent-Length: "
                          . length($body) . "\r\n"
                          . "Content-Type: application/json\r\n\r\n$body");

    is($res->{status} == 200 ? 200
       : "$res->{status} " . HttpClient::header($res, 'X-Why'), $expected,
       "a destination that is allowed with a body: $body");
}


# other methods

is(ask('mine', 'GET', '/p/mine/a', 'Destination: /p/theirs/b'), 200,
   'a GET has no destination');
is(ask('every', $_, '/p/mine/a', 'Destination: /p/mine/b'),
   '403 forbidden/path', "$_ names its target elsewhere")
    for qw(BCOPY BIND BMOVE LINK MERGE REBIND UNLINK UPDATE VERSION-CONTROL);
is(ask('every', $_, '/p/mine/a', 'Destination: //'), 200, "$_ has one target")
    for qw(PROPFIND LOCK UNLOCK MKCOL REPORT);

is(ask('mine', 'MOVE', '/free/a', 'Destination: //'), 200,
   'without rules, all this is for upstream to judge');


# an error page of what nginx itself refuses

my $res = $nginx->raw("GET /p/mine/a HTTP/1.1\r\n"
                      . "Authorization: Bearer every\r\n"
                      . "Host: a\r\nHost: b\r\nConnection: close\r\n\r\n");

is("$res->{status} " . HttpClient::header($res, 'X-Why'), '400 malformed/host',
   'two Host lines lead to no error page under rules');

$nginx->finish;
done_testing();
