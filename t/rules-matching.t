# "agilicus_token_rules on": what the rules that a token brings allow, seen
# from outside.  What the parts of a rule mean in detail is tested in unit/.

use lib 't/lib';
use AgilicusTest;
use MockAPI;

my $mock = MockAPI->start;
my $json = JSON::PP->new;
my $number = 0;

stop_with_tests($mock);
secrets('ruled-');
free_port('UPSTREAM_PORT');

# "--- rules" is the allowed_list of this host, "--- hosts" all hosts, "--- on"
# the parameters of the directive.  "--- answers" are lines of "method target
# status reason"; "--- headers" are sent with all of them.

allow_section($_) for qw(rules hosts on answers headers);

add_block_preprocessor(sub {
    my ($block) = @_;

    my ($rules, $hosts, $on, $headers, $config)
        = map { my $text = $block->$_; defined $text ? $text : '' }
              qw(rules hosts on headers config);
    my $token = 'ruled-' . ++$number;
    my (@requests, @codes, @answers);

    $hosts = qq([{"upstream_host":"localhost","allowed_list":[$rules]}])
        if $rules;
    $mock->script(tokens => {
        $token => { token => { hosts => $hosts ? $json->decode($hosts)
                                               : undef } },
    });

    $block->set_value(http_config => <<'EOC');
    server {
        listen 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
        location / { return 200 "$request_uri\n"; }
    }
    agilicus_token_api http://127.0.0.1:$TEST_NGINX_MOCK_PORT;
EOC
    $config = <<'EOC' if !length $config;
    agilicus_token on;
    agilicus_token_rules on ON;
    location ~ ^/ { UP; }
EOC
    $config =~ s/ on ON/ on $on/;
    $config =~ s{UP;}{proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT;}g;
    $block->set_value(config => <<'EOC' . $config);
    add_header X-Why "$agilicus_token_verdict/$agilicus_token_reason" always;
EOC

    for my $line (split /\n/, $block->answers) {
        my ($method, $target, $code, $reason) = split ' ', $line;

        push @requests, "$method $target";
        push @codes, $code;
        push @answers, 'X-Why: '
                       . ($code == 200 ? 'active/' : "forbidden/$reason");
    }

    chomp $headers;
    $headers = "$headers\n" if length $headers;

    $block->set_value(request => \@requests);
    $block->set_value(more_headers => "${headers}Authorization: Bearer $token")
        if !defined $block->more_headers;
    $block->set_value(error_code => \@codes);
    $block->set_value(response_headers => \@answers)
        if !defined $block->response_headers;
});

repeat_each(2);
plan tests => repeat_each() * (blocks() * 2 + 282);
no_shuffle();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a token without rules is refused, whatever its scopes say
--- answers
GET      /  403  rule
OPTIONS  /  403  rule



=== TEST 2: no hosts, and hosts without rules, allow nothing
--- hosts: []
--- answers
GET  /  403  rule



=== TEST 3: a host without rules allows nothing
--- hosts: [{"upstream_host":"localhost","allowed_list":[]}]
--- answers
GET  /  403  rule



=== TEST 4: rules of another host do not count
--- hosts: [{"upstream_host":"localhost.example","allowed_list":[{"methods":["all"],"paths":["/.*"]}]},{"upstream_host":"xlocalhost","allowed_list":[{"methods":["all"],"paths":["/.*"]}]}]
--- answers
GET  /  403  host



=== TEST 5: the rules of all entries for a host count
--- hosts: [{"upstream_host":"localhost","allowed_list":[{"methods":["get"],"paths":["/a"]}]},{"upstream_host":"LocalHost.","allowed_list":[{"methods":["get"],"paths":["/b"]}]}]
--- answers
GET  /a  200
GET  /b  200
GET  /c  403  path



=== TEST 6: the first challenge says nothing of rules
--- rules: {"methods":["get"],"paths":["/secret-path"]}
--- answers
GET  /t  403  path
--- response_headers
WWW-Authenticate: Bearer realm="agilicus", error="insufficient_scope"
Cache-Control: no-store
--- response_body_unlike: secret



