#!/usr/bin/perl

# The keys of agilicus-authority: what it publishes, how a key takes the place
# of another, and what it publishes on purpose for tests of other programs.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw/decode_base64url/;
use POSIX ();
use Test::More;
use Time::HiRes qw/sleep time/;

use lib 't/lib';

use Authority;


use constant PATH => '/v1/tokens/jwsk';

my $authority = start('--request-log', "$dir/requests.log");


sub header {
    my ($token) = @_;

    return $json->decode(decode_base64url((split /\./, $token)[0]));
}


sub kids {
    my ($server) = @_;

    my $reply = request($server // $authority, 'GET', PATH);

    return join ' ', map { $_->{kid} } @{ $reply->{json}{keys} };
}


sub rotate {
    my ($step) = @_;

    my ($rc, $out, $err) = run('--db', $db, '--seed', $seed,
                               '--rotate', $step);

    is $rc, 0, "--rotate $step";

    return [map { [split / /] } split /\n/, $out];
}


subtest 'rotation' => sub {
    my $old = kids();
    my $before = issue('sub=ben.osei,org=riverton');

    is header($before)->{kid}, $old, 'the key that signs is published';

    my $keys = rotate('publish');

    is scalar @$keys, 2, 'a second key';
    is "@{ $keys->[0] }", "$old signs", 'the first one signs';
    is $keys->[1][1], 'published', 'the second one is published';

    my $new = $keys->[1][0];

    isnt $new, $old, 'which is another one';
    is kids(), "$old $new", 'the server publishes both at once';

    my $between = issue('sub=ben.osei,org=riverton');

    is header($between)->{kid}, $old, 'the first one still signs';

    $keys = rotate('use');

    is_deeply $keys, [[$old, 'published'], [$new, 'signs']],
              'the second one signs';
    is kids(), "$old $new", 'both are published';

    my $after = issue('sub=ben.osei,org=riverton');
    my $edge = issue('sub=edge,org=riverton');

    is header($after)->{kid}, $new, 'a token of --issue';

    my $created = call($authority, $edge, 'POST', '/v1/tokens', {
        sub => 'ben.osei', org => 'riverton', audiences => ['a'],
        time_validity => { duration => 60 } })->{json}{token};

    $spent{$created} = 1;

    is header($created)->{kid}, $new, 'a token of the server';

    $keys = rotate('withdraw');

    is_deeply $keys, [[$old, 'withdrawn'], [$new, 'signs']],
              'the first one is withdrawn';
    is kids(), $new, 'and published no longer';

    is status($authority, $_), 200, 'all tokens are still good'
        for $before, $between, $after, $created;

    stops $authority, 'SIGTERM';
    $authority = start('--request-log', "$dir/requests.log");

    is kids(), $new, 'a restart changes nothing';
    is status($authority, $before), 200, 'nor for a token of the old key';

    is_deeply rotate('use'), $keys, 'use, with nothing new to use';
    is_deeply rotate('withdraw'), $keys, 'withdraw, with nothing to withdraw';

    my ($rc, $out, $err) = run('--db', $db, '--rotate', 'back');

    is $rc, 2, 'another step: refused';
    like $err, qr/none of publish, use and withdraw/, 'says why';
};


subtest '--jwsk' => sub {
    my $own = request($authority, 'GET', PATH)->{json}{keys}[0];
    my $token = issue('sub=ben.osei,org=riverton');

    my $with = sub {
        my ($kind) = @_;

        my $server = start('--jwsk', $kind);
        my $begin = time;
        my $reply = request($server, 'GET', PATH);

        $reply->{time} = time - $begin;
        $reply->{again} = request($server, 'GET', PATH)->{content};

        is status($server, $token), 200, "$kind: introspection is the same";
        stops $server, $kind;

        return $reply;
    };

    my $reply = $with->('foreign');

    is scalar @{ $reply->{json}{keys} }, 1, 'foreign: a key';
    isnt $reply->{json}{keys}[0]{x}, $own->{x}, 'foreign: another one';
    is $reply->{again}, $reply->{content}, 'foreign: always the same';

    is_deeply $with->('no-kid')->{json}{keys},
              [{ map { $_ => $own->{$_} } qw/kty crv x y/ }],
              'no-kid: the key, and nothing of it but the point';

    $reply = $with->('many');

    my %seen = map { $_->{kid} => 1 } @{ $reply->{json}{keys} };

    is scalar @{ $reply->{json}{keys} }, 33, 'many: 33 keys';
    is scalar keys %seen, 33, 'many: all different';
    is_deeply $reply->{json}{keys}[32], $own, 'many: the right one at the end';

    is $with->('empty')->{content}, '{"keys":[]}', 'empty: no key';

    $reply = $with->('garbled');

    is $reply->{status}, 200, 'garbled: 200';
    ok !$reply->{json}, 'garbled: no JSON';
    like $reply->{content}, qr/^\{"keys":\[\{/, 'garbled: as it begins';

    refuses $with->('away'), 404, 'NOT_FOUND', 'away';

    $reply = $with->('late=300ms');

    ok $reply->{time} >= 0.3, 'late: that much later';
    is_deeply $reply->{json}{keys}, [$own], 'late: the right keys';

    # answers that are late do not hold up the others, nor the other way round

    my $server = start('--jwsk', 'late=2s', '--delay', '50ms');
    my $begin = time;

    if (!(my $pid = fork // die "fork: $!\n")) {
        raw($server, 'GET ' . PATH . " HTTP/1.1\r\nHost: a\r\n"
            . "Connection: close\r\n\r\n");
        POSIX::_exit(0);

    } else {
        sleep 0.2;
        is status($server, $token), 200, 'late: another request';
        ok time - $begin < 1.5 * $slower, 'late: is not';
        waitpid $pid, 0;
        ok time - $begin >= 2, 'late: but the first one is';
    }

    stops $server, 'late and delayed';

    for my $kind ('', 'late', 'late=', 'late=x', 'other') {
        my ($rc, $out, $err) = run('--db', $db, '--jwsk', $kind);

        is $rc, 2, "--jwsk $kind: refused";
        like $err, qr/--jwsk "\Q$kind\E" is none of/, "--jwsk $kind: why";
    }

    for my $kind ('foreign', 'late=1s') {
        my ($rc, $out, $err) = run('--db', $db, '--listen', '0.0.0.0:0',
                                   '--tls-cert', 'x', '--tls-key', 'x',
                                   '--jwsk', $kind);

        is $rc, 2, "$kind: on a loopback address only";
        like $err, qr/loopback address only/, "$kind: says why";
    }
};


stops $authority, 'the end';
is tokens_logged(), 0, 'no token is in any log';

done_testing();
