#!/usr/bin/perl

# Users at agilicus-authority: what introspection says of them, and how their
# status and their roles change while their tokens live.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw/sleep time/;

use lib 't/lib';

use Authority;


# the seed of the demo, with permissions on resources

my $data = $json->decode(slurp($seed));
my ($chloe) = grep { $_->{id} eq 'chloe.tremblay' } @{ $data->{subjects} };

$chloe->{permissions}[0]{resources} = [
    { type => 'fileshare', id => 'plans', role => 'editor' },
    { type => 'ssh', id => 'pump-1', role => 'owner' },
];

push @{ $chloe->{permissions}[0]{scopes} },
     'urn:agilicus:fileshare:plans:role:editor', 'urn:agilicus:ssh:*';

spew("$dir/users.json", $json->encode($data));

my @options = ('--seed', "$dir/users.json", '--request-log',
               "$dir/requests.log");
my $authority = start(@options);

my $admin = make('sub=amelia.hart,org=riverton');
my $in_water = 'sub=chloe.tremblay,org=riverton-water';


sub make {
    my ($spec) = @_;

    return scalar issue($spec, '--seed', "$dir/users.json");
}


sub user {
    my ($method, $path, $body, $bearer) = @_;

    return call($authority, $bearer // $admin, $method, "/users/$path", $body);
}


sub roles {
    my ($roles, $query) = @_;

    return user('PUT', "chloe.tremblay/roles$query", { roles => $roles });
}


subtest 'the user of a token' => sub {
    my $token = make($in_water);
    my $user = facts($authority, $token)->{user};

    is_deeply $user, {
        id => 'chloe.tremblay', email => 'chloe.tremblay@water.riverton.example',
        first_name => "Chlo\x{e9}", last_name => 'Tremblay',
        full_name => "Chlo\x{e9} Tremblay",
        display_name => "Chlo\x{e9} Tremblay", org_id => 'riverton-water',
        type => 'user', enabled => JSON::PP::true, status => 'active',
    }, 'is in its Token';

    is_deeply user('GET', 'chloe.tremblay')->{json}, $user, 'and can be read';
    ok !exists list($authority, $admin, '?sub=chloe.tremblay')
                   ->{json}{tokens}[0]{user}, 'but not in a list';
    ok !exists facts($authority, make('force=1,sub=x,org=riverton'))->{user},
       'a subject that is not there has none';
};


subtest 'permissions on resources' => sub {
    my $of = sub {
        my ($scopes) = @_;
        my $facts = facts($authority, make($in_water . $scopes));

        return join ' ', map { "$_->{resource_type}:$_->{resource_id}:"
                               . $_->{resource_role_name} }
                             @{ $facts->{resource_permissions} };
    };

    is $of->(''), 'fileshare:plans:editor ssh:pump-1:owner',
       'all that the scopes ask for';
    is $of->(',scopes=urn:agilicus:fileshare:plans:role:editor'),
       'fileshare:plans:editor', 'one that a scope asks for';
    is $of->(',scopes=urn:agilicus:ssh:*'), 'ssh:pump-1:owner',
       'with a wildcard';
    is $of->(',scopes='), '', 'none without a scope';

    is_deeply facts($authority, make($in_water))->{resource_permissions}[1],
              { user_id => 'chloe.tremblay', org_id => 'riverton-water',
                resource_type => 'ssh', resource_id => 'pump-1',
                resource_role_name => 'owner' }, 'a row';
    is_deeply facts($authority, make('sub=ben.osei,org=riverton'))
                  ->{resource_permissions}, [], 'somebody without any';

    my %bad = (
        'type' => [{ type => 'car', id => 'a', role => 'b' }],
        'member' => [{ type => 'ssh', id => 'a', role => 'b', x => 1 }],
        'role' => [{ type => 'ssh', id => 'a' }],
    );

    for my $what (sort keys %bad) {
        local $chloe->{permissions}[0]{resources} = $bad{$what};

        my ($rc, $out, $err) = run('--db', $db, '--seed',
            spew("$dir/bad.json", $json->encode($data)), '--issue', $in_water);

        is $rc, 1, "another $what: refused";
        like $err, qr/permissions\[0\]\.resources\[0\]/, "another $what: why";
    }
};


subtest 'roles' => sub {
    my $token = make($in_water);
    my $restricted = make("$in_water,roles=meters:technician");
    my $of = sub {
        my $facts = facts($authority, $_[0] // $token);

        return join ' ', (map { my $app = $_;
                                map { "$app:$_" } @{ $facts->{roles}{$app} } }
                              sort keys %{ $facts->{roles} }),
                         '|', sort map { $_->{upstream_host} } @{ $facts->{hosts} };
    };

    is $of->(), 'files:editor meters:reader meters:technician reports:viewer '
              . '| files.water.riverton.example meters.water.riverton.example '
              . 'reports.riverton.example', 'as in the seed';

    is roles({ meters => ['reader'] }, '?org_id=riverton-water')->{status},
       204, 'are replaced';
    is $of->(), 'meters:reader | meters.water.riverton.example',
       'a token that lives has the new ones, and their hosts';
    is $of->($restricted), '|', 'a restricted one has none that is left';
    is_deeply user('GET', 'chloe.tremblay/render_roles')->{json},
              { meters => ['reader'] }, 'they can be read';

    stops $authority, 'SIGTERM';
    $authority = start(@options);

    is $of->(), 'meters:reader | meters.water.riverton.example',
       'a restart changes nothing';

    is roles({}, '')->{status}, 204, 'none, in the own organisation';
    is $of->(), '|', 'nothing is left';

    is roles({ meters => ['reader', 'technician'] }, '')->{status}, 204,
       'given back';
    is $of->($restricted), 'meters:technician | '
                         . 'meters.water.riverton.example', 'is there again';

    my %bad = (
        'no application' => { nothing => ['reader'] },
        'one of others' => { catalogue => ['patron'] },
        'no role' => { meters => ['king'] },
        'no array' => { meters => 'reader' },
        'no string' => { meters => [1] },
    );

    for my $what (sort keys %bad) {
        refuses roles($bad{$what}, ''), 400, 'INVALID_REQUEST', $what;
    }

    refuses user('PUT', 'chloe.tremblay/roles', {}), 400, 'INVALID_REQUEST',
            'no roles';
    refuses roles({}, '?org_id=riverton-library'), 404, 'USER_NOT_FOUND',
            'an organisation without a permission';
    refuses roles({}, '?org_id=moon'), 404, 'USER_NOT_FOUND',
            'no organisation';
};


subtest 'status' => sub {
    my $token = make($in_water);
    my $set = sub {
        my (%body) = @_;
        my $reply = user('PUT', 'chloe.tremblay', \%body);

        return $reply->{json};
    };

    my $user = $set->(status => 'disabled', enabled => JSON::PP::true);

    is $user->{status}, 'disabled', 'disabled';
    ok !$user->{enabled}, 'and not enabled';
    refuses introspect($authority, $token), 404, 'TOKEN_NOT_FOUND',
            'a token of hers';
    is call($authority, $token, 'GET', '/v1/tokens')->{status}, 401,
       'which is no bearer';
    is post($authority, '/reissue', { token => $token, org_id =>
                                      'riverton-water' })->{status}, 400,
       'and not reissued';

    my ($rc, $out, $err) = run('--db', $db, '--seed', "$dir/users.json",
                               '--issue', $in_water);

    is $rc, 1, '--issue refuses her';
    like $err, qr/is disabled/, 'and says why';

    for my $status (200, 410) {
        my $other = start(@options, '--disabled-user', $status);
        my $reply = introspect($other, $token);

        is $reply->{status}, $status, "--disabled-user $status";

        if ($status == 200) {
            is $reply->{json}{user}{status}, 'disabled', 'the Token says it';
            ok !$reply->{json}{user}{enabled}, 'in both ways';
            is_deeply $reply->{json}{roles}, {}, 'and has no roles';
            is_deeply $reply->{json}{hosts}, [], 'and no hosts';
        }

        stops $other, "--disabled-user $status";
    }

    ($rc) = run('--db', $db, '--disabled-user', 'none');
    is $rc, 2, '--disabled-user: another is refused';

    ok $set->(status => 'pending')->{enabled}, 'pending is enabled';
    is facts($authority, $token)->{user}{status}, 'pending',
       'and her token good';

    my $until = at(86400);

    is $set->(status => 'active', disabled_at_time => $until)
           ->{disabled_at_time}, $until, 'disabled at a time that is ahead';
    is facts($authority, $token)->{user}{disabled_at_time}, $until,
       'the token is good, and says so';
    is $set->(first_name => 'C')->{disabled_at_time}, $until,
       'other members change nothing';

    ok !$set->(disabled_at_time => at(-60))->{enabled},
       'at a time that has come';
    is status($authority, $token), 404, 'her token is not good';

    $set->(disabled_at_time => at(2));

    is status($authority, $token), 200, 'in two seconds: good';
    sleep 3;
    is status($authority, $token), 404, 'after them: not good';

    $user = $set->(disabled_at_time => undef);

    ok !exists $user->{disabled_at_time}, 'null takes it away';
    is status($authority, $token), 200, 'her token is good again';

    for my $body ({ status => 'gone' }, { status => 1 },
                  { disabled_at_time => 'soon' })
    {
        refuses user('PUT', 'chloe.tremblay', $body), 400, 'INVALID_REQUEST',
                $json->encode($body);
    }
};


subtest 'who may' => sub {
    my $ben = make('sub=ben.osei,org=riverton');

    for my $case (['GET', 'ben.osei'], ['GET', 'ben.osei/render_roles'],
                  ['PUT', 'ben.osei', {}],
                  ['PUT', 'ben.osei/roles', { roles => {} }])
    {
        my ($method, $path, $body) = @$case;

        refuses user($method, $path, $body, 'garbage'), 401, 'UNAUTHORIZED',
                "$method $path, no bearer";
        refuses user($method, $path, $body, $ben), 403, 'FORBIDDEN',
                "$method $path, no scope";

        $path =~ s/ben\.osei/nobody/;
        refuses user($method, $path, $body), 404, 'USER_NOT_FOUND',
                "$method $path";

        $path =~ s/nobody/farid.nasser/;
        refuses user($method, $path, $body), 404, 'USER_NOT_FOUND',
                "$method $path, of another organisation";
    }
};


subtest 'many readers do not keep a change waiting' => sub {
    my $token = make('sub=ben.osei,org=riverton');
    my @pids;

    for (1 .. 4) {
        my $pid = fork // die "fork: $!\n";

        if ($pid == 0) {
            my $until = time + 2 * $slower;
            $authority->{http} = HTTP::Tiny->new(keep_alive => 1);
            status($authority, $token) while time < $until;
            POSIX::_exit(0);
        }

        push @pids, $pid;
    }

    my $begin = time;

    for my $n (1 .. 20) {
        roles($n % 2 ? {} : { meters => ['reader'] }, '');
    }

    ok time - $begin < 2 * $slower, 'twenty changes';
    waitpid $_, 0 for @pids;
};


stops $authority, 'the end';
is tokens_logged(), 0, 'no token is in any log';

done_testing();
