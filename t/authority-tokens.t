#!/usr/bin/perl

# The operations of agilicus-authority on a token: introspect, revoke, reissue
# and create, validations and scopes.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw/decode_base64url encode_base64url/;
use POSIX qw/strftime/;
use Test::More;
use Time::HiRes qw/time/;

use lib 't/lib';

use Authority;


my $authority = start('--request-log', "$dir/requests.log");


subtest 'introspect: an active token' => sub {
    my $token = issue('sub=chloe.tremblay,org=riverton-water,jti=active-1,'
                      . 'session=lab,duration=10m');
    my $reply = introspect($authority, $token);
    my $facts = $reply->{json};

    is $reply->{status}, 200, 'status 200';
    is $reply->{headers}{'content-type'}, JSON_TYPE, 'is JSON';
    is $reply->{headers}{'cache-control'}, 'no-store', 'is not to be stored';

    is $facts->{sub}, 'chloe.tremblay', 'sub';
    is $facts->{sub_email}, 'chloe.tremblay@water.riverton.example',
       'sub_email';
    is $facts->{org}, 'riverton-water', 'org';
    is $facts->{root_org}, 'riverton', 'root_org';
    is $facts->{jti}, 'active-1', 'jti';
    is $facts->{session}, 'lab', 'session';
    like $facts->{iat}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'iat';
    is $facts->{exp}, strftime('%Y-%m-%dT%H:%M:%SZ',
                               gmtime(payload($token)->{exp})), 'exp';
    is_deeply $facts->{aud}, ['urn:api:agilicus:gateway',
        'urn:api:agilicus:users', 'urn:api:agilicus:applications'], 'aud';
    is_deeply $facts->{scopes}, ['urn:agilicus:users:viewer',
        'urn:agilicus:app:meters:technician', 'urn:agilicus:app:files:*'],
        'scopes';
    is_deeply $facts->{roles}, { meters => ['reader', 'technician'],
        files => ['editor'], reports => ['viewer'] }, 'roles';

    my %hosts = map { $_->{upstream_host} => $_ } @{ $facts->{hosts} };

    is_deeply [sort keys %hosts], ['files.water.riverton.example',
        'meters.water.riverton.example', 'reports.riverton.example'], 'hosts';

    my $meters = $hosts{'meters.water.riverton.example'};

    is $meters->{app_id}, 'meters', 'app_id';
    is $meters->{admin_org_id}, 'riverton-water', 'admin_org_id';
    is @{ $meters->{allowed_list} }, 3, 'the rules of both roles';
    is_deeply $hosts{'reports.riverton.example'}{allowed_list}[0]
        {query_parameters}, [{ name => 'department',
        exact_match => 'riverton-water' }, { name => 'year' }],
        'a rule is rendered for the organisation';

    for my $absent (qw/creating_sub creating_org masquerading revoked updated
                       refresh_token_jti active/)
    {
        ok !exists $facts->{$absent}, "no $absent";
    }

    my $clerk = facts($authority, issue('sub=ben.osei,org=riverton'));
    my ($permits) = grep { $_->{app_id} eq 'permits' } @{ $clerk->{hosts} };

    is $permits->{allowed_list}[1]{body}{json}[0]{exact_match}, 'ben.osei',
       'a rule is rendered for the subject';

    my $never = facts($authority,
                      issue('sub=ben.osei,org=riverton,never=1'));

    is $never->{sub}, 'ben.osei', 'never: active';
    ok !exists $never->{exp}, 'never: no exp';
};


