#!/usr/bin/perl

# API keys at agilicus-authority: how they are made, by the API and by the
# seed, introspected, listed and deleted, and the statuses of those that are not
# active.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';

use Authority;


use constant {
    KEYS  => '/v1/api_keys',
    MULTI => 'urn:agilicus:token_payload:multiorg:true',
};


# the seed of the demo with keys in it

my %seeded = (
    good => 'good-key-of-ben', expired => 'expired-key', revoked => 'dead-key',
    disabled => 'disabled-key', other => 'key-of-a-disabled-user',
    service => 'key-of-a-service-account',
);

my $data = $json->decode(slurp($seed));
my %ben = (user_id => 'ben.osei', org_id => 'riverton');

$data->{api_keys} = [
    { key => $seeded{good}, %ben, name => 'ben', session => 'of-the-key',
      scopes => ['urn:agilicus:users:viewer', 'urn:agilicus:users:owner?'] },
    { key => $seeded{expired}, %ben, expiry => '2026-01-01T00:00:00Z' },
    { key => $seeded{revoked}, %ben, revoked => JSON::PP::true },
    { key => $seeded{disabled}, %ben, disabled => JSON::PP::true },
    { key => $seeded{service}, user_id => 'meter-gateway',
      org_id => 'riverton-water' },
];

spew("$dir/keys.json", $json->encode($data));

my @options = ('--seed', "$dir/keys.json", '--request-log',
               "$dir/requests.log");
my $authority = start(@options);
my $edge = issue('sub=edge,org=riverton');
my $email = 'ben.osei@riverton.example';

@spent{values %seeded} = ();


sub present {
    my ($server, $username, $key, %more) = @_;

    return request($server, 'POST', KEYS . '/introspect',
        headers => { 'Content-Type' => JSON_TYPE },
        content => $json->encode({
            api_key_auth_info => { username => $username, key => $key },
            %more }));
}


sub make {
    my ($spec, $bearer) = @_;

    my $reply = call($authority, $bearer // $edge, 'POST', KEYS,
                     { spec => $spec });

    $spent{ $reply->{json}{status}{api_key} } = 1
        if $reply->{json}{status}{api_key};

    return $reply;
}


subtest 'a key of the seed' => sub {
    my $reply = present($authority, $email, $seeded{good});

    is $reply->{status}, 200, 'is active';

    my $answer = $reply->{json};
    my $token = $answer->{primary_token};

    is $token->{sub}, 'ben.osei', 'sub';
    is $token->{sub_email}, $email, 'sub_email';
    is $token->{org}, 'riverton', 'org';
    is $token->{session}, 'of-the-key', 'session';
    ok !exists $token->{exp}, 'no expiry';
    is_deeply $token->{scopes}, ['urn:agilicus:users:viewer'],
              'the scopes that are permitted';
    is_deeply $token->{roles}{permits}, ['clerk'], 'roles';
    ok scalar @{ $token->{hosts} }, 'hosts';
    is_deeply $answer->{sub_org_results}, [], 'no other organisation';

    my $raw = $answer->{raw_token};

    $spent{$raw} = 1;

    is payload($raw)->{jti}, $token->{jti}, 'raw_token is that token';
    is_deeply facts($authority, $raw), $token,
              'which introspection knows as well';
    is present($authority, $email, $seeded{good})->{json}{raw_token}, $raw,
       'the next answer has the same';

    ok !exists present($authority, $email, $seeded{good}, introspect_options =>
                       { exclude_roles => JSON::PP::true })
                   ->{json}{primary_token}{roles}, 'introspect_options';

    is present($authority, 'meter-gateway', $seeded{service})->{status}, 200,
       'the user name of an account without an address is its id';

    my $stored = join '', map { slurp($_) } glob "$db*";

    ok index($stored, $raw) == -1, 'the database does not hold the token';
    ok index($stored, $seeded{good}) == -1, 'nor the key';
};