=== TEST 7: one rule of several must match, and in all its parts
--- rules
{"methods":["get"],"paths":["/a"]},
{"methods":["put"],"paths":["/b"]},
{"methods":["get","delete"],"paths":["/c","/d"],"query_parameters":[{"name":"x","exact_match":"1"}],"separate_query":true}
--- answers
GET     /a      200
PUT     /a      403  path
PUT     /b      200
GET     /b      403  path
DELETE  /d?x=1  200
GET     /c?x=1  200
PUT     /c?x=1  403  path
GET     /c?x=2  403  query
GET     /c      403  query
POST    /a      403  method



=== TEST 8: a method is that method and no other
--- rules
{"methods":["get"],"paths":["/get"]},
{"methods":["head"],"paths":["/head"]},
{"methods":["POST"],"paths":["/upper"]},
{"methods":["options"],"paths":["/options"]},
{"methods":["patch","propfind","unlock"],"paths":["/several"]},
{"methods":[],"paths":["/none"]},
{"paths":["/absent"]},
{"methods":["brew"],"paths":["/unknown"]},
{"methods":["*"],"paths":["/star"]}
--- answers
GET       /get      200
HEAD      /get      403  path
HEAD      /head     200
GET       /head     403  path
POST      /upper    403  method
OPTIONS   /options  200
GET       /options  403  path
PATCH     /several  200
PROPFIND  /several  200
UNLOCK    /several  200
PROPPATCH /several  403  method
GET       /none     403  path
GET       /absent   403  path
BREW      /unknown  403  method
GET       /unknown  403  path
GET       /star     403  path



=== TEST 9: "all" is every method, also unknown ones
--- rules: {"methods":["all"],"paths":["/a"]}
--- answers
GET       /a  200
HEAD      /a  200
DELETE    /a  200
BREW      /a  200
FOO_BAR   /a  200
PROPPATCH /a  200



=== TEST 10: a method of another spelling is another method
--- rules: {"methods":["get","propfind"],"paths":["/a"]}
--- answers
GETX      /a  403  method
XGET      /a  403  method
PROPFINDX /a  403  method
G_ET      /a  403  method



=== TEST 11: other headers do not change the method, the path nor the host
--- rules: {"methods":["get"],"paths":["/a"]}
--- headers
X-HTTP-Method-Override: GET
X-HTTP-Method: GET
X-Method-Override: GET
X-Forwarded-Method: GET
X-Original-Method: GET
X-Original-URL: /a
X-Original-URI: /a
X-Rewrite-URL: /a
X-Forwarded-Uri: /a
X-Forwarded-Path: /a
X-Forwarded-Prefix: /a
X-Forwarded-Host: localhost
X-Host: localhost
X-Forwarded-Server: localhost
Forwarded: host=localhost;proto=https
Destination: http://localhost/a
--- answers
POST  /a  403  method
GET   /b  403  path
GET   /a  200



=== TEST 12: a path must match as a whole
--- rules: {"methods":["get"],"paths":["/a","/b/.*","^/c/[0-9]+$","/d|/e"]}
--- answers
GET  /a       200
GET  /a/      403  path
GET  /ab      403  path
GET  /A       403  path
GET  /x/a     403  path
GET  /b/      200
GET  /b/c/d   200
GET  /b       403  path
GET  /c/17    200
GET  /c/17x   403  path
GET  /x/c/17  403  path
GET  /e       200
GET  /e/x     403  path
GET  /dx      403  path



=== TEST 13: a path may match anywhere, where that is said
--- on: match=search
--- rules: {"methods":["get"],"paths":["/a","^/c/[0-9]+$","b$"]}
--- answers
GET  /a       200
GET  /ab      200
GET  /x/a/y   200
GET  /c/17    200
GET  /x/c/17  403  path
GET  /x/b     200
GET  /x/b/    403  path
GET  /x       403  path