subtest 'introspect: options' => sub {
    my $token = issue('sub=farid.nasser,org=riverton-water');

    my $facts = facts($authority, $token, exclude_roles => JSON::PP::true);

    is $facts->{sub}, 'farid.nasser', 'exclude_roles: active';
    ok !exists $facts->{roles}, 'exclude_roles: no roles';
    is @{ $facts->{hosts} }, 1, 'exclude_roles: hosts stay';

    $facts = facts($authority, $token,
                   support_http_matchers => JSON::PP::true);

    is $facts->{hosts}[0]{allowed_list}[0]{matchers}{matchers}[0]
        {extractor_name}, 'meter_id', 'matchers where they are supported';

    for my $options ([], [support_http_matchers => JSON::PP::false]) {
        $facts = facts($authority, $token, @$options);
        my $rule = $facts->{hosts}[0]{allowed_list}[0];

        ok !exists $rule->{matchers}, 'else none';
        is_deeply $rule->{template_paths}, [
            { template => '/meters/4711/readings',
              prefix => JSON::PP::false },
            { template => '/meters/4712/readings',
              prefix => JSON::PP::false },
        ], 'but exact matches';
    }

    my %fine = (no_cache => JSON::PP::true, from_the_future => 1,
        exclude_roles => undef,
        target_org_info => { target_orgs => ['a', 'b'],
                             target_domain => 'app1.example.com' });

    is status($authority, $token, %fine), 200, 'the others are tolerated';

    my @bad = (
        [exclude_roles => 'yes'], [support_http_matchers => 1],
        [no_cache => []], [target_org_info => 'org'],
        [target_org_info => { target_orgs => 'a' }],
        [target_org_info => { target_orgs => [1] }],
        [target_org_info => { target_domain => {} }],
    );

    for my $case (@bad) {
        refuses introspect($authority, $token, @$case), 400,
                'INVALID_REQUEST', 'option ' . $json->encode({ @$case });
    }

    refuses post($authority, '/introspect',
                 { token => $token, introspect_options => 'all' }), 400,
            'INVALID_REQUEST', 'options that are no object';
};


# rules that cannot be said without matchers must not come without them

subtest 'introspect: matchers as exact matches' => sub {
    my $template = sub {
        return { template => $_[0], prefix => JSON::PP::false };
    };
    my $matcher = sub {
        my ($name, $criteria, %more) = @_;

        return { extractor_name => $name, inverted => JSON::PP::false,
                 criteria => $criteria, %more };
    };
    my $equals = sub {
        return { operator => 'equals', match_literal => $_[0] };
    };

    my @cases = (
        ['a number', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->(7)])], ['/a/7']],
        ['or of criteria', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('x'), $equals->('y')],
                     join_operation => 'or')], ['/a/x', '/a/y']],
        ['two names', [$template->('/a/{id}/{no}')],
         [$matcher->('id', [$equals->('x')]),
          $matcher->('no', [{ operator => 'in', match_literal => [1, 2] }])],
         ['/a/x/1', '/a/x/2']],
        ['and of criteria', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('x'), $equals->('y')])], undef],
        ['inverted', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('x')], inverted => JSON::PP::true)],
         undef],
        ['another operator', [$template->('/a/{id}')],
         [$matcher->('id', [{ operator => 'not_equals',
                              match_literal => 'x' }])], undef],
        ['two extractors', [$template->('/a/{id}')],
         [$matcher->('id', [{ operator => 'equals', match_literal => 'x',
                              match_extractor => 'no' }])], undef],
        ['no criteria', [$template->('/a/{id}')],
         [$matcher->('id', [])], undef],
        ['a name that one template lacks',
         [$template->('/a/{id}'), $template->('/b')],
         [$matcher->('id', [$equals->('x')])], undef],
        ['a literal with a slash', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('x/y')])], undef],
        ['an empty literal', [$template->('/a/{id}')],
         [$matcher->('id', [$equals->('')])], undef],
        ['too many', [$template->('/a/{id}')],
         [$matcher->('id', [{ operator => 'in',
                              match_literal => [1 .. 300] }])], undef],
    );

    for my $case (@cases) {
        my ($what, $templates, $matchers, $expected) = @$case;

        my $hosts = [{ upstream_host => 'h', allowed_list => [{
            methods => ['get'], template_paths => $templates,
            matchers => { matchers => $matchers },
        }] }];

        my $token = issue('force=1,sub=x,org=riverton,hosts='
            . spew("$dir/hosts.json", $json->encode($hosts)));
        my $list = facts($authority, $token)->{hosts}[0]{allowed_list};

        is_deeply [map { $_->{template} } map { @{ $_->{template_paths} } }
                   @$list], $expected // [], $what;
    }
};