subtest 'keys that are not active' => sub {
    my %wrong = (
        'an unknown key' => [$email, 'no-such-key'],
        'another user' => ['dev.patel@library.riverton.example',
                           $seeded{good}],
        'no such user' => ['nobody', $seeded{good}],
        'another case' => [uc $email, $seeded{good}],
        'the id of a user with an address' => ['ben.osei', $seeded{good}],
        'a part of the key' => [$email, substr $seeded{good}, 0, -1],
    );

    for my $what (sort keys %wrong) {
        refuses present($authority, @{ $wrong{$what} }), 404,
                'API_KEY_NOT_FOUND', $what;
    }

    refuses present($authority, $email, $seeded{expired}), 404,
            'API_KEY_EXPIRED', 'expired';
    refuses present($authority, $email, $seeded{disabled}), 404,
            'API_KEY_DISABLED', 'disabled';
    refuses present($authority, $email, $seeded{revoked}), 410,
            'API_KEY_REVOKED', 'revoked';

    for my $body ({}, { api_key_auth_info => {} },
                  { api_key_auth_info => { username => 'a' } },
                  { api_key_auth_info => { username => 'a', key => '' } },
                  { api_key_auth_info => { username => 'a', key => 'b' },
                    multi_org => 'yes' },
                  { api_key_auth_info => { username => 'a', key => 'b' },
                    introspect_options => [] })
    {
        refuses call($authority, undef, 'POST', KEYS . '/introspect', $body),
                400, 'INVALID_REQUEST', $json->encode($body);
    }

    my $other = start(@options, '--key-status',
                      'wrong=401,expired=410,disabled=400');

    is present($other, $email, 'no-such-key')->{status}, 401, 'wrong=401';
    is present($other, $email, $seeded{expired})->{status}, 410, 'expired=410';
    is present($other, $email, $seeded{disabled})->{status}, 400,
       'disabled=400';
    is present($other, $email, $seeded{revoked})->{status}, 410,
       'revoked is always 410';

    stops $other, 'with other statuses';

    $other = start(@options, '--key-status', 'expired=200,disabled=200');

    my $reply = present($other, $email, $seeded{expired});

    is $reply->{status}, 200, 'expired=200';
    is $reply->{json}{primary_token}{exp}, '2026-01-01T00:00:00Z',
       'the token says so itself';
    is present($other, $email, $seeded{disabled})->{status}, 200,
       'disabled=200';

    stops $other, 'with 200';

    for my $value ('wrong=200', 'wrong', 'wrong=', 'wrong=4040', 'lost=404',
                   'wrong=404,', 'expired=302', '')
    {
        my ($rc, $out, $err) = run('--db', $db, '--key-status', $value);

        is $rc, 2, "--key-status $value: refused";
    }
};


subtest 'POST' => sub {
    my $reply = make({ %ben, name => 'script', label => 'nightly',
                       expiry => at(3600), scopes => ['openid', 'absent?'] });

    is $reply->{status}, 201, 'makes one';

    my $made = $reply->{json};
    my $secret = delete $made->{status}{api_key};

    is length $secret, 40, 'its secret has 40 characters';

    my $read = call($authority, $edge, 'GET',
                    KEYS . "/$made->{metadata}{id}")->{json};

    is_deeply $read, $made, 'it can be read, but not its secret';

    my $token = present($authority, $email, $secret)->{json}{primary_token};

    is $token->{jti}, $made->{status}{token_id}, 'status: token_id';
    is $token->{session}, $made->{spec}{session}, 'spec: session';
    is $token->{exp}, $made->{spec}{expiry}, 'spec: expiry';
    is $token->{creating_sub}, $made->{status}{creating_sub},
       'status: creating_sub';
    is_deeply $token->{scopes}, ['openid'], 'scopes that are permitted';
    is_deeply $made->{spec}{scopes}, ['openid', 'absent?'],
              'spec: scopes, as they were asked for';
    is $made->{status}{oper_status}, 'active', 'status: oper_status';
    ok !$made->{status}{masquerading}, 'status: masquerading';

    # which callers may make a key, and for which users

    refuses make({ %ben, scopes => ['urn:agilicus:users:owner'] }), 403,
            'FORBIDDEN', 'a scope that is not permitted';
    refuses make({ user_id => 'nobody', org_id => 'riverton' }), 403,
            'FORBIDDEN', 'no such user';
    refuses make({ user_id => 'farid.nasser', org_id => 'northgate' }), 403,
            'FORBIDDEN', 'another organisation';
    refuses make({ %ben }, 'garbage'), 401, 'UNAUTHORIZED', 'no good bearer';
    refuses make({ %ben }, scalar issue('sub=joao.mendes,org=riverton')), 403,
            'FORBIDDEN', 'a viewer';

    my $masquerading = make({ %ben }, scalar issue('sub=hugo.lind,'
                                                   . 'org=riverton'));

    ok $masquerading->{json}{status}{masquerading},
       'a person makes a key for another';

    for my $spec ({ user_id => 'ben.osei' }, { %ben, expiry => 'soon' },
                  { %ben, expiry => '2020-01-01' }, { %ben, scopes => 'a' },
                  { %ben, name => 'x' x 101 }, { %ben, label => 'x' x 129 })
    {
        refuses make($spec), 400, 'INVALID_REQUEST',
                substr $json->encode($spec), 0, 70;
    }
};


