#!/usr/bin/perl

# Login sessions at agilicus-authority: how they are made, listed by pages,
# revoked and deleted, and what their tokens are then.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use Time::HiRes qw/sleep time/;

use lib 't/lib';

use Authority;


my $authority = start('--request-log', "$dir/requests.log");

my $edge = issue('sub=edge,org=riverton,session=edge-session');


sub get {
    my ($query, $bearer) = @_;

    return call($authority, $bearer // $edge, 'GET', "/v1/sessions$query");
}


sub ids {
    my ($reply) = @_;

    return join ' ', map { $_->{metadata}{id} } @{ $reply->{json}{sessions} };
}


sub session {
    my ($id) = @_;

    return call($authority, $edge, 'GET', "/v1/sessions/$id")->{json};
}


subtest 'sessions are made with tokens' => sub {
    my $before = time;
    my $token = issue('sub=ben.osei,org=riverton,session=desk');

    my $session = session('desk');

    is $session->{metadata}{id}, 'desk', 'metadata: id';
    like $session->{metadata}{created}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
         'metadata: created';
    is $session->{spec}{user_id}, 'ben.osei', 'spec: user_id';
    is $session->{spec}{org_id}, 'riverton', 'spec: org_id';
    ok JSON::PP::is_bool($session->{spec}{revoked})
       && !$session->{spec}{revoked}, 'spec: revoked is false';
    is_deeply $session->{status}, {}, 'status: no multi-factor sign-in';
    ok !exists facts($authority, $token)->{last_mfa_time},
       'and none in the token';

    my ($again) = issue('sub=ben.osei,org=riverton,session=desk,mfa=-1m');
    my $mfa = session('desk')->{status}{last_mfa_time};

    ok abs($mfa - $before + 60) <= 3 * $slower, 'a later sign-in';
    is facts($authority, $_)->{last_mfa_time}, $mfa,
       'all tokens of the session have it' for $token, $again;

    issue('sub=ben.osei,org=riverton,session=desk,mfa=-2m');

    is session('desk')->{status}{last_mfa_time}, $mfa,
       'an earlier one changes nothing';
};


subtest 'POST' => sub {
    my $before = int time;
    my $reply = call($authority, $edge, 'POST', '/v1/sessions', {
        spec => { user_id => 'dev.patel', org_id => 'riverton-library',
                  mfa_done => JSON::PP::true, number_of_logins => 2,
                  ip_address => '192.0.2.1' } });

    is $reply->{status}, 201, 'makes one';

    my $id = $reply->{json}{metadata}{id};

    is_deeply session($id), $reply->{json}, 'the new session can be read';
    ok $reply->{json}{status}{last_mfa_time} >= $before, 'mfa_done counts';
    is_deeply $reply->{json}{spec},
              { user_id => 'dev.patel', org_id => 'riverton-library',
                revoked => JSON::PP::false, number_of_logins => 2,
                ip_address => '192.0.2.1' }, 'the other members stay';

    is facts($authority, scalar issue("sub=dev.patel,org=riverton-library,"
                                      . "session=$id"))->{last_mfa_time},
       $reply->{json}{status}{last_mfa_time}, 'a token can have it';

    for my $case (['nobody', 'riverton'], ['dev.patel', 'northgate'],
                  ['dev.patel', 'moon'])
    {
        refuses call($authority, $edge, 'POST', '/v1/sessions',
                     { spec => { user_id => $case->[0],
                                 org_id => $case->[1] } }),
                400, 'INVALID_REQUEST', "@$case";
    }

    refuses call($authority, $edge, 'POST', '/v1/sessions', {}), 400,
            'INVALID_REQUEST', 'no spec';
};


subtest 'who may' => sub {
    my %bearers = (
        'no bearer' => [undef, 401, 'UNAUTHORIZED'],
        'garbage' => ['garbage', 401, 'UNAUTHORIZED'],
        'no scope' => [scalar issue('sub=ben.osei,org=riverton'), 403,
                       'FORBIDDEN'],
    );
    my $body = { spec => { user_id => 'ben.osei', org_id => 'riverton' } };
    my @calls = (['GET', ''], ['GET', '/desk'], ['POST', '', $body],
                 ['PUT', '/desk', $body], ['DELETE', '/desk'],
                 ['POST', '/bulk_revoke', { user_id => 'ben.osei' }],
                 ['POST', '/bulk_delete', { user_id => 'ben.osei' }]);

    my $viewer = issue('sub=joao.mendes,org=riverton');

    for my $case (@calls) {
        my ($method, $path, $content) = @$case;

        for my $who (sort keys %bearers) {
            my ($bearer, $status, $code) = @{ $bearers{$who} };

            refuses call($authority, $bearer, $method, "/v1/sessions$path",
                         $content), $status, $code, "$method $path, $who";
        }

        is call($authority, $viewer, $method, "/v1/sessions$path",
                $content)->{status}, $method eq 'GET' ? 200 : 403,
           "$method $path, a viewer";
    }

    my $erin = issue('sub=erin.walsh,org=riverton-water,session=water');

    is ids(get('', $erin)), 'water', 'a list ends at the own organisation';

    refuses call($authority, $erin, 'GET', '/v1/sessions/desk'), 404,
            'SESSION_NOT_FOUND', 'a session of another organisation';
    refuses call($authority, $edge, 'GET', '/v1/sessions/none'), 404,
            'SESSION_NOT_FOUND', 'no session';
    refuses call($authority, $edge, 'GET', '/v1/sessions/a%2Fb'), 404,
            'NOT_FOUND', 'no identifier';
    refuses call($authority, $edge, 'PATCH', '/v1/sessions/desk', '{}'), 405,
            'METHOD_NOT_ALLOWED', 'PATCH';
};


subtest 'PUT' => sub {
    my $token = issue('sub=ben.osei,org=riverton,session=put');
    my $body = { spec => { user_id => 'ben.osei', org_id => 'riverton',
                           revoked => JSON::PP::true } };

    my $reply = call($authority, $edge, 'PUT', '/v1/sessions/put', $body);

    is $reply->{status}, 200, 'revoked: 200';
    ok $reply->{json}{spec}{revoked}, 'is what it says then';
    refuses introspect($authority, $token), 410, 'TOKEN_REVOKED', 'its token';
    is jtis(list($authority, $edge, '?session=put&revoked=true')), '',
       'which the list of tokens does not show';
    is jtis(list($authority, $edge, '?session=put')),
       payload($token)->{jti}, 'as a revoked one';

    refuses post($authority, '/reissue', { token => $token, org_id =>
                                           'riverton' }),
            400, 'INVALID_REQUEST', 'it is not reissued';
    refuses call($authority, $edge, 'POST', '/v1/tokens', {
                sub => 'ben.osei', org => 'riverton', audiences => ['a'],
                time_validity => { duration => 60 }, session => 'put' }),
            403, 'FORBIDDEN', 'no token is created for it';

    $body->{spec}{revoked} = JSON::PP::false;

    is call($authority, $edge, 'PUT', '/v1/sessions/put', $body)->{status},
       200, 'no longer revoked: 200';
    is status($authority, $token), 200, 'its token is good again';

    for my $other ({ user_id => 'edge', org_id => 'riverton' },
                   { user_id => 'ben.osei', org_id => 'riverton-water' },
                   { user_id => 'ben.osei' })
    {
        refuses call($authority, $edge, 'PUT', '/v1/sessions/put',
                     { spec => $other }), 400, 'INVALID_REQUEST',
                'another user or organisation';
    }

    refuses call($authority, $edge, 'PUT', '/v1/sessions/none', $body), 404,
            'SESSION_NOT_FOUND', 'no session';
};


subtest 'DELETE' => sub {
    my $token = issue('sub=ben.osei,org=riverton,session=gone');

    refuses call($authority, $edge, 'DELETE',
                 '/v1/sessions/gone?user_id=edge'), 404, 'SESSION_NOT_FOUND',
            'not of this user';

    my $reply = call($authority, $edge, 'DELETE',
                     '/v1/sessions/gone?user_id=ben.osei&org_id=riverton');

    is $reply->{status}, 204, 'deletes one';
    is $reply->{content}, '', 'and nothing else';
    refuses introspect($authority, $token), 410, 'TOKEN_REVOKED', 'its token';
    refuses call($authority, $edge, 'DELETE', '/v1/sessions/gone'), 404,
            'SESSION_NOT_FOUND', 'once more';
};


subtest 'bulk' => sub {
    my %token;

    for my $id (qw/bulk-1 bulk-2 bulk-3/) {
        $token{$id} = issue("sub=grace.liu,org=riverton-east-branch,"
                            . "session=$id");
    }

    my $bulk = sub {
        my ($task, %body) = @_;

        my $reply = call($authority, $edge, 'POST', "/v1/sessions/bulk_$task",
                         { user_id => 'grace.liu', %body });

        return $reply->{json}{number_of_sessions_modified};
    };

    my $states = sub {
        return join ' ', map { status($authority, $token{$_}) }
                             sort keys %token;
    };

    is $bulk->('revoke', org_id => 'riverton'), 0, 'of another organisation';
    is $states->(), '200 200 200', 'nothing happens';

    is $bulk->('revoke', session_id => 'bulk-1', tokens_only =>
               JSON::PP::true), 1, 'tokens only';
    is $states->(), '410 200 200', 'the token is revoked';
    ok !session('bulk-1')->{spec}{revoked}, 'the session is not';
    is status($authority, scalar issue('sub=grace.liu,org=riverton-east-branch'
                                       . ',session=bulk-1')), 200,
       'and may have another';
    is jtis(list($authority, $edge, '?sub=grace.liu&revoked=true')),
       payload($token{'bulk-1'})->{jti}, 'the list of tokens shows it';

    is $bulk->('revoke', session_id => 'bulk-2'), 1, 'one session';
    is $states->(), '410 410 200', 'its token is revoked';
    ok session('bulk-2')->{spec}{revoked}, 'and so is the session';

    is $bulk->('revoke'), 2, 'all that were not revoked';
    is $states->(), '410 410 410', 'and their tokens';
    is ids(get('?user_id=grace.liu&revoked=true')), 'bulk-1 bulk-2 bulk-3',
       'the list of sessions shows them';

    is $bulk->('delete'), 3, 'deleted';
    is ids(get('?user_id=grace.liu')), '', 'none is left';

    refuses call($authority, $edge, 'POST', '/v1/sessions/bulk_revoke', {}),
            400, 'INVALID_REQUEST', 'no user';
};


subtest 'sign-out everywhere' => sub {
    my @tokens = (scalar issue('sub=hugo.lind,org=riverton,session=one'),
                  scalar issue('sub=hugo.lind,org=riverton,session=two'));

    post($authority, '/revoke', { token => $tokens[0] });
    is ids(get('?user_id=hugo.lind&revoked=true')), '',
       'one token that is revoked revokes no session';

    post($authority, '/revoke', { token => $tokens[1],
                                  all_sessions => JSON::PP::true });
    is ids(get('?user_id=hugo.lind&revoked=true')), 'one two',
       'all_sessions revokes all of the user';
};


subtest 'list: filters' => sub {
    issue('sub=farid.nasser,org=riverton-water,session=f-1,iat=-10d');
    issue('sub=farid.nasser,org=riverton-water,session=f-2');
    issue('sub=farid.nasser,org=northgate,session=f-3');
    call($authority, $edge, 'POST', '/v1/sessions/bulk_revoke',
         { user_id => 'farid.nasser', session_id => 'f-1' });

    my %cases = (
        'user_id=farid.nasser' => 'f-1 f-2',
        'user_id=farid.nasser&org_id=riverton-water' => 'f-1 f-2',
        'user_id=farid.nasser&org_id=riverton' => '',
        'user_id=farid.nasser&revoked=True' => 'f-1',
        'user_id=farid.nasser&revoked=false' => 'f-2',
        'user_id=farid.nasser&unknown=1' => 'f-1 f-2',
        'user_id=farid.nasser&created_time=' . at(-86400) => 'f-2',
        'user_id=farid.nasser&created_time=' . at(-11 * 86400) => 'f-1 f-2',
        'user_id=farid.nasser&created_time=' . at(86400) => '',
        'user_id=farid.nasser&previous_created_time=&previous_user_id='
            => 'f-1 f-2',
    );

    for my $query (sort keys %cases) {
        my $reply = get("?$query");

        is $reply->{status}, 200, "$query: 200";
        is ids($reply), $cases{$query}, "$query: found";
        is $reply->{json}{limit}, 500, "$query: the usual limit";
    }

    for my $query ('limit=0', 'limit=501', 'revoked=maybe', 'user_id=a&'
                   . 'user_id=b', 'created_time=soon', 'page_sort=asc',
                   'page_at_key=x', 'search_direction=up',
                   'page_on=id&page_sort=up', 'page_on=id&page_on=id',
                   'previous_created_time=2026-01-01', 'previous_user_id=a')
    {
        refuses get("?$query"), 400, 'INVALID_REQUEST', $query;
    }

    for my $field (qw/updated created nothing/) {
        my $reply = get("?page_on=$field");

        refuses $reply, 400, 'INVALID_REQUEST', "page_on=$field";
        like $reply->{json}{error_message}, qr/pagination key/,
             "page_on=$field: as the official SDK looks for it";
    }
};


# all pages of a list, with the keys of each as they came

sub walk {
    my ($server, $query, $limit) = @_;

    my @pages;
    my $next = '';

    while (@pages < 50) {
        my $reply = call($server, $edge, 'GET',
                         "/v1/sessions?limit=$limit&$query$next");
        my $info = $reply->{json}{page_info};

        push @pages, ids($reply);
        last if !$info;

        $next = join '', map({ "&page_on=$_" } @{ $info->{page_on} }),
                         map({ s/:/%3A/gr } map({ "&page_at_key=$_" }
                             @{ $info->{page_at_key} }));
        $query =~ s/&?page_on=\w+//g;
    }

    return join ' | ', @pages;
}


subtest 'list: pages' => sub {
    issue("sub=night-backup,org=riverton,session=p-$_,iat=-" . (10 - $_) % 3
          . 'd') for 1 .. 7;

    my $query = 'user_id=night-backup';

    is walk($authority, $query, 3), 'p-1 p-2 p-3 | p-4 p-5 p-6 | p-7 | ',
       'by id, where nothing is said';
    is walk($authority, "$query&page_on=id", 7),
       'p-1 p-2 p-3 p-4 p-5 p-6 p-7 | ', 'a page that is just full';
    is walk($authority, "$query&page_on=id&page_sort=desc", 4),
       'p-7 p-6 p-5 p-4 | p-3 p-2 p-1 | ', 'descending';

    my $reply = get("?$query&limit=2&page_on=id&page_at_key=p-3");

    is ids($reply), 'p-4 p-5', 'after a key';
    is_deeply $reply->{json}{page_info},
              { page_on => ['id'], page_at_key => ['p-5'],
                previous_key => ['p-4'] }, 'page_info';

    is ids(get("?$query&limit=2&page_on=id&page_at_key=p-4"
               . '&search_direction=backwards')), 'p-2 p-3', 'backwards';
    is ids(get("?$query&limit=2&page_on=id&page_at_key=None")), 'p-1 p-2',
       'None is the first page';

    call($authority, $edge, 'POST', '/v1/sessions/bulk_revoke',
         { user_id => 'night-backup', session_id => $_ }) for 'p-3', 'p-6';

    is walk($authority, "$query&revoked=true", 1), 'p-3 | p-6 | ',
       'revoked ones, page by page';

    # by a date, which several sessions share

    my $other = start('--page-on', 'id,created,updated');

    my $all = walk($other, "$query&page_on=created", 2);

    is join(' ', sort split / \| | /, $all),
       'p-1 p-2 p-3 p-4 p-5 p-6 p-7', 'by the date: each of them once';
    like $all, qr/^p-\d p-\d \| p-\d p-\d \| p-\d p-\d \| p-\d \| $/,
         'by the date: in full pages';

    my $info = call($other, $edge, 'GET', "/v1/sessions?$query&limit=1"
                    . '&page_on=updated&page_sort=desc')->{json};

    is_deeply $info->{page_info}{page_on}, ['updated', 'id'],
              'the id is added, since it is unique';
    is $info->{page_info}{page_at_key}[0],
       $info->{sessions}[0]{metadata}{updated}, 'the key is the date';
    is call($other, $edge, 'GET', '/v1/sessions?page_on=updated'
            . '&page_at_key=soon')->{status}, 400, 'a key that is no date';

    stops $other, 'paged by dates';

    issue('sub=night-backup,org=riverton', '--issue-count', 600);

    $reply = get("?$query");

    is scalar @{ $reply->{json}{sessions} }, 500, '500 rows of many';

    $reply = get("?$query&page_on=id&page_at_key="
                 . $reply->{json}{page_info}{page_at_key}[0]);

    is scalar @{ $reply->{json}{sessions} }, 107, 'and the rest';
};


subtest 'restart' => sub {
    my $token = issue('sub=ben.osei,org=riverton,session=kept');

    call($authority, $edge, 'POST', '/v1/sessions/bulk_revoke',
         { user_id => 'ben.osei', session_id => 'kept' });

    stop $authority, 'KILL';
    $authority = start('--request-log', "$dir/requests.log");

    is status($authority, $token), 410, 'a revocation is not lost';
    ok session('kept')->{spec}{revoked}, 'the session is kept';

    my ($line) = reverse split /\n/, slurp("$dir/requests.log");

    is $line, 'GET /v1/sessions/{session_id} 200 -', 'the log has no id';
};


stops $authority, 'the end';
is tokens_logged(), 0, 'no token is in any log';

done_testing();
