"""The official Python SDK against agilicus-authority.

Starts an authority on a free loopback port, points the SDK at it, and calls
the six operations of the Tokens API. What comes back is checked as the SDK's
own types: the SDK refuses by itself an answer whose members have types that
the API's models do not have.

Usage: sdk_check.py AUTHORITY SEED
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time

import agilicus  # noqa: F401  (makes agilicus_api importable)
import agilicus_api
from agilicus_api.api import tokens_api
from agilicus_api.model.create_token_request import CreateTokenRequest
from agilicus_api.model.list_jwks import ListJWKS
from agilicus_api.model.list_tokens_response import ListTokensResponse
from agilicus_api.model.raw_token import RawToken
from agilicus_api.model.time_validity import TimeValidity
from agilicus_api.model.token import Token
from agilicus_api.model.token_introspect import TokenIntrospect
from agilicus_api.model.token_introspect_options import TokenIntrospectOptions
from agilicus_api.model.token_reissue_request import TokenReissueRequest
from agilicus_api.model.token_revoke import TokenRevoke
from agilicus_api.model.token_scope import TokenScope
from agilicus_api.model.token_validity import TokenValidity
from agilicus_api.model.user import User


class Results:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, condition, detail=""):
        if condition:
            self.passed += 1
            print("ok - %s" % what)
        else:
            self.failed += 1
            print("not ok - %s%s" % (what, detail and ": %s" % detail))


class Authority:
    """An authority of our own, for as long as the block lasts."""

    def __init__(self, binary, seed, folder):
        self.command = [binary, "--seed", seed,
                        "--db", os.path.join(folder, "authority.db")]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command + ["--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, text=True)

        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise SystemExit("sdk-check: the authority did not start")

        self.url = "http://" + line.split()[-1]
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(10)

    def issue(self, spec):
        return subprocess.run(self.command + ["--issue", spec], check=True,
                              capture_output=True, text=True).stdout.strip()

    def api(self, bearer=None):
        return tokens_api.TokensApi(agilicus_api.ApiClient(
            agilicus_api.Configuration(host=self.url, access_token=bearer)))


def failure(call, *arguments, **named):
    """The exception that a call raises: its status, and the ErrorMessage."""

    try:
        call(*arguments, **named)
    except agilicus_api.ApiException as error:
        return error.status, json.loads(error.body)

    return None, {}


def introspect(api, token, **options):
    if options:
        return api.create_introspect_token(TokenIntrospect(
            token=token,
            introspect_options=TokenIntrospectOptions(**options)))

    return api.create_introspect_token(TokenIntrospect(token=token))


def request(scopes=(), **members):
    values = {
        "sub": "chloe.tremblay",
        "org": "riverton-water",
        "audiences": ["urn:api:agilicus:gateway"],
        "time_validity": TimeValidity(duration=600),
    }
    values.update(members)

    if scopes:
        values["scopes"] = [TokenScope(scope) for scope in scopes]

    return CreateTokenRequest(**values)


def check_introspect(results, authority, api):
    token = authority.issue("sub=chloe.tremblay,org=riverton-water")

    facts = introspect(api, token)
    results.check("introspect gives a Token", isinstance(facts, Token))
    results.check("with the subject", facts.sub == "chloe.tremblay")
    results.check("with the e-mail address",
                  str(facts.sub_email) == "chloe.tremblay@water.riverton.example")
    results.check("with both organisations", facts.org == "riverton-water"
                  and facts.root_org == "riverton")
    results.check("with dates that are strings",
                  isinstance(facts.iat, str) and isinstance(facts.exp, str))
    results.check("with scopes", "urn:agilicus:users:viewer"
                  in [str(scope) for scope in facts.scopes])
    results.check("with roles", "technician" in facts.roles["meters"])
    results.check("with host rules", facts.hosts[0].upstream_host
                  == "meters.water.riverton.example"
                  and facts.hosts[0].allowed_list[0].template_paths[0].template
                  == "/meters/{meter_id}/readings")

    facts = introspect(api, token, exclude_roles=True, no_cache=True)
    results.check("without roles where they are excluded",
                  "roles" not in facts.to_dict())

    contractor = authority.issue("sub=farid.nasser,org=riverton-water")

    facts = introspect(api, contractor, support_http_matchers=True)
    results.check("with matchers where they are supported",
                  facts.hosts[0].allowed_list[0].matchers.matchers[0]
                  .extractor_name == "meter_id")

    facts = introspect(api, contractor, support_http_matchers=False)
    results.check("with exact matches where they are not",
                  [path.template for path
                   in facts.hosts[0].allowed_list[0].template_paths]
                  == ["/meters/4711/readings", "/meters/4712/readings"])

    never = introspect(api, authority.issue(
        "sub=chloe.tremblay,org=riverton-water,never=1"))
    results.check("without expiry for a token that has none",
                  "exp" not in never.to_dict())

    status, error = failure(introspect, api, authority.issue(
        "sub=chloe.tremblay,org=riverton-water,exp=-5s"))
    results.check("expired: 404 with an ErrorMessage",
                  status == 404 and error["error_code"], status)

    status, error = failure(introspect, api, "garbage")
    results.check("malformed: 400 with an ErrorMessage",
                  status == 400 and error["error_message"], status)


def check_revoke(results, authority, api):
    token = authority.issue("sub=ben.osei,org=riverton")

    results.check("revoke gives nothing",
                  api.create_revoke_token_task(TokenRevoke(token=token))
                  is None)
    results.check("revoke again is the same",
                  api.create_revoke_token_task(TokenRevoke(token=token))
                  is None)

    status, error = failure(introspect, api, token)
    results.check("revoked: 410 with an ErrorMessage",
                  status == 410 and error["error_code"] == "TOKEN_REVOKED",
                  status)

    tokens = [authority.issue("sub=ben.osei,org=riverton") for _ in range(2)]

    api.create_revoke_token_task(TokenRevoke(token=tokens[0],
                                             all_sessions=True))

    results.check("all_sessions revokes the subject's other tokens",
                  [failure(introspect, api, token)[0] for token in tokens]
                  == [410, 410])


def check_reissue(results, authority, api):
    token = authority.issue("sub=erin.walsh,org=riverton-water")

    raw = api.create_reissued_token(TokenReissueRequest(token=token,
                                                        org_id="riverton"))
    results.check("reissue gives a RawToken", isinstance(raw, RawToken))

    before, after = introspect(api, token), introspect(api, raw.token)
    results.check("for the organisation", after.org == "riverton")
    results.check("with a new jti", after.jti != before.jti)
    results.check("with the same expiry", after.exp == before.exp)
    results.check("with scopes no more than before",
                  {str(scope) for scope in after.scopes}
                  < {str(scope) for scope in before.scopes})

    status, error = failure(api.create_reissued_token, TokenReissueRequest(
        token=token, org_id="riverton-library"))
    results.check("no permission there: 400 with an ErrorMessage",
                  status == 400 and error["error_message"], status)

    status, _ = failure(api.create_reissued_token, TokenReissueRequest(
        token="garbage", org_id="riverton"))
    results.check("no token: 400", status == 400, status)


def check_create(results, authority, api):
    owner = authority.api(authority.issue("sub=edge,org=riverton"))

    raw = owner.create_token(request(
        scopes=["urn:agilicus:users:viewer", "urn:agilicus:users:owner?",
                "urn:agilicus:app:meters:technician?"],
        roles={"meters": "technician"}))
    results.check("create gives a RawToken", isinstance(raw, RawToken))
    results.check("with its validity", raw.time_validity.duration == 600)

    facts = introspect(api, raw.token)
    results.check("the token is active", facts.sub == "chloe.tremblay")
    results.check("with the session of the RawToken",
                  facts.session == raw.session)
    results.check("with who created it", facts.creating_sub == "edge"
                  and facts.creating_org == "riverton")
    results.check("with the scopes that are permitted, without \"?\"",
                  [str(scope) for scope in facts.scopes]
                  == ["urn:agilicus:users:viewer",
                      "urn:agilicus:app:meters:technician"])
    results.check("with no role but the one asked for",
                  facts.roles.to_dict() == {"meters": ["technician"]})

    raw = owner.create_token(request(
        create_refresh_token=True, get_user=True,
        token_validity=TokenValidity(does_not_expire=True)))
    results.check("create gives a User where asked",
                  isinstance(raw.user, User)
                  and raw.user.full_name == "Chlo\u00e9 Tremblay")

    facts = introspect(api, raw.token)
    results.check("create can make a token without expiry",
                  "exp" not in facts.to_dict())
    results.check("create can make a refresh token",
                  introspect(api, raw.refresh_token).refresh_token_jti
                  == facts.jti)

    status, error = failure(owner.create_token, request(
        scopes=["urn:agilicus:users:owner"]))
    results.check("a scope that is not permitted: 403 with an ErrorMessage",
                  status == 403 and error["error_message"], status)

    status, _ = failure(authority.api("garbage").create_token, request())
    results.check("no good bearer: 401", status == 401, status)

    status, _ = failure(authority.api(authority.issue(
        "sub=ben.osei,org=riverton")).create_token, request())
    results.check("a bearer without the scope: 403", status == 403, status)


def check_validations(results, api):
    echo = api.create_token_validation(request(
        scopes=["urn:agilicus:users:viewer", "urn:agilicus:users:owner?"]))
    results.check("validations gives a CreateTokenRequest",
                  isinstance(echo, CreateTokenRequest))
    results.check("less the optional scopes that are not permitted",
                  [str(scope) for scope in echo.scopes]
                  == ["urn:agilicus:users:viewer"])

    status, error = failure(api.create_token_validation, request(
        scopes=["urn:agilicus:users:owner"]))
    results.check("not permitted: 403 with an ErrorMessage",
                  status == 403 and error["error_message"], status)

    status, _ = failure(api.create_token_validation, request(sub="nobody"))
    results.check("unknown subject: 403", status == 403, status)


def check_list(results, authority, api):
    owner = authority.api(authority.issue("sub=edge,org=riverton"))
    token = authority.issue("sub=dev.patel,org=riverton-library,session=desk")

    authority.issue("sub=dev.patel,org=riverton-library")
    api.create_revoke_token_task(TokenRevoke(token=token))

    found = owner.list_tokens(sub="dev.patel")
    results.check("list gives a ListTokensResponse",
                  isinstance(found, ListTokensResponse))
    results.check("of Tokens, with its limit", found.limit == 100
                  and [type(item) for item in found.tokens] == [Token, Token])
    results.check("with revoked and updated",
                  sorted(item["revoked"] for item in found.tokens)
                  == [False, True]
                  and all(isinstance(item["updated"], datetime.datetime)
                          for item in found.tokens))

    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    found = owner.list_tokens(sub="dev.patel", revoked=True, session="desk",
                              org="riverton-library", exp_from=now,
                              exp_to="2999-01-01", iat_from="2020-01-01",
                              iat_to="2999-01-01 00:00:00", limit=10,
                              scopes=["urn:agilicus:APP:%", "no:such"])
    results.check("filtered by everything", len(found.tokens) == 1
                  and found.tokens[0].session == "desk")

    found = owner.list_tokens(jti=found.tokens[0].jti, revoked=False)
    results.check("filtered to nothing", found.tokens == [])

    status, error = failure(owner.list_tokens, iat_from="the other day")
    results.check("a date that is none: 400 with an ErrorMessage",
                  status == 400 and error["error_message"], status)

    status, _ = failure(api.list_tokens)
    results.check("no bearer: 401", status == 401, status)

    keys = api.get_jwks()
    results.check("the key set is one", isinstance(keys, ListJWKS)
                  and keys["keys"].value[0]["kty"] == "EC")


def main():
    binary, seed = sys.argv[1:]
    results = Results()

    with tempfile.TemporaryDirectory() as folder:
        with Authority(binary, seed, folder) as authority:
            api = authority.api()

            check_introspect(results, authority, api)
            check_revoke(results, authority, api)
            check_reissue(results, authority, api)
            check_create(results, authority, api)
            check_validations(results, api)
            check_list(results, authority, api)

            results.check("the authority is still there",
                          authority.process.poll() is None)

    print("%d passed, %d failed" % (results.passed, results.failed))

    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
