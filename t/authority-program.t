#!/usr/bin/perl

# agilicus-authority as a program: its command line, database, seed and tokens
# of --issue, and what it does when it is restarted, fails or cannot write.

use strict;
use warnings;

use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw/sleep time/;

use lib 't/lib';

use Authority;


subtest 'command line' => sub {
    my ($rc, $out, $err) = run('--version');

    is $rc, 0, '--version';
    like $out, qr/^agilicus-authority \d+\.\d+\.\d+$/, 'prints a version';

    ($rc, $out) = run('--help');

    is $rc, 0, '--help';
    like $out, qr/^Usage: agilicus-authority /, 'prints the usage';

    my $page = slurp('authority/agilicus-authority.1') =~ s/\\-/-/gr;

    is_deeply [grep { $page !~ /^\.(?:B|BI) \Q$_\E(?: |$)/m }
               $out =~ /(--[a-z-]+)(?= [A-Z]|,|$)/mg], [],
              'the man page has all options';

    my @refused = (
        [['--nonsense'], qr/unknown option "--nonsense"/],
        [['--db'], qr/no value for "--db"/],
        [['argument'], qr/unexpected argument "argument"/],
        [['--listen', 'nowhere'], qr/not an address and a port/],
        [['--listen', '127.0.0.1:99999'], qr/not an address and a port/],
        [['--listen', 'example.com:80'], qr/not a numeric address/],
        [['--listen', '0.0.0.0:0'], qr/plain HTTP is for a loopback/],
        [['--listen', '[::]:0'], qr/plain HTTP is for a loopback/],
        [['--tls-cert', 'x'], qr/--tls-cert and --tls-key go together/],
        [['--db', ':memory:'], qr/is not a file/],
        [['--delay', '20x'], qr/is not a time/],
        [['--fail-rate', '101%'], qr/is not a rate/],
        [['--fail-rate', '10'], qr/is not a rate/],
        [['--date-format', 'us'], qr/none of rfc3339/],
        [['--issue-count', '0'], qr/is not a number/],
        [['--issue-count', '2'], qr/goes with --issue/],
        map { [['--listen', '0.0.0.0:0', '--tls-cert', 'x', '--tls-key', 'x',
                @$_], qr/loopback address only/] }
            ['--delay', '1s'], ['--fail-rate', '1%'], ['--hang'],
    );

    for my $case (@refused) {
        my ($args, $message) = @$case;

        ($rc, $out, $err) = run('--db', $db, @$args);

        is $rc, 2, "@$args: usage";
        like $err, qr/^agilicus-authority: .*$message/, "@$args: says why";
        is $out, '', "@$args: no output";
    }

    ok !-e $db, 'a refused command line makes no database';
};


subtest 'database' => sub {
    my $file = "$dir/storage.db";

    my ($rc, $out, $err) = run('--db', $file, '--seed', $seed,
                               '--issue', 'sub=ben.osei,org=riverton');

    is $rc, 0, 'is made';
    is sprintf('%04o', (stat $file)[2] & 07777), '0600',
       'only its owner can read it';

    my $token = (split /\n/, $out)[0];

    ok index(slurp($file), $token) == -1, 'does not hold the token';
    ok index(slurp($file), (split /\./, $token)[2]) == -1,
       'nor its signature';

    chmod 0640, $file;

    ($rc, $out, $err) = run('--db', $file, '--seed', $seed);

    is $rc, 1, 'one that others can read is refused';
    like $err, qr/open to others \(mode 0640\)/, 'says why';

    chmod 0600, spew("$dir/text.db", "no database at all\n" x 100);

    ($rc, $out, $err) = run('--db', "$dir/text.db", '--seed', $seed);

    is $rc, 1, 'a file that is none is refused';
    like $err, qr/database/, 'says why';

    my $python = system(qw/python3 -c/, 'import sqlite3, sys; '
        . 'sqlite3.connect(sys.argv[1]).execute("CREATE TABLE a (b)")',
        "$dir/foreign.db");

    SKIP: {
        skip 'no python3 to make a database with', 2 if $python != 0;

        chmod 0600, "$dir/foreign.db";

        ($rc, $out, $err) = run('--db', "$dir/foreign.db", '--seed', $seed);

        is $rc, 1, 'the database of somebody else is refused';
        like $err, qr/not one of this authority's/, 'says why';
    }

    ($rc, $out, $err) = run('--db', "$dir/no/such.db", '--seed', $seed);

    is $rc, 1, 'no folder: refused';
    like $err, qr/cannot open the database/, 'says why';

    ($rc) = run('--db', $dir, '--seed', $seed);

    is $rc, 1, 'a folder is refused';
};