=== TEST 14: the query is part of what a path matches, unless the rule says not
--- rules
{"methods":["get"],"paths":["/a"]},
{"methods":["get"],"paths":["/b"],"separate_query":true},
{"methods":["get"],"paths":["/c\\?x=[0-9]"],"separate_query":false},
{"methods":["get"],"paths":["/d.*"]}
--- answers
GET  /a        200
GET  /a?x      403  path
GET  /a?       403  path
GET  /b?x=1    200
GET  /b?       200
GET  /c?x=1    200
GET  /c?x=10   403  path
GET  /c        403  path
GET  /d?y      200



=== TEST 15: what stands in the query never stands in for the path
--- on: match=search
--- rules: {"methods":["get"],"paths":["/public"]},{"methods":["get"],"paths":["/also$"],"separate_query":true}
--- answers
GET  /public              200
GET  /public?x            200
GET  /secret?/public      403  path
GET  /secret?x=/public    403  path
GET  /secret/?y&/public   403  path
GET  /secret?/also        403  path
GET  /secret?x#/public    403  path



=== TEST 16: a template matches segments, and is a prefix where that is said
--- rules
{"methods":["get"],"template_paths":[{"template":"/c/{id}/d/{sub}","prefix":false}]},
{"methods":["get"],"template_paths":[{"template":"/p/{id}","prefix":true}]}
--- answers
GET  /c/1/d/2       200
GET  /c/%20/d/.x    200
GET  /c/1/d/2/      403  path
GET  /c/1/d/2/e     403  path
GET  /c/1/d/        403  path
GET  /c/1/2/d/3     403  path
GET  /C/1/d/2       403  path
GET  /p/1           200
GET  /p/1/e/f       200
GET  /p/            403  path
GET  /p             403  path
GET  /px/1          403  path
GET  /c/1/d/2?x     200
GET  /c/1/d/2?x=/y  403  path



=== TEST 17: paths and templates of a rule must both match
--- rules: {"methods":["get"],"paths":["/c/[0-9]+"],"template_paths":[{"template":"/c/{id}","prefix":false}],"separate_query":true}
--- answers
GET  /c/1    200
GET  /c/a    403  path
GET  /c/1?x  200



=== TEST 18: a rule without a path matches nothing
--- rules
{"methods":["all"]},
{"methods":["all"],"paths":[]},
{"methods":["all"],"paths":null},
{"methods":["all"],"paths":[],"template_paths":[{"template":"/","prefix":true}]},
{"methods":["all"],"template_paths":[]}
--- answers
GET  /  403  rule



=== TEST 19: a parameter must be there, each time with this value
--- rules: {"methods":["get"],"paths":["/a"],"separate_query":true,"query_parameters":[{"name":"x","exact_match":"a b"},{"name":"y"}]}
--- answers
GET  /a?x=a%20b&y          200
GET  /a?y=1&z=2&x=a%20b    200
GET  /a?x=a+b&y            403  query
GET  /a?x=a%20b            403  query
GET  /a?y                  403  query
GET  /a?x=a%20b&y&x=evil   403  query
GET  /a?x=evil&y&x=a%20b   403  query
GET  /a?x=a%20b&y&x        403  query
GET  /a?x=a%20b&y&%78=evil 403  query
GET  /a?X=a%20b&y          403  query
GET  /a?x=a%20b;y          403  query
GET  /a?x[]=a%20b&y        403  query
GET  /a?x=a%2520b&y        403  query
GET  /a?x=a%20b&y&z=%zz    200



=== TEST 20: an empty value is a value
--- rules: {"methods":["get"],"paths":["/a"],"separate_query":true,"query_parameters":[{"name":"x","exact_match":""}]}
--- answers
GET  /a?x=   200
GET  /a?x    200
GET  /a?x=1  403  query
GET  /a      403  query



=== TEST 21: a matcher goes by what the template has found
--- rules
{"methods":["get"],"template_paths":[{"template":"/c/{id}","prefix":true}],"separate_query":true,
 "matchers":{"matchers":[{"extractor_name":"id","inverted":false,"criteria":[{"operator":"in","match_literal":["one","two words"]}]}]}},
{"methods":["get"],"template_paths":[{"template":"/n/{a}/{b}","prefix":false}],
 "matchers":{"join_operation":"or","matchers":[{"extractor_name":"a","inverted":false,"criteria":[{"operator":"equals","match_extractor":"b"}]},
  {"extractor_name":"a","inverted":true,"criteria":[{"operator":"not_equals","match_literal":"any"}]}]}}
