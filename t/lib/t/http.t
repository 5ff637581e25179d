use strict;
use warnings;

# HttpMessage reads what came, whole or in part.

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

use lib abs_path(dirname(__FILE__) . '/..');

use HttpMessage;
use TestPorts qw(free_port free_ports);


sub parse { return HttpMessage::parse(@_) }


my $res = parse("HTTP/1.1 200 OK\r\nA: 1\r\na: 2 \r\nContent-Length: 5\r\n"
                . "\r\nhelloHTTP");

is_deeply([ @{$res}{qw(status reason version body rest complete)} ],
          [ 200, 'OK', '1.1', 'hello', 'HTTP', 1 ], 'by length');
is(HttpMessage::header($res, 'A'), '1, 2', 'a header twice');
is_deeply([ HttpMessage::headers($res, 'a') ], [ 1, 2 ], 'in a list');
is(HttpMessage::header($res, 'B'), undef, 'none');
like($res->{raw_headers}, qr/^HTTP.*5\r\n\z/s, 'the raw headers');

is(parse("HTTP/1.1 200 OK\r\n"), undef, 'not yet');

$res = parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
ok(!$res->{complete}, 'too short');
is_deeply($res->{truncated}, [ 5, 3 ], 'by so much');

$res = parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head => 1);
ok($res->{complete} && !$res->{truncated}, 'HEAD');

for my $status (204, 304) {
    ok(parse("HTTP/1.1 $status X\r\n\r\n")->{complete}, "$status has no body");
}

ok(!parse("HTTP/1.1 200 OK\r\n\r\nx")->{complete}, 'until the end');
ok(parse("HTTP/1.1 200 OK\r\n\r\nx", eof => 1)->{complete}, 'at the end');

my $head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

for my $case (
    [ "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 'abcde', 1, undef, undef ],
    [ "0\r\nTrailer: x\r\n\r\nmore", '', 1, undef, 'more' ],
    [ "3\r\nab", 'ab', 0, undef, undef ],
    [ "3\r\nabcde\r\n", 'abc', 0, qr/no CRLF/, undef ],
    [ "zzz\r\n", '', 0, undef, undef ],
    [ 'z' x 30, '', 0, qr/invalid chunk size/, undef ],
) {
    my ($bytes, $body, $complete, $error, $rest) = @$case;

    $res = parse($head . $bytes);

    is($res->{body}, $body, "chunks: $body");
    is($res->{complete}, $complete, 'complete or not');
    is($res->{rest}, $rest, 'what is left');

    if ($error) {
        like($res->{chunk_error}, $error, 'the error');
    } else {
        is($res->{chunk_error}, undef, 'no error');
    }
}

for my $bytes ("3\r\nab", "3\r\nabc\r\n", "0\r\n", 'x') {
    like(parse($head . $bytes, eof => 1)->{chunk_error}, qr/./,
         'the end comes too soon');
}

$res = parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nL: 1\r\n\r\n"
             . "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", interim => 1);
is_deeply([ $res->{status}, $res->{interim} ], [ 200, [ 100, 103 ] ],
          'interim responses');
is(parse("HTTP/1.1 101 X\r\n\r\n", interim => 1)->{status}, 101,
   'but 101 is final');
is(parse("HTTP/1.1 100 Continue\r\n\r\n")->{status}, 100, 'unless wanted');
is(parse("HTTP/1.1 100 Continue\r\n\r\n", interim => 1), undef, 'or alone');

$res = parse("nonsense\r\n\r\nx", eof => 1);
is($res->{status}, undef, 'nonsense has no status');


# ports

my %seen = map { $_ => 1 } free_ports(20), free_port();

is(keys %seen, 21, 'no port twice');
ok(!grep({ $_ < 10240 || $_ > 32000 } keys %seen),
   'none that a connection may take');

pipe my $read, my $write;

if (!fork) {
    print $write join ' ', free_ports(100);
    close $write;
    require POSIX;
    POSIX::_exit(0);
}

close $write;

is(scalar(grep { $seen{$_} } split ' ', <$read>), 0,
   'nor in another process');
wait;

done_testing();
