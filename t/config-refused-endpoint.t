# What "nginx -t" refuses of the locations that answer by themselves, and of
# looking again at responses that run on.

use lib 't/lib';
use AgilicusTest;

plan tests => blocks() * 2;
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: nothing is looked at again every 999ms
--- config: agilicus_token_recheck 999ms;
--- must_die
--- error_log refused
invalid parameter "999ms" in "agilicus_token_recheck" directive, it must be a time, like "5s" (between 1s and 1d), or "off"



=== TEST 2: nothing is looked at again every 0
--- config: agilicus_token_recheck 0;
--- must_die
--- error_log refused
invalid parameter "0" in "agilicus_token_recheck" directive, it must be a time, like "5s" (between 1s and 1d), or "off"



=== TEST 3: "recheck" is a time
--- config: agilicus_token_recheck often;
--- must_die
--- error_log refused
invalid parameter "often" in "agilicus_token_recheck" directive, it must be a time, like "5s" (between 1s and 1d), or "off"



=== TEST 4: "recheck" stands once in a place
--- config: agilicus_token_recheck off; agilicus_token_recheck off;
--- must_die
--- error_log refused
"agilicus_token_recheck" directive is duplicate



=== TEST 5: what runs on is looked at again
--- config: agilicus_token_recheck 86401s;
--- must_die
--- error_log refused
invalid parameter "86401s" in "agilicus_token_recheck" directive, it must be a time, like "5s" (between 1s and 1d), or "off"



=== TEST 6: "revoke" belongs into a location
--- config: agilicus_token_revoke;
--- must_die
--- error_log refused
"agilicus_token_revoke" directive is not allowed here



=== TEST 7: "revoke" knows one parameter
--- config: location /r { agilicus_token_revoke all; }
--- must_die
--- error_log refused
invalid parameter "all" in "agilicus_token_revoke" directive, it must be "all_sessions"



=== TEST 8: "revoke" takes one
--- config: location /r { agilicus_token_revoke all_sessions all_sessions; }
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_revoke" directive



=== TEST 9: "revoke" stands once in a place
--- config: location /r { agilicus_token_revoke all_sessions; agilicus_token_revoke; }
--- must_die
--- error_log refused
"agilicus_token_revoke" directive is duplicate



=== TEST 10: "revocation_hook" belongs into a location
--- config: agilicus_token_revocation_hook;
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" directive is not allowed here



=== TEST 11: "revocation_hook" knows one parameter
--- config: location /r { agilicus_token_revocation_hook all; }
--- must_die
--- error_log refused
invalid parameter "all" in "agilicus_token_revocation_hook" directive, it must be "trusted"



=== TEST 12: "revocation_hook" takes one
--- config: location /r { agilicus_token_revocation_hook trusted trusted; }
--- must_die
--- error_log refused
invalid number of arguments in "agilicus_token_revocation_hook" directive



=== TEST 13: "revocation_hook" stands once in a place
--- config: location /r { agilicus_token_revocation_hook trusted; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" directive is duplicate



=== TEST 14: a hook is not for everybody
--- config: location /r { agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 15: a hook is not for any token
--- config: location /r { agilicus_token on; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 16: a hook is not protected by a report
--- config: location /r { agilicus_token report; agilicus_token_require_scopes a; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 17: a hook is not protected under "satisfy any"
--- config: location /r { satisfy any; agilicus_token on; agilicus_token_require_scopes a; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 18: signing out is not for what goes on to an application
--- config: location /r { agilicus_token_revoke; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log refused
"agilicus_token_revoke" answers by itself, so it does not go with another directive that answers, such as "proxy_pass": give it a location of its own



=== TEST 19: a location is not for signing out and for a hook
--- config: location /r { agilicus_token_revoke; agilicus_token_revocation_hook trusted; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" answers by itself, so it does not go with another directive that answers, such as "proxy_pass": give it a location of its own



=== TEST 20: a hook is not for what goes on to an application
--- config: location /r { agilicus_token_revocation_hook trusted; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" answers by itself, so it does not go with another directive that answers, such as "proxy_pass": give it a location of its own



=== TEST 21: "status" belongs into a location
--- config: agilicus_token_status;
--- must_die
--- error_log refused
"agilicus_token_status" directive is not allowed here



=== TEST 22: "status" has known parameters
--- config: location /s { agilicus_token_status all; }
--- must_die
--- error_log refused
invalid parameter "all" in "agilicus_token_status" directive, it must be "purge" or "trusted"



=== TEST 23: "status" has each parameter once
--- config: location /s { agilicus_token_status purge purge; }
--- must_die
--- error_log refused
duplicate parameter "purge" in "agilicus_token_status" directive



=== TEST 24: "status" stands once in a place
--- config: location /s { agilicus_token_status; agilicus_token_status; }
--- must_die
--- error_log refused
"agilicus_token_status" directive is duplicate



=== TEST 25: a purge is not for everybody
--- config: location /s { agilicus_token_status purge; }
--- must_die
--- error_log refused
"agilicus_token_status purge" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 26: nor is what shows the status
--- config: location /r { agilicus_token_status; proxy_pass http://127.0.0.1:1; }
--- must_die
--- error_log refused
"agilicus_token_status" answers by itself, so it does not go with another directive that answers, such as "proxy_pass": give it a location of its own



=== TEST 27: what two levels make wrong is where the directive stands
--- config: include $TEST_NGINX_HTML_DIR/inner.conf;
--- user_files
>>> inner.conf
location /a { agilicus_token on; }

location /b {
    location /b/c {
        agilicus_token_status purge;
    }
}
--- must_die
--- error_log eval
qr/\[emerg\] .* needs "agilicus_token on" .* in \S+\/inner\.conf:5$/



=== TEST 28: what a level makes weak, likewise
--- http_config: agilicus_token_api http://127.0.0.1:1;
--- config: include $TEST_NGINX_HTML_DIR/inner.conf;
--- user_files
>>> inner.conf
agilicus_token off;

location /a {
    agilicus_token report;
}
--- request: GET /t
--- error_code: 404
--- error_log eval
qr/\[warn\] .* "agilicus_token report" refuses nothing in \S+\/inner\.conf:3$/



=== TEST 29: a hook is not protected by a flag, which many tokens meet
--- config: location /r { agilicus_token on; agilicus_token_require_expiry on; agilicus_token_deny_masquerading on; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 30: a hook is not protected by what is optional
--- config: location /r { agilicus_token optional; agilicus_token_require_scopes a; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 31: nor is a purge
--- config: location /r { agilicus_token optional; agilicus_token_require_scopes a; agilicus_token_status purge; }
--- must_die
--- error_log refused
"agilicus_token_status purge" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means



=== TEST 32: a hook is not protected by a sign-in, which is not said to be whose
--- config: location /r { agilicus_token on; agilicus_token_require_mfa 5m; agilicus_token_revocation_hook; }
--- must_die
--- error_log refused
"agilicus_token_revocation_hook" needs "agilicus_token on" with a requirement such as "agilicus_token_require_scopes" and without "satisfy any", or the parameter "trusted" if it is protected by other means