subtest 'introspect: a token that is not active' => sub {
    my $token = issue('sub=ben.osei,org=riverton');
    my ($header, $claims, $signature) = split /\./, $token;

    refuses introspect($authority,
                       issue('sub=ben.osei,org=riverton,revoked=1')),
            410, 'TOKEN_REVOKED', 'revoked';
    refuses introspect($authority, issue('sub=ben.osei,org=riverton,'
                                         . 'revoked=1,exp=-5s')),
            410, 'TOKEN_REVOKED', 'revoked, and expired since';
    refuses introspect($authority, issue('sub=ben.osei,org=riverton,exp=-1s')),
            404, 'TOKEN_NOT_FOUND', 'expired';
    refuses introspect($authority,
                       issue('sub=ben.osei,org=riverton,nbf=+1h')),
            404, 'TOKEN_NOT_FOUND', 'not yet valid';
    refuses introspect($authority, issue('sub=ben.osei,org=riverton',
                                         '--db', "$dir/other.db")),
            404, 'TOKEN_NOT_FOUND', 'of another authority';

    my $mine = payload($token);
    my %forged = (
        'other claims' => [$header,
            encode_base64url($json->encode({ %$mine, sub => 'amelia.hart' })),
            $signature],
        'alg none' => [encode_base64url('{"alg":"none","typ":"JWT"}'), $claims,
                       $signature],
        'alg HS256' => [encode_base64url('{"alg":"HS256"}'), $claims,
                        $signature],
        'a signature of zeros' => [$header, $claims,
                                   encode_base64url("\0" x 64)],
        'a short signature' => [$header, $claims, encode_base64url('x' x 63)],
        'a long signature' => [$header, $claims, encode_base64url('x' x 65)],
    );

    for my $what (sort keys %forged) {
        refuses introspect($authority, join('.', @{ $forged{$what} })),
                404, 'TOKEN_NOT_FOUND', $what;
    }

    # ECDSA: with (r, s), (r, n - s) is a good signature, too

    my $twin = encode_base64url(negate(decode_base64url($signature)));

    refuses introspect($authority, "$header.$claims.$twin"),
            404, 'TOKEN_NOT_FOUND', 'another spelling of the signature';

    my %malformed = (
        'garbage' => 'garbage', 'two parts' => 'a.b',
        'four parts' => "$token.x", 'empty parts' => '..',
        'no signature' => "$header.$claims.", 'padding' => "$token=",
        'a foreign character' => "$header.$claims.$signature ",
        'no JSON' => 'YQ.YQ.YQ',
        'no jti' => join('.', $header, encode_base64url('{"sub":"x"}'),
                         $signature),
        'a jti that is a number' => join('.', $header,
                                         encode_base64url('{"jti":1}'),
                                         $signature),
        'bits left over' => "$header.$claims." . odd($signature),
        'letters of another language' => "\x{fc}ber.\x{fc}ber.\x{fc}ber",
    );

    for my $what (sort keys %malformed) {
        refuses introspect($authority, $malformed{$what}), 400,
                'INVALID_TOKEN', $what;
    }

    refuses introspect($authority, 'x' x 8193), 400, 'INVALID_REQUEST',
            'too long';
    refuses introspect($authority, ''), 400, 'INVALID_REQUEST', 'empty';

    is status($authority, $token), 200, 'the good one is good all the same';
};


# the last character of a signature has four bits that mean nothing

sub odd {
    my ($text) = @_;

    my $last = chop $text;

    return $text . chr(1 + ord $last);
}


# n - s for the order n of P-256, on the second half of a signature

sub negate {
    my ($signature) = @_;

    my @n = unpack 'C*', pack 'H*', 'ffffffff00000000ffffffffffffffff'
                                    . 'bce6faada7179e84f3b9cac2fc632551';
    my @s = unpack 'C*', substr $signature, 32;
    my ($borrow, @result) = (0);

    for my $i (reverse 0 .. 31) {
        my $digit = $n[$i] - $s[$i] - $borrow;

        $borrow = $digit < 0 ? 1 : 0;
        unshift @result, $digit + 256 * $borrow;
    }

    return substr($signature, 0, 32) . pack 'C*', @result;
}