subtest 'several organisations' => sub {
    my %spec = (user_id => 'amelia.hart', org_id => 'riverton');
    my $mail = 'amelia.hart@riverton.example';

    my $plain = make({ %spec })->{json}{status}{api_key};
    my $multi = make({ %spec, scopes => [MULTI] })->{json}{status}{api_key};

    my $orgs = sub {
        my ($key, %more) = @_;
        my $list = present($authority, $mail, $key, %more)
                       ->{json}{sub_org_results};

        return join ' ', sort map { $_->{org} } @$list;
    };

    is $orgs->($multi), '', 'not asked for';
    is $orgs->($plain, multi_org => JSON::PP::true), '', 'without the scope';
    is $orgs->($multi, multi_org => JSON::PP::true),
       'riverton-east-branch riverton-library riverton-water',
       'with the scope: all below';

    my ($water) = grep { $_->{org} eq 'riverton-water' }
        @{ present($authority, $mail, $multi, multi_org => JSON::PP::true)
               ->{json}{sub_org_results} };

    is_deeply $water->{roles}{meters}, ['reader'], 'with the roles there';
};


subtest 'revoked, by its token and by its session' => sub {
    my @keys = map { make({ %ben })->{json} } 1 .. 3;
    my @secrets = map { $_->{status}{api_key} } @keys;

    my $raw = present($authority, $email, $secrets[0])->{json}{raw_token};

    $spent{$raw} = 1;
    post($authority, '/revoke', { token => $raw });

    refuses present($authority, $email, $secrets[0]), 410, 'API_KEY_REVOKED',
            'its token';

    call($authority, $edge, 'POST', '/v1/sessions/bulk_revoke',
         { user_id => 'ben.osei', session_id => $keys[1]{spec}{session} });

    refuses present($authority, $email, $secrets[1]), 410, 'API_KEY_REVOKED',
            'its session';

    my $path = KEYS . "/$keys[2]{metadata}{id}";

    refuses call($authority, $edge, 'DELETE', "$path?user_id=edge"), 404,
            'API_KEY_NOT_FOUND', 'DELETE, of another user';
    refuses call($authority, scalar issue('sub=joao.mendes,org=riverton'),
                 'DELETE', $path), 403, 'FORBIDDEN', 'DELETE by a viewer';

    is status($authority, present($authority, $email, $secrets[2])
                              ->{json}{raw_token}), 200, 'a token';
    is call($authority, $edge, 'DELETE', $path)->{status}, 204, 'DELETE';
    refuses present($authority, $email, $secrets[2]), 404,
            'API_KEY_NOT_FOUND', 'deleted';
    is jtis(list($authority, $edge, "?jti=$keys[2]{status}{token_id}"
                 . '&revoked=true')), $keys[2]{status}{token_id},
       'its token is revoked';
    refuses call($authority, $edge, 'GET', $path), 404, 'API_KEY_NOT_FOUND',
            'GET';

    is call($authority, $edge, 'GET', KEYS . "/$keys[0]{metadata}{id}")
           ->{json}{status}{oper_status}, 'revoked', 'status: oper_status';
};


