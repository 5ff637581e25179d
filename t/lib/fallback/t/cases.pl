# What blocks may say, rightly and wrongly, with the number of subtests that
# pass and fail: [ title, ok, not ok, block ].  Both the stand-in and the
# genuine library have to agree with this table.

use strict;
use warnings;

my $config = <<'EOC';
--- config
    location = /t {
        add_header X-One 1;
        add_header X-Two "a";
        add_header X-Two "b";
        return 200 "hello\n";
    }
    location = /echo { proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/e; }
    location = /e { return 200 "$request_method $content_type $http_x\n"; }
    location = /gone { return 410; }
    location = /long { return 200 "0123456789012345678901234567890123456789\n"; }
EOC

my $get = "--- request\nGET /t\n";

return (

[ 'nothing but a status', 1, 0, "$config$get" ],
[ 'status differs', 0, 1, "$config$get--- error_code: 404\n" ],
[ 'status', 1, 0, "$config--- request\nGET /gone\n--- error_code: 410\n" ],
[ 'default status', 0, 1, "$config--- request\nGET /gone\n" ],
[ 'error_code_like', 1, 0, "$config$get--- error_code_like: ^20[01]\$\n" ],
[ 'error_code_like differs', 0, 1, "$config$get--- error_code_like: ^4\n" ],

[ 'body', 2, 0, "$config$get--- response_body\nhello\n" ],
[ 'body differs', 1, 1, "$config$get--- response_body\nhullo\n" ],
[ 'body, no newline', 1, 1, "$config$get--- response_body chomp\nhello\n" ],
[ 'body, eval', 2, 0, "$config$get--- response_body eval\n\"hel\" . \"lo\\n\"\n" ],
[ 'body, inline eval', 2, 0, "$config$get--- response_body eval: qr/^hello/\n" ],
[ 'body, regex differs', 1, 1, "$config$get--- response_body eval: qr/^ello/\n" ],
[ 'body_like', 2, 0, "$config$get--- response_body_like: ^h.l+o\$\n" ],
[ 'body_like differs', 1, 1, "$config$get--- response_body_like: ^hullo\n" ],
[ 'body_unlike', 2, 0, "$config$get--- response_body_unlike: hullo\n" ],
[ 'body_unlike differs', 1, 1, "$config$get--- response_body_unlike: hello\n" ],
[ 'long body differs', 1, 1, "$config--- request\nGET /long\n--- response_body\n0123456789012345678901234567890123456780\n" ],
[ 'filtered body', 2, 0, "$config$get--- response_body_filters: uc\n--- response_body\nHELLO\n" ],

[ 'header', 2, 0, "$config$get--- response_headers\nX-One: 1\n" ],
[ 'two headers', 3, 0, "$config$get--- response_headers\nX-One: 1\nX-Two: a, b\n" ],
[ 'header differs', 1, 1, "$config$get--- response_headers\nX-One: 2\n" ],
[ 'header missing', 1, 1, "$config$get--- response_headers\nX-None: 2\n" ],
[ 'header absent', 2, 0, "$config$get--- response_headers\n! X-None\n" ],
[ 'header not absent', 1, 1, "$config$get--- response_headers\n! X-One\n" ],
[ 'header empty', 2, 0, "$config$get--- response_headers\nX-None:\n" ],
[ 'header like', 2, 0, "$config$get--- response_headers_like\nServer: nginx.*\n" ],
[ 'header like, whole', 1, 1, "$config$get--- response_headers_like\nServer: ngin\n" ],
[ 'raw headers like', 2, 0, "$config$get--- raw_response_headers_like: X-One: 1\\r\\n\n" ],
[ 'raw headers like differs', 1, 1, "$config$get--- raw_response_headers_like: X-One: 2\\r\\n\n" ],
[ 'raw headers unlike', 2, 0, "$config$get--- raw_response_headers_unlike: X-One: 2\\r\\n\n" ],
[ 'raw headers unlike differs', 1, 1, "$config$get--- raw_response_headers_unlike: X-One: 1\\r\\n\n" ],

[ 'error_log', 3, 0, "$config$get--- error_log\nhttp header: \"Host: localhost\"\nhttp process request line\n" ],
[ 'error_log missing', 2, 1, "$config$get--- error_log\nno such line\nhttp process request line\n" ],
[ 'error_log regex', 3, 0, "$config$get--- error_log eval\n[qr/http he.der/, 'http process']\n" ],
[ 'error_log regex missing', 1, 1, "$config$get--- error_log eval\nqr/^no such line/\n" ],
[ 'no_error_log', 3, 0, "$config$get--- no_error_log\n[error]\n[alert]\n" ],
[ 'no_error_log found', 2, 1, "$config$get--- no_error_log\n[error]\nhttp process request line\n" ],
[ 'grep_error_log', 2, 0, "$config$get--- grep_error_log eval: qr/http header: \"Host: \\w+/\n--- grep_error_log_out\nhttp header: \"Host: localhost\n" ],
[ 'grep_error_log differs', 1, 1, "$config$get--- grep_error_log eval: qr/http header: \"Host: \\w+/\n--- grep_error_log_out\nhttp header: \"Host: other\n" ],
[ 'grep_error_log chop', 2, 0, "$config$get--- grep_error_log chop\nhttp header: \"Host: localhost\"\n--- grep_error_log_out\nhttp header: \"Host: localhost\"\n" ],
[ 'access_log', 3, 0, "$config$get--- access_log\nGET /t\n--- no_access_log\nGET /x\n" ],
[ 'access_log differs', 1, 2, "$config$get--- access_log\nGET /x\n--- no_access_log\nGET /t\n" ],

[ 'requests', 4, 0, "$config--- request eval\n['GET /t', 'GET /gone']\n--- error_code eval: [200, 410]\n--- response_body_like eval\n['hello', '410 Gone']\n" ],
[ 'requests, second differs', 3, 1, "$config--- request eval\n['GET /t', 'GET /gone']\n--- error_code eval: [200, 410]\n--- response_body_like eval\n['hello', 'hello']\n" ],
[ 'requests, log of each', 6, 0, "$config--- request eval\n['GET /t', 'GET /t?a']\n--- error_log\nhttp process request line\n--- no_error_log\n[error]\n" ],
[ 'requests, log of one', 3, 1, "$config--- request eval\n['GET /t', 'GET /t?a']\n--- error_log eval\nqr/http args: \"a\"/\n" ],
[ 'headers of each request', 4, 0, "$config--- request eval\n['GET /e', 'GET /e']\n--- more_headers eval\n[\"X: 1\", \"X: 2\"]\n--- response_body eval\n[\"GET  1\\n\", \"GET  2\\n\"]\n" ],
[ 'response headers of each', 4, 0, "$config--- request eval\n['GET /t', 'GET /e']\n--- response_headers eval\n[\"X-One: 1\", \"! X-One\"]\n" ],

[ 'POST', 2, 0, "$config--- request\nPOST /echo\na=b\n--- more_headers\nX: y\nContent-Type: a/b\n--- response_body\nPOST a/b y\n" ],
[ 'comments and blanks', 2, 0, "$config--- request\n# a comment\n\n  GET /t\n--- response_body\nhello\n" ],
[ 'HTTP/1.0', 2, 0, "$config--- request\nGET /t HTTP/1.0\n--- response_body\nhello\n" ],
[ 'HEAD', 2, 0, "$config--- request\nHEAD /t\n--- response_body\n" ],
[ 'packets', 2, 0, "$config--- request eval\n[[\"POST /echo\\na=\", \"b\"]]\n--- response_body\nPOST  \n" ],
[ 'packets with a pause', 2, 0, "$config--- request eval\n[[\"POST /echo\\na=\", {value => \"bcd\", delay_before => 0.02}]]\n--- response_body\nPOST  \n" ],
[ 'chunked request', 2, 0, "$config--- request eval\n\"POST /echo\\n3\\r\\nabc\\r\\n0\\r\\n\\r\\n\"\n--- more_headers\nTransfer-Encoding: chunked\n--- response_body\nPOST  \n" ],
[ 'raw request', 2, 0, "$config--- raw_request eval\n\"GET /t HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n\"\n--- response_body\nhello\n" ],
[ 'raw request in pieces', 2, 0, "$config--- raw_request eval\n[\"GET /t HT\", \"TP/1.0\\r\\n\\r\\n\"]\n--- raw_request_middle_delay: 0.02\n--- response_body\nhello\n" ],
[ 'nonsense', 1, 0, "$config--- raw_request eval\n\"nonsense\\r\\n\\r\\n\"\n--- error_code: 400\n" ],
[ 'pipelined', 4, 0, "$config--- pipelined_requests eval\n['GET /t', 'GET /e']\n--- response_body eval\n[\"hello\\n\", \"GET  \\n\"]\n" ],
[ 'pipelined, log of each', 6, 0, "$config--- pipelined_requests eval\n['GET /t', 'GET /e']\n--- response_body eval\n[\"hello\\n\", \"GET  \\n\"]\n--- no_error_log\n[error]\n" ],
[ 'pipelined, second differs', 3, 1, "$config--- pipelined_requests eval\n['GET /t', 'GET /e']\n--- response_body eval\n[\"hello\\n\", \"hello\\n\"]\n" ],
[ 'HTTP/0.9', 2, 0, "$config--- raw_request eval\n\"GET /t\\r\\n\"\n--- http09\n--- response_body\nhello\n" ],

[ 'ignore_response', 1, 0, "$config$get--- ignore_response\n--- error_code: 500\n--- response_body: x\n--- no_error_log\n[error]\n" ],
[ 'timeout', 0, 2, "--- config\n    location = /t { proxy_pass http://127.0.0.1:\$TEST_NGINX_RAND_PORT_1; }\n--- tcp_listen: \$TEST_NGINX_RAND_PORT_1\n--- tcp_reply: x\n--- tcp_reply_delay: 1\n$get--- timeout: 0.1\n" ],
[ 'abort', 1, 0, "--- config\n    location = /t { proxy_pass http://127.0.0.1:\$TEST_NGINX_RAND_PORT_1; }\n--- tcp_listen: \$TEST_NGINX_RAND_PORT_1\n--- tcp_reply: x\n--- tcp_reply_delay: 1\n$get--- timeout: 0.1\n--- abort\n--- ignore_response\n--- wait: 0.1\n--- error_log\nprematurely closed connection\n" ],

[ 'mock', 4, 0, "--- config\n    location = /t { proxy_pass http://127.0.0.1:\$TEST_NGINX_RAND_PORT_1; proxy_set_header Host x; }\n--- tcp_listen: \$TEST_NGINX_RAND_PORT_1\n--- tcp_reply eval: \"HTTP/1.0 200 OK\\r\\n\\r\\nmocked\"\n--- tcp_query eval: qr/^GET \\/t HTTP/\n--- tcp_query_len: 47\n$get--- response_body chomp\nmocked\n" ],
[ 'mock, query differs', 2, 2, "--- config\n    location = /t { proxy_pass http://127.0.0.1:\$TEST_NGINX_RAND_PORT_1; }\n--- tcp_listen: \$TEST_NGINX_RAND_PORT_1\n--- tcp_reply eval: sub { [\"HTTP/1.0 200 OK\\r\\n\\r\\n\", \"mocked\"] }\n--- tcp_query: GET /x\n--- tcp_query_len: 3\n$get--- response_body chomp\nmocked\n" ],

[ 'must_die', 2, 0, "--- config\n    bogus;\n$get--- must_die\n--- error_log\nunknown directive \"bogus\"\n" ],
[ 'must_die, exit code', 1, 0, "--- config\n    bogus;\n--- must_die: 1\n" ],
[ 'must_die, wrong code', 0, 1, "--- config\n    bogus;\n--- must_die: 3\n" ],
[ 'must_die, lives', 0, 1, "$config--- must_die\n" ],
[ 'must_die, other reason', 1, 1, "--- config\n    bogus;\n--- must_die\n--- error_log\nother reason\n" ],
[ 'must_die, no error', 1, 1, "--- config\n    bogus;\n--- must_die\n--- no_error_log\nbogus\n" ],

[ 'skip_eval', 3, 0, "--- config\n    bogus;\n$get--- skip_eval: 3: 1\n--- error_code: 404\n" ],
[ 'skip_eval, not', 1, 0, "$config$get--- skip_eval: 3: 0\n" ],
[ 'skip_nginx', 2, 0, "--- config\n    bogus;\n$get--- skip_nginx: 2: > 0.5.0\n" ],
[ 'skip_nginx, not', 1, 0, "$config$get--- skip_nginx: 2: < 0.5.0\n" ],
[ 'skip_nginx2', 2, 0, "--- config\n    bogus;\n$get--- skip_nginx2: 2: > 0.5.0 and < 9.0.0\n" ],
[ 'todo', 2, 0, "$config$get--- todo: 2: later\n" ],
[ 'SKIP', 0, 0, "$config$get--- SKIP\n" ],

[ 'user_files', 4, 0, "--- config\n--- user_files\n>>> a.txt\none\n>>> sub/b.txt 199801171935.33\ntwo\n--- request eval\n['GET /a.txt', 'GET /sub/b.txt']\n--- response_body eval\n[\"one\\n\", \"two\\n\"]\n" ],
[ 'user_files, structure', 3, 0, "--- config\n--- user_files eval\n[[\"b.txt\" => \"two\", \"199801171935.33\"]]\n--- request\nGET /b.txt\n--- response_headers\nLast-Modified: Sat, 17 Jan 1998 19:35:33 GMT\n--- response_body: two\n" ],
[ 'root location', 2, 0, "--- config\n--- request\nGET /\n--- response_body_like: It works\n" ],
[ 'init', 2, 0, "$config--- init\n\$ENV{TEST_NGINX_INIT} = 'hello';\n$get--- response_body\n\$TEST_NGINX_INIT\n" ],
[ 'http_config, main_config', 2, 0, "--- main_config\nenv FOO=bar;\n--- http_config\n    map \$uri \$foo { default mapped; }\n--- config\n    location = /t { return 200 \$foo; }\n$get--- response_body: mapped\n" ],
[ 'post_main_config', 1, 0, "--- post_main_config\nworker_rlimit_core 0;\n$config$get" ],
[ 'server_name', 2, 0, "--- server_name: one.example\n--- config\n    location = /t { return 200 \$server_name; }\n$get--- response_body: one.example\n" ],
[ 'log_level', 2, 0, "$config$get--- log_level: warn\n--- no_error_log\nhttp process request line\n" ],
[ 'shutdown', 2, 0, "--- config\n    location = /t { return 200 ok; }\n$get--- shutdown: 1\n--- response_body: ok\n" ],
[ 'previous config', 2, 0, "$get--- response_body: ok\n" ],
[ 'json sorted', 2, 0, "--- config\n    location = /t { return 200 '{\"b\":1,\"a\":2}'; }\n$get--- response_body_json_sort\n--- response_body\n{\"a\":2,\"b\":1}\n" ],
[ 'chunk missing', 0, 3, "--- config\n    location = /t { proxy_pass http://127.0.0.1:\$TEST_NGINX_RAND_PORT_1; }\n--- tcp_listen: \$TEST_NGINX_RAND_PORT_1\n--- tcp_reply eval: \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhel\"\n--- request\nGET /t\n--- response_body chomp\nhel\n" ],
[ 'udp', 1, 0, "--- http_config\n    resolver 127.0.0.1:\$TEST_NGINX_RAND_PORT_2 ipv6=off;\n    resolver_timeout 100ms;\n--- config\n    location = /t { set \$a no.example; proxy_pass http://\$a; }\n--- udp_listen: \$TEST_NGINX_RAND_PORT_2\n--- udp_reply: nonsense\n$get--- error_code: 502\n" ],
[ 'shutdown_error_log', 2, 0, "$config$get--- shutdown_error_log\nexit\n" ],
[ 'shutdown_error_log, not', 1, 1, "$config$get--- no_shutdown_error_log\nexit\n" ],
[ 'the last one', 1, 0, "$config$get" ],

);