subtest 'introspect: special tokens' => sub {
    my $facts = facts($authority, issue('sub=ben.osei,org=riverton,'
                                        . 'masquerading=1,creator=hugo.lind'));

    ok $facts->{masquerading}, 'masquerading';
    is $facts->{creating_sub}, 'hugo.lind', 'creating_sub';
    ok !exists $facts->{creating_org}, 'no creating_org where it is the same';

    $facts = facts($authority, issue('sub=farid.nasser,org=riverton-water,'
                                     . 'creator=edge'));

    is $facts->{creating_org}, 'riverton', 'creating_org where it is another';

    $facts = facts($authority, issue('sub=ben.osei,org=riverton,refresh=1'));

    like $facts->{refresh_token_jti}, qr/^[\w-]{22}$/, 'refresh token';

    $facts = facts($authority, issue('sub=ben.osei,org=riverton,'
        . 'roles=permits:clerk,scopes=urn:agilicus:users:viewer+openid?+x?'));

    is_deeply $facts->{roles}, { permits => ['clerk'] }, 'some roles only';
    is_deeply [map { $_->{app_id} } @{ $facts->{hosts} }], ['permits'],
              'and only their hosts';
    is_deeply $facts->{scopes}, ['urn:agilicus:users:viewer', 'openid'],
              'some scopes only, optional ones where permitted';

    $facts = facts($authority,
                   issue('sub=ben.osei,org=riverton,scopes='));

    is_deeply $facts->{scopes}, [], 'no scopes';

    $facts = facts($authority, issue('force=1,sub=ghost,org=nowhere,'
                                     . 'scopes=a+b?,roles=app:one+app:two'));

    is $facts->{sub}, 'ghost', 'forced: any subject';
    is_deeply $facts->{scopes}, ['a', 'b?'], 'forced: any scope, as spelled';
    is_deeply $facts->{roles}, { app => ['one', 'two'] }, 'forced: any role';
    is_deeply $facts->{hosts}, [], 'forced: no hosts that it could have';

    is status($authority, issue('force=1,sub=ivy.brandt,org=riverton')), 200,
       'forced: a disabled subject';
};


subtest 'revoke' => sub {
    my ($one, $two) = issue('sub=ben.osei,org=riverton', '--issue-count', 2);

    my $reply = post($authority, '/revoke', { token => $one });

    is $reply->{status}, 204, 'status 204';
    is $reply->{content}, '', 'no body';
    is status($authority, $one), 410, 'is revoked';
    is status($authority, $two), 200, 'another one is not';

    my %others = (
        'revoked before' => $one, 'garbage' => 'garbage',
        'expired' => scalar issue('sub=ben.osei,org=riverton,exp=-5s'),
        'of another authority' => scalar issue('sub=ben.osei,org=riverton',
                                               '--db', "$dir/other.db"),
    );

    for my $what (sort keys %others) {
        is post($authority, '/revoke', { token => $others{$what} })->{status},
           204, "$what: 204";
    }

    is status($authority, $others{expired}), 410, 'expired: revoked all the same';

    refuses post($authority, '/revoke', {}), 400, 'INVALID_REQUEST',
            'no token';
    refuses post($authority, '/revoke', { token => 1 }), 400,
            'INVALID_REQUEST', 'a token that is a number';
    refuses post($authority, '/revoke', { token => $two,
                                          all_sessions => 'yes' }), 400,
            'INVALID_REQUEST', 'all_sessions that is a string';
    is status($authority, $two), 200, 'which revokes nothing';
};


subtest 'revoke: all sessions' => sub {
    my $one = issue('sub=dev.patel,org=riverton-library,session=day');
    my $two = issue('sub=dev.patel,org=riverton-library,session=day');
    my $three = issue('sub=dev.patel,org=riverton-east-branch,session=night');
    my $shared = issue('sub=grace.liu,org=riverton-east-branch,session=day');
    my $other = issue('sub=grace.liu,org=riverton-east-branch,session=home');
    my $old = issue('sub=dev.patel,org=riverton-library,exp=-5s');

    my $revoke = sub {
        return post($authority, '/revoke', { token => $_[0],
                    all_sessions => $_[1] ? JSON::PP::true
                                          : JSON::PP::false })->{status};
    };

    is $revoke->($old, 1), 204, 'by an expired token: 204';
    is status($authority, $one), 200, 'but it ends no session';

    is $revoke->($one, 0), 204, 'not all: 204';
    is status($authority, $two), 200, 'not all: only that token';

    is $revoke->($one, 1), 204, 'all, by one that is revoked: 204';
    is status($authority, $two), 410, 'another token of the session';
    is status($authority, $three), 410, 'another session of the subject';
    is status($authority, $shared), 410, 'somebody else in the session';
    is status($authority, $other), 200, 'but no other session of theirs';
};