--- answers
GET  /c/one          200
GET  /c/one/more     200
GET  /c/two%20words  200
GET  /c/two          403  matcher
GET  /c/ONE          403  matcher
GET  /n/x/x          200
GET  /n/x/y          403  matcher
GET  /n/any/y        200



=== TEST 22: a matcher without a value to look at never holds, inverted or not
--- rules
{"methods":["get"],"paths":["/a"],"matchers":{"matchers":[{"extractor_name":"id","inverted":false,"criteria":[{"operator":"equals","match_literal":"x"}]}]}},
{"methods":["get"],"paths":["/a"],"matchers":{"matchers":[{"extractor_name":"id","inverted":true,"criteria":[{"operator":"equals","match_literal":"x"}]}]}},
{"methods":["get"],"paths":["/a"],"matchers":{"matchers":[{"extractor_name":"id","inverted":false,"criteria":[{"operator":"not_equals","match_literal":"x"}]}]}},
{"methods":["get"],"paths":["/a"],"matchers":{"matchers":[{"extractor_name":"id","inverted":false,"criteria":[{"operator":"not_in","match_literal":["x"]}]}]}},
{"methods":["get"],"paths":["/a"],"matchers":{"matchers":[]}}
--- answers
GET  /a  403  matcher



=== TEST 23: a rule with a member that is not known matches nothing
--- rules
{"methods":["get"],"paths":["/a"],"roles":["x"]},
{"methods":["get"],"paths":["/a"],"excluded_roles":null},
{"methods":["get"],"paths":["/a"],"actions":[{"action":"allow"}]},
{"methods":["get"],"template_paths":[{"template":"/a","prefix":false,"case":"x"}]},
{"methods":["get"],"paths":["/a"],"query_parameters":[{"name":"x","negated":true}]},
{"methods":["get"],"paths":["/a"],"query_parameters":[{"name":"x","exact_match":".*","match_type":"regex"}]},
{"methods":["get"],"paths":["/a"],"body":{"xml":[]}},
{"methods":["get"],"paths":["/a"],"matchers":{"matchers":[],"more":1}},
{"methods":["get"],"paths":["/b"],"resource_info":{"anything":"goes"}}
--- answers
GET  /a?x  403  path
GET  /a    403  path
GET  /b    200



=== TEST 24: so does one with a member of another type
--- rules
{"methods":"get","paths":["/a"]},
{"methods":["get"],"paths":"/a"},
{"methods":["get",1],"paths":["/a"]},
{"methods":["get"],"paths":["/a",1]},
{"methods":["get"],"paths":["/a"],"separate_query":"true"},
{"methods":["get"],"paths":["/a"],"query_parameters":{"name":"x"}},
{"methods":["get"],"template_paths":["/a"]},
{"methods":["get"],"template_paths":[{"template":"/a"}]},
{"methods":["get"],"paths":["/a"],"matchers":[]},
{"methods":["get"],"paths":["/a"],"body":[]},
"get /a", null, 1, [], {}
--- answers
GET  /a  403  rule



=== TEST 25: a host with a member that is not known allows nothing
--- hosts: [{"upstream_host":"localhost","denied_list":[],"allowed_list":[{"methods":["get"],"paths":["/a"]}]}]
--- answers
GET  /a  403  rule