subtest 'seed' => sub {
    my $good = slurp($seed);

    my $try = sub {
        my ($text) = @_;

        return run('--db', "$dir/seed.db",
                   '--seed', spew("$dir/seed.json", $text),
                   '--issue', 'sub=ben.osei,org=riverton');
    };

    my ($rc) = $try->($good);

    is $rc, 0, 'the one of the demo is good';

    my @cases = (
        ['orgs[0].parent', sub { $_[0]{organisations}[0]{parent} = 'moon' },
         qr/organisations\[0\]\.parent: is not an organisation/],
        ['cycle', sub { $_[0]{organisations}[0]{parent} = 'riverton-water' },
         qr/organisations\[\d\]: is its own ancestor/],
        ['org twice', sub { $_[0]{organisations}[1]{id} = 'riverton' },
         qr/organisations\[1\]\.id: is there twice/],
        ['org id', sub { $_[0]{organisations}[1]{id} = 'a b' },
         qr/organisations\[1\]\.id: is not an identifier/],
        ['unknown member', sub { $_[0]{subjects}[2]{admin} = JSON::PP::true },
         qr/subjects\[2\]\.admin: is not a known member/],
        ['missing member', sub { delete $_[0]{subjects}[2]{org} },
         qr/subjects\[2\]\.org: is missing/],
        ['type', sub { $_[0]{subjects}[2]{enabled} = 'yes' },
         qr/subjects\[2\]\.enabled: is not a boolean/],
        ['subject type', sub { $_[0]{subjects}[2]{type} = 'robot' },
         qr/subjects\[2\]\.type: is neither/],
        ['email twice',
         sub { $_[0]{subjects}[2]{email} = 'ben.osei@riverton.example' },
         qr/subjects\[2\]\.email: is there twice/],
        ['permission', sub { $_[0]{subjects}[1]{permissions}[0]{org} = 'x' },
         qr/subjects\[1\]\.permissions\[0\]\.org: is not an organisation/],
        ['scope', sub { $_[0]{subjects}[1]{permissions}[0]{scopes}[1] = 'a b' },
         qr/subjects\[1\]\.permissions\[0\]\.scopes\[1\]: is not a scope/],
        ['app', sub { $_[0]{subjects}[1]{permissions}[0]{roles}{x} = ['y'] },
         qr/permissions\[0\]\.roles\.x: is not an application/],
        ['role',
         sub { $_[0]{subjects}[1]{permissions}[0]{roles}{permits} = ['y'] },
         qr/permissions\[0\]\.roles\.permits: has no role "y"/],
        ['app of another',
         sub { $_[0]{subjects}[1]{permissions}[0]{roles}{meters} =
               ['reader'] },
         qr/roles\.meters: is not used in organisation "riverton"/],
        ['method',
         sub { $_[0]{applications}[0]{roles}{viewer}[0]{methods}[0] = 'GET' },
         qr/roles\.viewer\[0\]\.methods\[0\]: is not a method/],
        ['rule member',
         sub { $_[0]{applications}[0]{roles}{viewer}[0]{pahts} = ['/'] },
         qr/roles\.viewer\[0\]\.pahts: is not a known member/],
        ['template',
         sub { delete $_[0]{applications}[1]{roles}{reader}[0]
                        {template_paths}[0]{prefix} },
         qr/template_paths\[0\]\.prefix: is missing/],
        ['pointer',
         sub { $_[0]{applications}[0]{roles}{clerk}[1]{body}{json}[0]
                 {pointer} = 'x' },
         qr/body\.json\[0\]\.pointer: is not a JSON pointer/],
        ['placeholder',
         sub { $_[0]{applications}[0]{roles}{clerk}[1]{body}{json}[0]
                 {exact_match} = '{{name}}' },
         qr/roles\.clerk\[1\]: has a placeholder/],
        ['instance twice',
         sub { $_[0]{applications}[3]{instances}[1]{org} = 'riverton' },
         qr/applications\[3\]\.instances\[1\]\.org: is there twice/],
        ['issuer', sub { $_[0]{issuer} = '' }, qr/issuer: does not have/],
        ['no subjects', sub { $_[0]{subjects} = [] },
         qr/subjects: is not an array of 1 to/],
    );

    for my $case (@cases) {
        my ($what, $change, $message) = @$case;

        my $data = $json->decode($good);
        $change->($data);

        my ($rc, $out, $err) = $try->($json->encode($data));

        is $rc, 1, "$what: refused";
        like $err, $message, "$what: names it";
    }

    my ($r1, $o1, $e1) = $try->('{"issuer":"a","issuer":"b"}');
    like $e1, qr/duplicate/, 'duplicate member: refused';

    my ($r2, $o2, $e2) = $try->('{');
    like $e2, qr/invalid JSON/, 'invalid JSON: refused';

    my ($r3, $o3, $e3) = run('--db', $db, '--seed', "$dir/none.json");
    like $e3, qr/seed ".*none\.json": cannot be read/, 'no file: refused';

    is "$r1$r2$r3", '111', 'all of them fail';
};