subtest 'reissue' => sub {
    my $token = issue('sub=erin.walsh,org=riverton-water,session=desk,'
                      . 'aud=gate,duration=15m');
    my $before = facts($authority, $token);

    my $reply = post($authority, '/reissue', { token => $token,
                                               org_id => 'riverton' });

    is $reply->{status}, 200, 'status 200';
    is $reply->{json}{session}, 'desk', 'with its session';

    $spent{ $reply->{json}{token} } = 1;

    my $after = facts($authority, $reply->{json}{token});

    is $after->{org}, 'riverton', 'for the organisation';
    is $after->{sub}, 'erin.walsh', 'the same subject';
    isnt $after->{jti}, $before->{jti}, 'a new jti';
    is $after->{exp}, $before->{exp}, 'the same expiry';
    is $after->{session}, 'desk', 'the same session';
    is_deeply $after->{aud}, ['gate'], 'the same audience';
    is_deeply $after->{scopes}, ['urn:agilicus:app:reports:author'],
              'scopes of both: what the one had and the other permits';
    is_deeply $after->{roles}, { reports => ['author'] },
              'roles of the new organisation';
    is_deeply [map { $_->{upstream_host} } @{ $after->{hosts} }],
              ['reports.riverton.example'], 'hosts of the new organisation';
    is status($authority, $token), 200, 'the old one stays';

    my $again = post($authority, '/reissue', {
        token => $reply->{json}{token}, org_id => 'riverton-water' });

    is_deeply facts($authority, $again->{json}{token})->{scopes},
              ['urn:agilicus:app:reports:author'], 'scopes never grow again';

    my $same = post($authority, '/reissue', { token => $token,
                                              org_id => 'riverton-water' });

    is_deeply facts($authority, $same->{json}{token})->{scopes},
              $before->{scopes}, 'for the same organisation: the same scopes';

    my $few = issue('sub=erin.walsh,org=riverton-water,roles=reports:author');
    my $kept = post($authority, '/reissue', { token => $few,
                                              org_id => 'riverton-water' });

    is_deeply facts($authority, $kept->{json}{token})->{roles},
              { reports => ['author'] }, 'restrictions stay';

    my $never = post($authority, '/reissue', {
        token => scalar issue('sub=erin.walsh,org=riverton,never=1'),
        org_id => 'riverton-water' });

    ok !exists facts($authority, $never->{json}{token})->{exp},
       'without expiry, without expiry';

    my $spec = 'sub=erin.walsh,org=riverton-water';
    my %refused = (
        'no permission there' => [$token, 'riverton-library'],
        'no such organisation' => [$token, 'moon'],
        'revoked' => [scalar issue("$spec,revoked=1"), 'riverton'],
        'expired' => [scalar issue("$spec,exp=-1s"), 'riverton'],
        'garbage' => ['garbage', 'riverton'],
        'a refresh token' => [scalar issue("$spec,refresh=1"), 'riverton'],
        'masquerading' => [scalar issue("$spec,masquerading=1"), 'riverton'],
        'of a disabled subject' =>
            [scalar issue('force=1,sub=ivy.brandt,org=riverton'), 'riverton'],
    );

    for my $what (sort keys %refused) {
        my ($presented, $org) = @{ $refused{$what} };

        refuses post($authority, '/reissue', { token => $presented,
                                               org_id => $org }),
                400, 'INVALID_REQUEST', $what;
    }

    refuses post($authority, '/reissue', { token => $token }), 400,
            'INVALID_REQUEST', 'no organisation';
};


my $edge = issue('sub=edge,org=riverton');

sub create {
    my ($bearer, %members) = @_;

    my $reply = post($authority, '', {
        sub => 'chloe.tremblay', org => 'riverton-water',
        audiences => ['urn:api:agilicus:gateway'],
        time_validity => { duration => 600 }, %members,
    }, defined $bearer ? (Authorization => "Bearer $bearer") : ());

    for my $name (qw/token refresh_token/) {
        $spent{ $reply->{json}{$name} } = 1 if $reply->{json}{$name};
    }

    return $reply;
}