=== TEST 26: a pattern that does not compile matches nothing, and harms no other
--- rules
{"methods":["get"],"paths":["/(a"]},
{"methods":["get"],"paths":["/[a"]},
{"methods":["get"],"paths":["/a{2,1}"]},
{"methods":["get"],"paths":["*"]},
{"methods":["get"],"paths":["/a(?C1)"]},
{"methods":["get"],"paths":["/(?R)?a"]},
{"methods":["get"],"paths":["/\\Ca"]},
{"methods":["get"],"paths":["(*NO_UTF_CHECK)/a"]},
{"methods":["get"],"paths":["/(b","/[b]"]}
--- answers
GET  /a   403  path
GET  /(a  403  path
GET  /b   200
GET  /c   403  path



=== TEST 27: the reason is how far the rule went that went furthest
--- rules
{"methods":["put"],"paths":["/a"],"query_parameters":[{"name":"x"}],"separate_query":true},
{"methods":["get"],"paths":["/b"]}
--- answers
GET     /a     403  path
PUT     /a     403  query
PUT     /a?x   200
DELETE  /a?x   403  method
PUT     /b     403  path



=== TEST 28: the rules may be those of another host than the request's
--- on: host=app.example
--- hosts: [{"upstream_host":"app.example","allowed_list":[{"methods":["get"],"paths":["/a"]}]},{"upstream_host":"localhost","allowed_list":[{"methods":["get"],"paths":["/b"]}]}]
--- answers
GET  /a  200
GET  /b  403  path



=== TEST 29: a host that came out empty has no rules
--- on: host=$arg_host
--- hosts: [{"upstream_host":"","allowed_list":[{"methods":["get"],"paths":["/.*"]}]},{"upstream_host":"localhost","allowed_list":[{"methods":["get"],"paths":["/.*"]}]}]
--- answers
GET  /a                    403  host
GET  /a?host=              403  host
GET  /a?host=localhost     200
GET  /a?host=LOCALHOST.    200
GET  /a?host=localhost:80  200
GET  /a?host=local         403  host



=== TEST 30: rules are those of the nearest level
--- config
    agilicus_token on;
    agilicus_token_rules on host=a.example;
    location ~ ^/t/a { UP; }
    location ~ ^/t/b {
        agilicus_token_rules on host=b.example;
        UP;
    }
    location ~ ^/t/off {
        agilicus_token_rules off;
        UP;
    }
    location ~ ^/t/search {
        agilicus_token_rules on match=search;
        UP;
    }
    location ~ ^/t/limited {
        agilicus_token_rules off;
        limit_except GET { agilicus_token_rules on host=b.example; }
        UP;
    }
--- hosts: [{"upstream_host":"a.example","allowed_list":[{"methods":["get"],"paths":["/t/a"]}]},{"upstream_host":"b.example","allowed_list":[{"methods":["get"],"paths":["/t/b"]}]},{"upstream_host":"localhost","allowed_list":[{"methods":["get"],"paths":["/t/sea"]}]}]
--- answers
GET     /t/a        200
GET     /t/aa       403  path
GET     /t/b        200
GET     /t/bb       403  path
GET     /t/off      200
GET     /t/search   200
GET     /t/limited  200
DELETE  /t/limited  403  method



=== TEST 31: a requirement that is not met comes first
--- config
    agilicus_token on;
    agilicus_token_rules on;
    agilicus_token_require_scopes more;
    location ~ ^/t { UP; }
--- rules: {"methods":["get"],"paths":["/t"]}
--- answers
GET  /t  403  scope
GET  /u  403  scope



=== TEST 32: rules see the client's path, and upstream may get another
--- config
    agilicus_token on;
    agilicus_token_rules on;
    location /from { rewrite ^ /to last; }
    location /to { UP; }
    location /replaced/ { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/secret/; }
    location /broken { rewrite ^ /secret break; UP; }
--- rules: {"methods":["get"],"paths":["/from","/replaced/a","/broken"]}
--- answers
GET  /from        200
GET  /to          403  path
GET  /replaced/a  200
GET  /secret/a    403  path
GET  /broken      200
GET  /secret      403  path



=== TEST 33: an internal redirect is judged by the client's path too
--- config
    agilicus_token on;
    agilicus_token_rules on;
    location /open { try_files /nowhere @named; }
    location @named { UP; }
    location /again { try_files /nowhere /elsewhere; }
    location /elsewhere { UP; }
--- rules: {"methods":["get"],"paths":["/open","/again"]}
--- answers
GET  /open       200
GET  /again      200
GET  /elsewhere  403  path
GET  /other      403  path