subtest '--issue' => sub {
    my @tokens = issue('sub=ben.osei,org=riverton', '--issue-count', 5);
    my %jti = map { payload($_)->{jti} => 1 } @tokens;

    is @tokens, 5, '--issue-count';
    is keys %jti, 5, 'all different';

    @tokens = issue('sub=ben.osei,org=riverton',
                    '--issue', 'sub=amelia.hart,org=riverton-water');

    is join(' ', map { payload($_)->{sub} } @tokens), 'ben.osei amelia.hart',
       'several of them, in order';

    my $token = issue('sub=ben.osei,org=riverton,duration=2h,jti=issued-1,'
                      . 'session=desk,aud=one+two,iat=-10s');
    my $claims = payload($token);

    is $claims->{iss}, 'https://auth.riverton.example', 'claim: iss';
    is $claims->{sub}, 'ben.osei', 'claim: sub';
    is $claims->{org}, 'riverton', 'claim: org';
    is $claims->{jti}, 'issued-1', 'claim: jti';
    is $claims->{session}, 'desk', 'claim: session';
    is_deeply $claims->{aud}, ['one', 'two'], 'claim: aud';
    is $claims->{exp} - $claims->{iat}, 7200, 'claim: exp';
    ok abs($claims->{iat} - time + 10) <= 3, 'claim: iat';
    ok length($tokens[0]) > 450 && length($tokens[0]) < 900,
       'of a usual length: ' . length $tokens[0];

    my @begin = times;

    @tokens = issue('sub=ben.osei,org=riverton', '--issue-count', 10_000,
                    '--db', "$dir/bulk.db");

    my @end = times;

    is @tokens, 10_000, '10,000 tokens';
    cmp_ok $end[2] + $end[3] - $begin[2] - $begin[3], '<', 6 * $slower,
           'within a few seconds of processor time';

    my @refused = (
        ['sub=ben.osei', qr/sub and org are needed/],
        ['sub=nobody,org=riverton', qr/no subject "nobody"/],
        ['sub=ben.osei,org=moon', qr/no organisation "moon"/],
        ['sub=ivy.brandt,org=riverton', qr/"ivy.brandt" is disabled/],
        ['sub=ben.osei,org=northgate', qr/no permission/],
        ['sub=ben.osei,org=riverton,scopes=urn:agilicus:users:owner',
         qr/scope "urn:agilicus:users:owner" is not permitted/],
        ['sub=ben.osei,org=riverton,roles=permits:owner', qr/role/],
        ['sub=ben.osei,org=riverton,jti=issued-1', qr/this jti already/],
        ['sub=ben.osei,org=riverton,colour=red', qr/unknown key "colour"/],
        ['sub=ben.osei,org=riverton,sub=a', qr/"sub" is there twice/],
        ['sub=ben.osei,org=riverton,exp=soon', qr/key "exp"/],
        ['sub=ben.osei,org=riverton,never=yes', qr/key "never"/],
        ['sub=ben.osei,org=riverton,scopes=a++b', qr/key "scopes"/],
        ['sub=ben.osei,org=riverton,roles=permits', qr/key "roles"/],
        ['sub=ben.osei,org=riverton,jti=a b', qr/key "jti"/],
        ['sub=ben.osei,org=riverton,creator=nobody', qr/no subject/],
        ['sub=ben.osei,org=riverton,hosts=/none', qr/key "hosts"/],
        ['', qr/unknown key ""/],
    );

    for my $case (@refused) {
        my ($spec, $message) = @$case;

        my ($rc, $out, $err) = run('--db', $db, '--seed', $seed,
                                   '--issue', $spec);

        is $rc, 1, "$spec: refused";
        like $err, $message, "$spec: says why";
        is $out, '', "$spec: no token";
    }
};


my $authority = start('--request-log', "$dir/requests.log");