subtest 'create' => sub {
    my $reply = create($edge, scopes => ['urn:agilicus:users:viewer',
        'urn:agilicus:users:owner?', 'urn:agilicus:app:meters:technician?',
        'urn:agilicus:app:files:anything', 'urn:agilicus:users:viewer?'],
        roles => { meters => 'technician' });

    is $reply->{status}, 201, 'status 201';
    is $reply->{json}{time_validity}{duration}, 600, 'with its validity';
    ok !exists $reply->{json}{refresh_token}, 'without a refresh token';
    ok !exists $reply->{json}{user}, 'without a user';

    my $facts = facts($authority, $reply->{json}{token});

    is $facts->{sub}, 'chloe.tremblay', 'sub';
    is $facts->{session}, $reply->{json}{session}, 'session';
    is_deeply $facts->{aud}, ['urn:api:agilicus:gateway'], 'aud';
    is_deeply $facts->{scopes}, ['urn:agilicus:users:viewer',
        'urn:agilicus:app:meters:technician',
        'urn:agilicus:app:files:anything'],
        'scopes: as far as permitted, once, without "?"';
    is_deeply $facts->{roles}, { meters => ['technician'] }, 'roles';
    is $facts->{creating_sub}, 'edge', 'creating_sub';
    is $facts->{creating_org}, 'riverton', 'creating_org';
    ok !exists $facts->{masquerading}, 'a service account is no masquerade';
    isnt $facts->{session}, payload($edge)->{session},
         'and its session is not handed on';

    $reply = create($edge, create_refresh_token => JSON::PP::true,
                    get_user => JSON::PP::true);

    is_deeply $reply->{json}{user}, { id => 'chloe.tremblay',
        email => 'chloe.tremblay@water.riverton.example',
        first_name => "Chlo\x{e9}", last_name => 'Tremblay',
        full_name => "Chlo\x{e9} Tremblay",
        display_name => "Chlo\x{e9} Tremblay", org_id => 'riverton-water',
        type => 'user', enabled => JSON::PP::true,
        status => 'active' }, 'user';

    $facts = facts($authority, $reply->{json}{refresh_token});

    is $facts->{refresh_token_jti},
       facts($authority, $reply->{json}{token})->{jti}, 'refresh token';
    is $facts->{session}, $reply->{json}{session}, 'in the same session';
    is_deeply facts($authority, $reply->{json}{token})->{scopes}, [],
              'no scopes where none are asked for';

    my $soon = create($edge, token_validity => { start => at(3600),
                                                 duration => 60 });

    is $soon->{status}, 201, 'token_validity: start';
    is status($authority, $soon->{json}{token}), 404, 'which is not yet';

    my %validities = (
        'duration' => [{ duration => 120 }, 120],
        'end' => [{ end => at(300) }, 300],
        'end with offset' => [{ start => '2002-10-02T10:00:00-05:00',
                                end => at(240) }, 240],
    );

    for my $what (sort keys %validities) {
        my ($validity, $seconds) = @{ $validities{$what} };
        my $claims = payload(create($edge, token_validity => $validity)
                             ->{json}{token});

        ok abs($claims->{exp} - time - $seconds) <= 3,
           "token_validity: $what";
    }

    my $never = create($edge, token_validity =>
                       { does_not_expire => JSON::PP::true });

    ok !exists facts($authority, $never->{json}{token})->{exp},
       'token_validity: does_not_expire';
    ok !exists $never->{json}{time_validity}, 'and no time_validity';
};


subtest 'create: hosts' => sub {
    my $readings = { methods => ['get', 'post'], separate_query =>
        JSON::PP::true, template_paths => [{
            template => '/meters/{meter_id}/readings',
            prefix => JSON::PP::false }] };

    my $with = sub {
        my ($rules, $host) = @_;

        return create($edge, hosts => [{
            upstream_host => $host // 'meters.water.riverton.example',
            $rules ? (allowed_list => $rules) : () }]);
    };
    my $rules = sub {
        my ($reply) = @_;

        return facts($authority, $reply->{json}{token})->{hosts}[0]
               {allowed_list};
    };

    is_deeply $rules->($with->([$readings])), [$readings],
              'a rule that is permitted';
    is @{ $rules->($with->(undef)) }, 3, 'no rules: all that are permitted';

    my $fewer = { %$readings, methods => ['post'],
                  query_parameters => [{ name => 'unit',
                                         exact_match => 'm3' }] };

    is_deeply $rules->($with->([$fewer])), [$fewer],
              'a rule that is narrower';

    my %wider = (
        'another method' => { %$readings, methods => ['put'] },
        'any method' => { %$readings, methods => ['all'] },
        'paths, too' => { %$readings, paths => ['/.*'] },
        'another template' => { %$readings, template_paths => [{
            template => '/meters/{meter_id}/readings',
            prefix => JSON::PP::true }] },
        'no template' => { methods => ['get'] },
        'another reading of the query' => { %$readings,
            separate_query => JSON::PP::false },
    );

    for my $what (sort keys %wider) {
        refuses $with->([$wider{$what}]), 403, 'FORBIDDEN', $what;
    }

    refuses $with->([$readings], 'permits.riverton.example'), 403,
            'FORBIDDEN', 'another host';
    refuses $with->([{ %$readings, metods => ['get'] }]), 400,
            'INVALID_REQUEST', 'a member that no rule has';
};


