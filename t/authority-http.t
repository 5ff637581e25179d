#!/usr/bin/perl

# agilicus-authority as a server: what HTTP clients do wrong, the keys that it
# publishes, TLS, many clients at once, and the log of requests.

use strict;
use warnings;

use IO::Socket::INET;
use MIME::Base64 qw/decode_base64url/;
use POSIX ();
use Test::More;
use Time::HiRes qw/sleep time/;

use lib 't/lib';

use Authority;


my $authority = start('--request-log', "$dir/requests.log");


my $edge = issue('sub=edge,org=riverton');


subtest 'HTTP: paths, methods and types' => sub {
    for my $path ('/', '/v1', '/v1/tokens/', '/v1/tokens/introspect/',
                  '/v1/tokens/nothing', '/V1/tokens', '/v1//tokens',
                  '/v1/tokens/introspect_self', '/v1/_counters')
    {
        refuses request($authority, 'GET', $path), 404, 'NOT_FOUND', $path;
        refuses request($authority, 'POST', $path, content => '{}'), 404,
                'NOT_FOUND', "POST $path";
    }

    my %allow = (
        '' => 'GET, HEAD, POST', '/jwsk' => 'GET, HEAD',
        '/introspect' => 'POST', '/reissue' => 'POST', '/revoke' => 'POST',
        '/validations' => 'POST',
    );

    for my $path (sort keys %allow) {
        for my $method (qw/GET POST PUT DELETE PATCH OPTIONS FOO/) {
            next if $allow{$path} =~ /\b$method\b/;

            my $reply = request($authority, $method, "/v1/tokens$path",
                headers => { 'Content-Type' => JSON_TYPE }, content => '{}');

            refuses $reply, 405, 'METHOD_NOT_ALLOWED', "$method $path";
            is $reply->{headers}{allow}, $allow{$path},
               "$method $path: Allow";
        }
    }

    my $body = $json->encode({ token => scalar issue('sub=ben.osei,'
                                                     . 'org=riverton') });
    my %types = (
        'application/json' => 200, 'Application/JSON' => 200,
        'application/json; charset=utf-8' => 200,
        'application/json;charset="UTF-8"' => 200,
        'application/json;' => 200, 'application/json; charset=latin1' => 415,
        'application/json; foo=bar' => 415, 'application/jsonp' => 415,
        'text/plain' => 415, 'application/x-www-form-urlencoded' => 415,
        '' => 415,
    );

    for my $type (sort keys %types) {
        my $reply = post($authority, '/introspect', $body,
                         'Content-Type' => $type);

        is $reply->{status}, $types{$type}, "\"$type\": $types{$type}";
    }

    refuses request($authority, 'POST', '/v1/tokens/introspect',
                    headers => { 'Content-Type' => 'text/plain' },
                    content => $body),
            415, 'UNSUPPORTED_MEDIA_TYPE', 'another type';

    like raw($authority, "POST /v1/tokens/introspect HTTP/1.1\r\nHost: a\r\n"
             . "Content-Length: 2\r\n\r\n{}"), qr{^HTTP/1\.1 415 },
         'no type at all';
};