subtest 'list' => sub {
    my $names = sub {
        my ($query, $bearer) = @_;
        my $reply = call($authority, $bearer // $edge, 'GET', KEYS . $query);

        return $reply->{status} if $reply->{status} != 200;
        return join ' ', sort map { $_->{spec}{name} // '-' }
                              @{ $reply->{json}{api_keys} };
    };

    make({ user_id => 'dev.patel', org_id => 'riverton-library', name => "d-$_",
           label => $_ % 2 ? 'odd' : 'even', expiry => at(1000 * $_),
           scopes => ["urn:agilicus:app:catalogue:$_"] }) for 1 .. 4;

    my $q = '?user_id=dev.patel';

    is $names->($q), 'd-1 d-2 d-3 d-4', 'of a user';
    is $names->("$q&org_id=riverton"), '', 'of another organisation';
    is $names->("$q&label=odd"), 'd-1 d-3', 'by label';
    is $names->('?name=d-2'), 'd-2', 'by name';
    is $names->("$q&valid_at=now"), 'd-1 d-2 d-3 d-4', 'valid now';
    is $names->("$q&valid_at=" . at(2500)), 'd-3 d-4', 'valid later';
    is $names->("$q&scopes=%25Catalogue:1&scopes=%25:2"), 'd-1 d-2',
       'by scopes';
    is $names->("$q&api_key_op_status=revoked"), '', 'by status';
    is $names->("$q&not_api_key_op_status=revoked"), 'd-1 d-2 d-3 d-4',
       'by another status';
    is $names->('?api_key_op_status=disabled'), '-', 'disabled ones';
    is $names->('?api_key_op_status=expired'), '-', 'expired ones';
    is $names->("$q&page_at_created_date=None"), 'd-1 d-2 d-3 d-4',
       'the first page';
    is $names->("$q&page_at_created_date=" . at(60)), '', 'from a date on';
    is $names->("$q&sort_order=descending&page_at_created_date=" . at(-60)),
       '', 'until a date';
    is $names->('', scalar issue('sub=erin.walsh,org=riverton-water')), '-',
       'of the own organisation';

    is $names->($_), 400, $_ for '?limit=501', '?sort_order=up',
        '?valid_at=soon', '?page_at_created_date=soon';
    is $names->('', scalar issue('sub=ben.osei,org=riverton')), 403,
       'without the scope';

    my $reply = call($authority, $edge, 'GET', KEYS . "$q&limit=2")->{json};

    is $reply->{limit}, 2, 'the limit';
    is scalar @{ $reply->{api_keys} }, 2, 'rows';
    ok exists $reply->{page_at_created_date}, 'another page';
    ok !exists call($authority, $edge, 'GET', KEYS . $q)
                   ->{json}{page_at_created_date}, 'the last page';
};


subtest 'restart' => sub {
    stops $authority, 'SIGTERM';

    $data->{api_keys}[0]{disabled} = JSON::PP::true;
    $data->{api_keys}[3]{disabled} = JSON::PP::false;
    spew("$dir/keys.json", $json->encode($data));

    $authority = start(@options);

    is present($authority, $email, $seeded{disabled})->{status}, 200,
       'the seed enables a key';
    refuses present($authority, $email, $seeded{good}), 404,
            'API_KEY_DISABLED', 'and disables one';
    is present($authority, 'meter-gateway', $seeded{service})->{status}, 200,
       'the others are the same';

    push @{ $data->{api_keys} }, { key => $seeded{other}, org_id => 'riverton',
                                   user_id => 'ivy.brandt' };
    spew("$dir/bad.json", $json->encode($data));

    my ($rc, $out, $err) = run('--db', $db, '--seed', "$dir/bad.json",
                               '--listen', '127.0.0.1:0');

    is $rc, 1, 'a key that is not permitted: refused';
    like $err, qr/api_keys\[5\]: the subject has no permission/, 'names it';

    my ($line) = grep { m{/introspect 200} }
                 reverse split /\n/, slurp("$dir/requests.log");

    like $line, qr{^POST /v1/api_keys/introspect 200 [\w-]{22}$},
         'the log has the jti';
};


stops $authority, 'the end';
is tokens_logged(), 0, 'no token and no key is in any log';

done_testing();