subtest 'restart' => sub {
    my $token = issue('sub=ben.osei,org=riverton');
    my $revoked = issue('sub=ben.osei,org=riverton');

    is post($authority, '/revoke', { token => $revoked })->{status}, 204,
       'one is revoked';

    my $keys = request($authority, 'GET', '/v1/tokens/jwsk')->{content};

    stops $authority, 'SIGTERM';

    $authority = start('--request-log', "$dir/requests.log");

    is request($authority, 'GET', '/v1/tokens/jwsk')->{content}, $keys,
       'the key is the same';
    is status($authority, $token), 200, 'the token is still good';
    is status($authority, $revoked), 410, 'the revoked one is still revoked';

    # a process that is killed has lost nothing that it had answered

    is post($authority, '/revoke', { token => $token })->{status}, 204,
       'one more is revoked';

    stop $authority, 'KILL';
    $authority = start('--request-log', "$dir/requests.log");

    is status($authority, $token), 410, 'also after SIGKILL';

    stops $authority, 'SIGINT', 'INT';
    $authority = start('--request-log', "$dir/requests.log");

    my $second = start();
    $token = issue('sub=ben.osei,org=riverton');

    is status($second, $token), 200, 'two servers on one database';
    is post($second, '/revoke', { token => $token })->{status}, 204,
       'what one revokes';
    is status($authority, $token), 410, 'is revoked for both';

    stops $second, 'the second';

    my ($rc, $out, $err) = run('--listen', "127.0.0.1:$authority->{port}",
                               '--db', "$dir/second.db", '--seed', $seed);

    is $rc, 1, 'the same port twice: refused';
    like $err, qr/cannot listen: Address already in use/, 'says why';
};


subtest 'what the directory permits changes' => sub {
    my $data = $json->decode(slurp($seed));
    my $token = issue('sub=ben.osei,org=riverton');
    my $roles = issue('sub=ben.osei,org=riverton,'
                      . 'roles=permits:clerk+files:reader');
    my $gone = issue('sub=dev.patel,org=riverton-library');
    my $off = issue('sub=grace.liu,org=riverton-east-branch');
    my $bearer = issue('sub=joao.mendes,org=riverton');

    my %subject = map { $_->{id} => $_ } @{ $data->{subjects} };

    $subject{'ben.osei'}{permissions}[0]{roles} = { files => ['reader'] };
    $subject{'grace.liu'}{enabled} = JSON::PP::false;
    $subject{'joao.mendes'}{permissions} = [];
    $data->{subjects} = [grep { $_->{id} ne 'dev.patel' }
                         @{ $data->{subjects} }];

    my $later = start('--seed', spew("$dir/later.json", $json->encode($data)));

    is_deeply facts($later, $token)->{roles}, { files => ['reader'] },
              'roles are those of now';
    is_deeply facts($later, $roles)->{roles}, { files => ['reader'] },
              'also where a token is restricted';
    ok !grep({ $_->{app_id} eq 'permits' } @{ facts($later, $token)->{hosts} }),
       'and hosts';
    is status($later, $gone), 404, 'a subject that is gone: 404';
    is status($later, $off), 404, 'a subject that is disabled: 404';
    is list($later, $bearer, '')->{status}, 403,
       'a scope that is no longer permitted: 403';

    stops $later, 'another seed';

    is status($authority, $gone), 200, 'nothing of that is for ever';
};


subtest 'date formats' => sub {
    my $token = issue('sub=ben.osei,org=riverton,iat=1700000000,'
                      . 'exp=2100-01-01');
    my $viewer = issue('sub=joao.mendes,org=riverton');

    my %formats = (
        rfc3339 => ['2023-11-14T22:13:20Z', '2100-01-01T00:00:00Z'],
        python  => ['2023-11-14 22:13:20', '2100-01-01 00:00:00'],
        epoch   => ['1700000000', '4102444800'],
        number  => [1700000000, 4102444800],
    );

    for my $format (sort keys %formats) {
        my $server = start('--date-format', $format);
        my $reply = introspect($server, $token);

        is $reply->{json}{iat}, $formats{$format}[0], "$format: iat";
        is $reply->{json}{exp}, $formats{$format}[1], "$format: exp";

        if ($format eq 'number') {
            like $reply->{content}, qr/"exp":4102444800[,}]/, 'not quoted';

        } else {
            like $reply->{content}, qr/"exp":"/, 'quoted';
        }

        stops $server, $format;
    }
};