subtest 'HTTP: bodies' => sub {
    my $token = issue('sub=ben.osei,org=riverton');
    my $plain = qq({"token":"$token"});

    my %invalid = (
        'nothing' => '', 'half' => '{"token":', 'more' => "$plain {}",
        'an array' => '[]', 'a string' => '"x"', 'null' => 'null',
        'a duplicate member' => qq({"token":"$token","token":"$token"}),
        'a duplicate member inside' => qq({"token":"$token",)
            . '"x":{"a":1,"a":2}}',
        'deep' => ('[' x 100_000), 'deep objects' => ('{"a":' x 50_000),
        'not so deep' => qq({"token":"$token","x":) . ('[' x 40)
                         . (']' x 40) . '}',
        'a byte order mark' => "\xef\xbb\xbf$plain",
        'invalid UTF-8' => qq({"token":"\xff\xfe"}),
        'half of UTF-8' => qq({"token":"\xc3"}),
        'a NUL' => qq({"token":"a\0b"}), 'an escaped NUL' =>
            '{"token":"a\u0000b"}',
        'half a surrogate' => '{"token":"\ud800"}',
        'a number too large' => qq({"token":"$token","x":1e999}),
        'an integer too large' => qq({"token":"$token","x":) . '9' x 40 . '}',
        'NaN' => qq({"token":"$token","x":NaN}),
        'a comment' => "$plain // yes", 'single quotes' => "{'token':'x'}",
    );

    for my $what (sort keys %invalid) {
        refuses post($authority, '/introspect', $invalid{$what}), 400,
                'INVALID_JSON', $what;
    }

    for my $what ('{}', '{"token":null}', '{"token":5}', '{"token":["x"]}',
                  '{"token":{}}', '{"token":true}')
    {
        refuses post($authority, '/introspect', $what), 400,
                'INVALID_REQUEST', $what;
    }

    is post($authority, '/introspect', qq({"token":"$token","x":) . ('[' x 30)
            . (']' x 30) . '}')->{status}, 200, 'deep enough';
    is post($authority, '/introspect', qq(  {"token" : "$token", "new": [1, )
            . qq({"x": null}]}\n))->{status}, 200, 'what is new is tolerated';

    my $fill = sub {
        my ($length) = @_;
        my $rest = $length - length($plain) - 7;

        return qq({"token":"$token","x":") . ('x' x $rest) . '"}';
    };

    is length $fill->(BODY_MAX), BODY_MAX, 'a body of 256 KiB';
    is post($authority, '/introspect', $fill->(BODY_MAX))->{status}, 200,
       'is read';
    refuses post($authority, '/introspect', $fill->(BODY_MAX + 1)), 413,
            'PAYLOAD_TOO_LARGE', 'one more';
    refuses post($authority, '/introspect', 'x' x 5_000_000), 413,
            'PAYLOAD_TOO_LARGE', 'five million';
    refuses request($authority, 'POST', '/v1/nothing', content =>
                    'x' x 1_000_000), 404, 'NOT_FOUND',
            'a large body for nobody';

    # a body in chunks

    my @chunks = ('{"token":', qq("$token"), '}', '');
    my $reply = request($authority, 'POST', '/v1/tokens/introspect',
        headers => { 'Content-Type' => JSON_TYPE },
        content => sub { return shift @chunks });

    is $reply->{status}, 200, 'chunked';

    my $sent = 0;
    $reply = request($authority, 'POST', '/v1/tokens/introspect',
        headers => { 'Content-Type' => JSON_TYPE },
        content => sub { return $sent++ < 20 ? 'x' x 50_000 : '' });

    refuses $reply, 413, 'PAYLOAD_TOO_LARGE', 'chunked, too large';

    # a client that waits for leave to send

    my $head = "POST /v1/tokens/introspect HTTP/1.1\r\nHost: a\r\n"
               . "Content-Type: application/json\r\n"
               . "Expect: 100-continue\r\n";

    like raw($authority, $head . "Content-Length: 300000\r\n\r\n"),
         qr{^HTTP/1\.1 413 .*PAYLOAD_TOO_LARGE}s,
         'Expect: is told at once that it is too large';
    like raw($authority, $head . 'Content-Length: ' . length($plain)
             . "\r\nConnection: close\r\n\r\n", $plain),
         qr{^HTTP/1\.1 100 .*HTTP/1\.1 200 }s, 'Expect: or that it may';
};


subtest 'HTTP: connections' => sub {
    my $token = issue('sub=ben.osei,org=riverton');
    my $body = qq({"token":"$token"});
    my $request = "POST /v1/tokens/introspect HTTP/1.1\r\nHost: a\r\n"
                  . "Content-Type: application/json\r\nContent-Length: "
                  . length($body) . "\r\n\r\n$body";

    my $last = $request =~ s/\r\n/\r\nConnection: close\r\n/r;
    my $answer = raw($authority, $request x 4 . $last);

    is scalar(() = $answer =~ m{HTTP/1\.1 200 }g), 5,
       'five requests at once, five answers';

    $answer = raw($authority, split //, substr($request, 0, 60));

    unlike $answer, qr/ 200 /, 'a request that ends too soon';

    $answer = raw($authority, substr($request, 0, 20), substr($request, 20, 90),
                  substr($request, 110));

    like $answer, qr{^HTTP/1\.1 200 }, 'a request in pieces';

    for my $garbage ("\0\0\0\0", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
                     'A' x 100_000, "GET / HTTP/9.9\r\n\r\n", "\r\n" x 1000,
                     "POST /v1/tokens/revoke HTTP/1.1\r\nHost: a\r\n"
                     . "Content-Length: -1\r\n\r\n",
                     "GET / HTTP/1.1\r\nHost: a\r\nX: " . 'y' x 200_000
                     . "\r\n\r\n",
                     "POST /v1/tokens/revoke HTTP/1.1\r\nHost: a\r\n"
                     . "Transfer-Encoding: chunked\r\n\r\nzzz\r\n")
    {
        raw($authority, $garbage);

        is status($authority, $token), 200, 'garbage does no harm';
    }

    my $double = raw($authority, "GET /v1/tokens HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer $edge\r\nAuthorization: Bearer $edge\r\n"
        . "Connection: close\r\n\r\n");

    like $double, qr{^HTTP/1\.1 401 }, 'two bearers are none';

    my @idle = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                           PeerPort => $authority->{port}) }
               1 .. 200;

    $_->syswrite('POST /v1/tokens/introspect HTTP/1.1') for @idle;

    is status($authority, $token), 200, '200 idle connections stop no other';
};


subtest 'jwsk' => sub {
    my $reply = request($authority, 'GET', '/v1/tokens/jwsk');
    my $key = $reply->{json}{keys}[0];

    is $reply->{status}, 200, 'status 200';
    is join(' ', map { "$_=$key->{$_}" } qw/kty crv alg use/),
       'kty=EC crv=P-256 alg=ES256 use=sig', 'a key for ES256';
    ok !exists $key->{d}, 'a public one';

    my $token = issue('sub=ben.osei,org=riverton');
    my ($header, $claims, $signature) = split /\./, $token;

    is_deeply $json->decode(decode_base64url($header)),
              { alg => 'ES256', typ => 'JWT', kid => $key->{kid} },
              'is named by tokens';

    # the public key as DER, the signature as DER, and openssl's word for it

    my $point = "\4" . decode_base64url($key->{x})
                . decode_base64url($key->{y});
    my $der = pack('H*', '3059301306072a8648ce3d020106082a8648ce3d0301070342'
                         . '00') . $point;
    my $integers = join '', map {
        (my $n = $_) =~ s/^\0+//;
        $n = "\0$n" if ord $n > 127;
        pack 'CC/a*', 2, $n;
    } unpack 'a32 a32', decode_base64url($signature);

    spew("$dir/key.der", $der);
    spew("$dir/signature", pack 'CC/a*', 0x30, $integers);
    spew("$dir/signed", "$header.$claims");

    my $verdict = `openssl dgst -sha256 -keyform DER -verify $dir/key.der \\
                   -signature $dir/signature $dir/signed 2>&1`;

    SKIP: {
        skip 'no openssl', 1 if $? == -1 || $? >> 8 == 127;

        like $verdict, qr/^Verified OK/, 'and verifies them';
    }
};


subtest 'TLS' => sub {
    my $quiet = '>/dev/null 2>&1';
    my ($key, $certificate) = ("$dir/tls.key", "$dir/tls.crt");

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           . "-nodes -keyout $key -out $certificate -days 2 -subj /CN=a "
           . "-addext subjectAltName=IP:127.0.0.1 $quiet") == 0
        or plan skip_all => 'no openssl';

    my @tls = ('--tls-cert', $certificate, '--tls-key', $key);
    my $server = start(@tls);
    my $token = issue('sub=ben.osei,org=riverton');
    my $body = qq({"token":"$token"});

    my $ask = sub {
        my (@options) = @_;

        spew("$dir/tls.request", "POST /v1/tokens/introspect HTTP/1.1\r\n"
             . "Host: a\r\nContent-Type: application/json\r\n"
             . "Connection: close\r\nContent-Length: " . length($body)
             . "\r\n\r\n$body");

        return scalar `openssl s_client -connect 127.0.0.1:$server->{port} \\
            -CAfile $certificate -verify_return_error -quiet -no_ign_eof \\
            @options < $dir/tls.request 2>/dev/null`;
    };

    my $talk = sub {
        my (@options) = @_;

        open my $pipe, '-|', "(cat $dir/tls.request; sleep 1) | openssl "
            . "s_client -connect 127.0.0.1:$server->{port} -CAfile "
            . "$certificate -verify_return_error -quiet @options 2>/dev/null"
            or die "openssl: $!\n";
        local $/;
        return scalar(<$pipe>) // '';
    };

    $ask->();

    for my $version ('-tls1_2', '-tls1_3') {
        like $talk->($version), qr{^HTTP/1\.1 200 .*"sub":"ben\.osei"}s,
             "$version: is answered";
    }

    unlike $talk->('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), qr/HTTP/,
           '-tls1_1: is not';
    unlike raw($server, "GET /v1/tokens/jwsk HTTP/1.1\r\nHost: a\r\n\r\n"),
           qr/HTTP/, 'plain HTTP is not';

    stops $server, 'TLS';

    chmod 0604, $key;
    my ($rc, $out, $err) = run('--db', $db, '--seed', $seed, '--listen',
                               '127.0.0.1:0', @tls);
    is $rc, 1, 'a key that everybody can read is refused';
    like $err, qr/can be read by everybody/, 'says why';
    chmod 0600, $key, $certificate;

    ($rc, $out, $err) = run('--db', $db, '--seed', $seed, '--listen',
                            '127.0.0.1:0', '--tls-cert', $certificate,
                            '--tls-key', $certificate);
    is $rc, 1, 'a key that is none is refused';
    like $err, qr/certificate and key/, 'says why';

    ($rc, $out, $err) = run('--db', $db, '--seed', $seed, '--tls-cert',
                            "$dir/none", '--tls-key', $key);
    is $rc, 1, 'no certificate is refused';
    like $err, qr/cannot read/, 'says why';
};


subtest 'many clients' => sub {
    my @tokens = issue('sub=chloe.tremblay,org=riverton-water',
                       '--issue-count', 100);
    my $begin = time;
    my @pids;

    # eight processes, a thousand requests each, a few of which write

    for my $n (0 .. 7) {
        my $pid = fork // die "cannot fork: $!\n";

        if ($pid == 0) {
            POSIX::_exit(client($n, @tokens) ? 0 : 1);
        }

        push @pids, $pid;
    }

    my $failed = grep { waitpid($_, 0); $? } @pids;

    is $failed, 0, '8 clients x 1,000 requests: all as expected';
    cmp_ok time - $begin, '<', 30 * $slower, 'in time';
};


# without decoding what comes back, which would take longer than all the rest

sub client {
    my ($n, @tokens) = @_;

    my $good = 1;

    my $ask = sub {
        my ($path, $token, $more) = @_;

        return request($authority, 'POST', "/v1/tokens/$path", plain => 1,
            headers => { 'Content-Type' => JSON_TYPE },
            content => qq({"token":"$token"$more}));
    };

    for my $i (1 .. 1000) {
        my $token = $tokens[($n * 131 + $i) % @tokens];
        my ($status, $expected);

        if ($i % 100 == 0) {
            my $reply = $ask->('reissue', $token,
                               ',"org_id":"riverton-water"');
            my ($new) = $reply->{content} =~ /"token":"([\w.-]+)"/;

            $expected = '200 204 410';
            $status = join ' ', $reply->{status},
                $ask->('revoke', $new, '')->{status},
                $ask->('introspect', $new, '')->{status};

        } elsif ($i % 10 == 0) {
            $status = $ask->('introspect', 'garbage', '')->{status};
            $expected = 400;

        } else {
            my $reply = $ask->('introspect', $token, '');

            $status = $reply->{status};
            $status = 'no sub'
                if $reply->{content} !~ /"sub":"chloe\.tremblay"/;
            $expected = 200;
        }

        $good &&= $status eq $expected;
    }

    return $good;
}


subtest 'request log' => sub {
    my $log = "$dir/requests.log";

    is sprintf('%04o', (stat $log)[2] & 07777), '0600',
       'only its owner can read it';

    my $token = issue('sub=ben.osei,org=riverton,jti=logged');
    my $before = -s $log;

    introspect($authority, $token);
    introspect($authority, 'garbage');
    post($authority, '/revoke', { token => $token });
    introspect($authority, $token);
    request($authority, 'GET', "/v1/tokens?sub=x&token=$token");
    request($authority, 'GET', "/$token");
    request($authority, 'FOO', '/v1/tokens');

    is substr(slurp($log), $before), <<'LOG', 'a line for each request';
POST /v1/tokens/introspect 200 logged
POST /v1/tokens/introspect 400 -
POST /v1/tokens/revoke 204 logged
POST /v1/tokens/introspect 410 logged
GET /v1/tokens 401 -
GET - 404 -
FOO /v1/tokens 405 -
LOG

    my @lines = split /\n/, slurp($log);

    is scalar(grep { !m{^[A-Z]+ (-|/v1/tokens(/[a-z]+)?) \d{3} [\w.~-]+$} }
              @lines), 0, 'all lines are of that form';

    cmp_ok keys %spent, '>', 100, 'of the tokens of this test';
    is tokens_logged(), 0, 'none is in any log';

    my $server = start('--request-log', '-');

    status($server, $token);
    my $stdout = $server->{stdout};
    is scalar(<$stdout>), "POST /v1/tokens/introspect 410 logged\n",
       '"-" is the standard output';
    stops $server, 'to the standard output';
};


stops $authority, 'the end';

done_testing();