subtest 'create: refused' => sub {
    my %permission = (
        'no such subject' => { sub => 'nobody' },
        'no such organisation' => { org => 'moon' },
        'not in that organisation' => { org => 'riverton-library' },
        'not in the bearer\'s organisation' => { org => 'northgate',
                                                 sub => 'farid.nasser' },
        'disabled' => { sub => 'ivy.brandt', org => 'riverton' },
        'a scope' => { scopes => ['urn:agilicus:users:owner'] },
        'a wildcard scope' => { scopes => ['urn:agilicus:*'] },
        'a role' => { roles => { meters => 'contractor' } },
        'an application' => { roles => { permits => 'owner' } },
    );

    for my $what (sort keys %permission) {
        refuses create($edge, %{ $permission{$what} }), 403, 'FORBIDDEN',
                $what;
    }

    my %requests = (
        'no sub' => { sub => undef }, 'sub is a number' => { sub => 5 },
        'no audiences' => { audiences => [] },
        'audiences is a string' => { audiences => 'a' },
        'no time_validity' => { time_validity => undef },
        'duration 0' => { time_validity => { duration => 0 } },
        'duration is a string' => { time_validity => { duration => '1' } },
        'duration of ages' => { time_validity => { duration => 1e12 } },
        'duration is a fraction' => { time_validity => { duration => 1.5 } },
        'scopes is a string' => { scopes => 'a' },
        'scope with a space' => { scopes => ['a b'] },
        'scope that is empty' => { scopes => [''] },
        'scope of 512 characters' => { scopes => ['x' x 512] },
        'roles is an array' => { roles => [] },
        'role is a number' => { roles => { a => 1 } },
        'end is no date' => { token_validity => { end => 'tomorrow' } },
        'end is past' => { token_validity => { end => at(-60) } },
        'end before start' => { token_validity => { start => at(600),
                                                    end => at(60) } },
        'session with a space' => { session => 'a b' },
        'get_user is a number' => { get_user => 1 },
    );

    for my $what (sort keys %requests) {
        refuses create($edge, %{ $requests{$what} }), 400, 'INVALID_REQUEST',
                $what;
    }

    my %bearers = (
        'none' => undef, 'garbage' => 'garbage',
        'revoked' => scalar issue('sub=edge,org=riverton,revoked=1'),
        'expired' => scalar issue('sub=edge,org=riverton,exp=-1s'),
        'a refresh token' => scalar issue('sub=edge,org=riverton,refresh=1'),
    );

    for my $what (sort keys %bearers) {
        my $reply = create($bearers{$what});

        refuses $reply, 401, 'UNAUTHORIZED', "bearer: $what";
        like $reply->{headers}{'www-authenticate'}, qr/^Bearer realm="/,
             "bearer: $what: challenge";
    }

    for my $header ("Basic $edge", "Bearer$edge", 'Bearer', 'Bearer ',
                    "Bearer $edge extra", "Bearer $edge,$edge")
    {
        is post($authority, '', '{}', Authorization => $header)->{status},
           401, 'not a bearer token';
    }

    is create($edge, sub => undef)->{status}, 400, 'BEARER in order: 400';
    is post($authority, '', '{}', Authorization => "bEARER   $edge")->{status},
       400, 'in any case, after any number of spaces';
    is post($authority, '', 'no JSON')->{status}, 401,
       'a request without a bearer learns nothing about the body';

    my %forbidden = (
        'no such scope' => 'sub=ben.osei,org=riverton',
        'scope only to list' => 'sub=joao.mendes,org=riverton',
        'scope not in the token' => 'sub=edge,org=riverton,scopes=',
        'masquerading' => 'sub=edge,org=riverton,masquerading=1',
    );

    for my $what (sort keys %forbidden) {
        refuses create(scalar issue($forbidden{$what})), 403, 'FORBIDDEN',
                "bearer: $what";
    }
};