subtest 'faults' => sub {
    my $token = issue('sub=ben.osei,org=riverton');

    my $slow = start('--delay', '300ms');
    my $begin = time;
    my @pids;

    # twenty clients wait side by side, not one after another

    for (1 .. 20) {
        my $pid = fork // die "cannot fork: $!\n";

        if ($pid == 0) {
            POSIX::_exit(status($slow, $token) == 200 ? 0 : 1);
        }

        push @pids, $pid;
    }

    my $failed = grep { waitpid($_, 0); $? } @pids;
    my $took = time - $begin;

    is $failed, 0, '--delay: all are answered';
    cmp_ok $took, '>=', 0.3, '--delay: late';
    cmp_ok $took, '<', 3 * $slower, '--delay: but not one after another';

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $slow->{port});

    $socket->syswrite("GET /v1/tokens/jwsk HTTP/1.1\r\nHost: a\r\n\r\n");
    sleep 0.1;
    stops $slow, '--delay';
    $socket->sysread(my $answer, 65536);
    like $answer, qr{^HTTP/1\.1 200 }, '--delay: who waits is answered first';

    my $failing = start('--fail-rate', '25%');
    my %count;

    $count{ status($failing, $token) }++ for 1 .. 40;

    is_deeply \%count, { 200 => 30, 500 => 10 }, '--fail-rate: exactly that';

    my $reply;

    for (1 .. 4) {
        $reply = introspect($failing, $token);
        last if $reply->{status} == 500;
    }

    refuses $reply, 500, 'INTERNAL_ERROR', '--fail-rate';
    stops $failing, '--fail-rate';

    my $hanging = start('--hang', '--request-log', "$dir/hanging.log");

    $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                    PeerPort => $hanging->{port});
    $socket->syswrite("GET /v1/tokens/jwsk HTTP/1.1\r\nHost: a\r\n\r\n");

    ok !IO::Select->new($socket)->can_read(1), '--hang: no answer';
    is slurp("$dir/hanging.log"), "GET /v1/tokens/jwsk 000 -\n",
       '--hang: is logged all the same';

    # a client that leaves is noticed

    my $open = sub {
        return scalar(() = glob "/proc/$hanging->{pid}/fd/*");
    };
    my $held = $open->();

    $socket->close;
    sleep 0.1 until $open->() < $held || time > $begin + 20 * $slower;
    is $open->(), $held - 1, '--hang: keeps no connection that was closed';

    $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                    PeerPort => $hanging->{port});
    $socket->syswrite("GET /v1/tokens/jwsk HTTP/1.1\r\nHost: a\r\n\r\n");
    sleep 0.2;

    $begin = time;
    stops $hanging, '--hang';
    cmp_ok time - $begin, '<', 5 * $slower, '--hang: ends at once';
    is $socket->sysread($answer, 1), 0, '--hang: and closes';
};


subtest 'another process holds the lock for writing' => sub {
    my $locked = start();

    # a connection each, since children ask at the same time

    my $ask = sub {
        my ($path, $one) = @_;
        my $http = HTTP::Tiny->new(timeout => 20 * $slower, keep_alive => 0);
        my $reply = $http->post("$locked->{url}/v1/tokens/$path", {
            headers => { 'Content-Type' => JSON_TYPE },
            content => qq({"token":"$one"}),
        });

        return $reply->{status};
    };

    my $known = issue('sub=ben.osei,org=riverton,jti=readable');
    my @spent = map { issue("sub=ben.osei,org=riverton,jti=locked$_") } 1 .. 6;

    my $pid = open2(my $said, my $tell, 'python3', '-c', <<'PYTHON', $db);
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
database.execute("COMMIT")
PYTHON

    is <$said>, "locked\n", 'another process has it';

    my @pids;

    for my $token (@spent) {
        my $child = fork // die "cannot fork: $!\n";

        POSIX::_exit($ask->('revoke', $token) == 204 ? 0 : 1) if $child == 0;
        push @pids, $child;
    }

    sleep 0.3;

    my $begin = time;

    is $ask->('introspect', $_), 200, 'reads are answered'
        for $known, @spent[0 .. 2];
    cmp_ok time - $begin, '<', 2 * $slower, 'and do not wait';

    print $tell "\n";
    close $tell;
    waitpid $pid, 0;

    is scalar(grep { waitpid($_, 0); $? } @pids), 0,
       'those who wait to write are served when it is free';
    is_deeply [map { $ask->('introspect', $_) } @spent], [(410) x 6],
              'and what they wrote counts';

    $pid = open2($said, $tell, 'python3', '-c', <<'PYTHON', $db);
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
PYTHON

    is <$said>, "locked\n", 'it is held for good';

    $begin = time;
    is $ask->('revoke', $known), 503, 'a write gives up';
    cmp_ok time - $begin, '<', 15 * $slower, 'in time';

    close $tell;
    waitpid $pid, 0;

    is $ask->('revoke', $known), 204, 'and is taken later';
    stops $locked, 'the lock';
};


stops $authority, 'the end';
is tokens_logged(), 0, 'no token is in any log';

done_testing();