subtest 'create: sessions' => sub {
    my $hugo = issue('sub=hugo.lind,org=riverton,session=support');

    my $reply = create($hugo, sub => 'ben.osei', org => 'riverton');
    my $facts = facts($authority, $reply->{json}{token});

    ok $facts->{masquerading}, 'a person for somebody else masquerades';
    is $facts->{creating_sub}, 'hugo.lind', 'creating_sub';
    is $facts->{session}, 'support', 'in the session of the creator';

    $reply = create($hugo, sub => 'ben.osei', org => 'riverton',
                    inherit_session => JSON::PP::false);
    isnt $reply->{json}{session}, 'support', 'inherit_session off: a new one';

    $reply = create($hugo, sub => 'hugo.lind', org => 'riverton');
    $facts = facts($authority, $reply->{json}{token});

    is $facts->{session}, 'support', 'for oneself: the same session';
    ok !exists $facts->{creating_sub}, 'for oneself: no creating_sub';
    ok !exists $facts->{masquerading}, 'for oneself: no masquerade';

    is create($edge, session => 'made-up')->{json}{session}, 'made-up',
       'a session by name';
    is create($edge, session => 'made-up')->{status}, 201, 'and again';

    refuses create($edge, session => 'made-up', sub => 'erin.walsh'), 403,
            'FORBIDDEN', 'a session of somebody else';

    is create($hugo, sub => 'ben.osei', org => 'riverton',
              session => 'support')->{status}, 201, 'or the creator\'s own';

    is post($authority, '/revoke', { token => $hugo,
                                     all_sessions => JSON::PP::true })
       ->{status}, 204, 'the session ends';
    is status($authority, $reply->{json}{token}), 410,
       'and tokens that were created in it';
};


subtest 'validations' => sub {
    my $validate = sub {
        my (%members) = @_;

        return post($authority, '/validations', {
            sub => 'chloe.tremblay', org => 'riverton-water',
            audiences => ['a'], time_validity => { duration => 60 }, %members,
        });
    };

    my $reply = $validate->(scopes => ['urn:agilicus:users:viewer?',
        'urn:agilicus:users:owner?'], extra => { a => [1] });

    is $reply->{status}, 200, 'no bearer is needed';
    is_deeply $reply->{json}, {
        sub => 'chloe.tremblay', org => 'riverton-water', audiences => ['a'],
        time_validity => { duration => 60 }, extra => { a => [1] },
        scopes => ['urn:agilicus:users:viewer?'],
    }, 'the request, less optional scopes that are not permitted';

    is_deeply $validate->()->{json}{scopes}, undef, 'no scopes, no scopes';

    refuses $validate->(scopes => ['urn:agilicus:users:owner']), 403,
            'FORBIDDEN', 'a scope';
    refuses $validate->(sub => 'nobody'), 403, 'FORBIDDEN', 'unknown subject';
    refuses $validate->(org => 'moon'), 403, 'FORBIDDEN',
            'unknown organisation';
    refuses $validate->(roles => { meters => 'contractor' }), 403,
            'FORBIDDEN', 'a role';
    refuses $validate->(audiences => 1), 400, 'INVALID_REQUEST', 'the request';
};


subtest 'scopes: wildcards' => sub {
    my %permitted = (
        'urn:agilicus:api:users:owner' => 1,
        'urn:agilicus:api:*:owner' => 1,
        'urn:agilicus:api:users:creator' => 0,
        'urn:agilicus:api:users:owner:more' => 0,
        'urn:agilicus:api:*' => 0,
        'urn:agilicus:api::owner' => 0,
        'urn:agilicus:app:permits:*' => 1,
        'urn:agilicus:app:permits' => 1,
        'urn:agilicus:app:*' => 1,
        'urn:agilicus:app' => 0,
        'urn:agilicus:app:' => 0,
        'URN:agilicus:users:owner' => 0,
        'urn:agilicus:users:owner' => 1,
        'openid' => 1,
        '*' => 0,
    );

    for my $scope (sort keys %permitted) {
        is post($authority, '/validations', {
            sub => 'amelia.hart', org => 'riverton-water', audiences => ['a'],
            time_validity => {}, scopes => [$scope],
        })->{status}, $permitted{$scope} ? 200 : 403, $scope;
    }
};


stops $authority, 'the end';
is tokens_logged(), 0, 'no token is in any log';

done_testing();
