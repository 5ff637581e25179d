#!/usr/bin/env python3
"""Random rulesets and requests, decided by the C matcher and by the model.

    rules_differential.py [--seed N] [--seconds N] [--verbose] PROGRAM

PROGRAM is rules_cli.  The result is TAP: a request that the matcher allows and
the model refuses is a failure, and so is a seed with which too few requests
are allowed for that to mean anything.  What the matcher refuses although the
model allows it, and what it refuses for another reason, is counted.
"""

import argparse
import json
import random
import subprocess
import sys
import time

import rules_model

HOSTS = ["example.com", "Example.COM:8080", "example.com.", "b.test",
         "[::1]:443", "*.example.com", "x y", "", "sub.example.com", "a..b"]

SEGMENTS = ["a", "b", "api", "API", "v1", "1", "42", "-7", "007", "x.y",
            "é", "a b", "a+b", "...", "a;x", "admin", "public", "~", "a%b",
            "€uro", "9223372036854775808"]

NAMES = ["id", "guid", "x", "port", "id"]

PARAMETERS = ["a", "b", "name", "a.b", "a[b]", "A", "x y", "é"]

VALUES = ["", "1", "ok", "a b", "a+b", "é", "x=y", "&", "%41", "a;b"]


class Program:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, letter, parts):
        lengths = " ".join(str(len(part)) for part in parts)
        self.process.stdin.write(("%s %s\n" % (letter, lengths)).encode()
                                 + b"".join(parts))
        self.process.stdin.flush()
        return self.process.stdout.readline().decode().split()

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def one(self, things):
        return self.random.choice(things)

    def some(self, make, most):
        return [make() for _ in range(self.random.randint(0, most))]

    # requests, most of them close to a rule

    def path(self):
        path = "".join("/" + self.one(SEGMENTS)
                       for _ in range(self.random.randint(1, 4)))
        return path + "/" if self.chance(10) else path

    def raw_path(self, path):
        raw = b""
        for byte in path.encode():
            plain = chr(byte)
            if plain == "/":
                raw += b"/" if self.chance(99) else b"%2f"
            elif plain.isascii() and (plain.isalnum() or plain in "-._~;+"):
                raw += plain.encode() if self.chance(95) else b"%%%02x" % byte
            else:
                raw += b"%%%02X" % byte

        if self.chance(6):
            raw += self.one([b"/..", b"/../a", b"/./a", b"//a", b"%00", b"\\",
                             b"/..;x/a", b"%252e", b"%zz", b"%", b"%c0%ae",
                             b"/;x", b"/;x/a", b"%3fa", b"/..%20",
                             b"/.%20%20;x/a", b"/...%20", b";x", b";x/a",
                             b"#a", b"%5c", b"/.",
                             b"%25zz", b"\xff", b"%e2%82", b"/...", b"/.a"])
        return raw

    def query(self, rules):
        pieces = []

        for rule in rules:
            parameters = rule.get("query_parameters")
            if not isinstance(parameters, list):
                continue
            for parameter in parameters:
                if not self.chance(85) or not isinstance(parameter, dict):
                    continue
                value = parameter.get("exact_match")
                if not isinstance(value, str) or self.chance(10):
                    value = self.one(VALUES)
                pieces.append(self.parameter(parameter.get("name") or "",
                                             value))

        while self.chance(25):
            pieces.append(self.parameter(self.one(PARAMETERS),
                                         self.one(VALUES)))
        if self.chance(10):
            pieces.append(self.one(["/admin", "/public", "a", "a%", "=1",
                                    "a%00=1", "a[]=2", "a=1;b=2", "", "+a=3",
                                    "a[=1", "%20a=2", "x_y=1", "a%2=1"]))

        self.random.shuffle(pieces)
        return self.one("&&&&&&&&;").join(pieces).encode()

    def parameter(self, name, value):
        def escape(text):
            escaped = ""
            for byte in text.encode():
                plain = chr(byte)
                if plain.isascii() and plain.isalnum() and self.chance(97):
                    escaped += plain
                elif plain in "[].;+" and self.chance(30):
                    escaped += plain
                elif plain == " " and self.chance(20):
                    escaped += "+"
                else:
                    escaped += "%%%02x" % byte
            return escaped

        return escape(str(name)) + ("=" + escape(value) if value
                                    or self.chance(80) else "")

    def request(self, token):
        hosts = [host for host in token["hosts"] or []
                 if isinstance(host, dict)]
        host = self.one(hosts) if hosts else {}
        rules = host.get("allowed_list")
        rules = [rule for rule in rules if isinstance(rule, dict)] \
            if isinstance(rules, list) else []
        rule = self.one(rules) if rules else {}

        path = self.path()
        if isinstance(rule.get("template_paths"), list) and self.chance(70):
            path = self.filled(rule["template_paths"]) or path
        elif isinstance(rule.get("paths"), list) and self.chance(80):
            path = self.matching(rule["paths"]) or path

        query = self.query([rule] if self.chance(80) else rules)
        body = self.body(rule) if self.chance(80) else None

        methods = rule.get("methods")
        method = self.one(methods) if isinstance(methods, list) and methods \
            and self.chance(90) else "all"
        if method == "all":
            method = self.one(rules_model.METHODS + ["foo_bar"])
        method = str(method).upper() if self.chance(97) else str(method)

        name = host.get("upstream_host")
        name = str(name) if self.chance(95) else self.one(HOSTS)

        return {
            "host": name.encode("utf-8", "replace"),
            "method": method.encode(),
            "path": self.raw_path(path),
            "query": query,
            "has_query": bool(query) or self.chance(4),
            "body": body,
            "search": self.chance(30),
        }

    def filled(self, templates):
        template = self.one(templates) if templates else None
        if not isinstance(template, dict):
            return None
        text = str(template.get("template"))
        for name in NAMES:
            while "{%s}" % name in text:
                text = text.replace("{%s}" % name, self.one(SEGMENTS), 1)
        if self.chance(15):
            text += self.one(["/", "/x", "x", "/a/b"])
        return text if text.startswith("/") else "/" + text

    def matching(self, paths):
        pattern = self.one(paths) if paths else None
        if not isinstance(pattern, str):
            return None
        text = pattern.strip("^$").replace("\\", "")
        for part, choices in (("[^/]+", SEGMENTS), (".*", ["", "x", "/a"]),
                              ("[0-9]+", ["1", "42"]), ("(a|b)", ["a", "b"]),
                              ("(/.*)?", ["", "/x"]), ("(?.*)?", [""]),
                              ("(?i)", [""]), (".+", ["x", "a/b"])):
            while part in text:
                text = text.replace(part, self.one(choices), 1)
        text = text.split("?")[0]
        return text if text.startswith("/") else "/" + text

    def body(self, rule):
        document = {}
        constraints = (rule.get("body") or {})
        constraints = constraints.get("json") if isinstance(constraints,
                                                            dict) else None

        if not isinstance(constraints, list):
            constraints = []

        for constraint in constraints:
            if not isinstance(constraint, dict):
                continue
            value = constraint.get("exact_match")
            if value is None or self.chance(15):
                value = self.one(["", "1", "ok", 1, True, None, ["ok"]])
            steps = str(constraint.get("pointer"))[1:].split("/")
            place = document
            for step in steps[:-1]:
                step = step.replace("~1", "/").replace("~0", "~")
                place = place.setdefault(step, {})
                if not isinstance(place, dict):
                    break
            else:
                step = steps[-1].replace("~1", "/").replace("~0", "~")
                place[step] = value
                if self.chance(8):
                    place[step.upper()] = "evil"
            if self.chance(10):
                document = [document]
                break

        text = json.dumps(document, ensure_ascii=self.chance(50)).encode()
        if self.chance(5):
            text = self.one([b"", b"[", text[:-1], text + b" x", b'"ok"',
                             b'{"a":1,"a":1}', b"\xef\xbb\xbf" + text])
        return text

    # rules

    def pattern(self):
        path = self.path()
        literal = "".join("\\" + c if c in ".+*?()[]{}|^$\\" else c
                          for c in path)
        if self.chance(40):
            return self.one(["", "^"]) + literal + self.one(["", "", "$",
                                                             ".*", ".*$"])
        first = literal.split("/")[1]
        return self.one([
            "/.*", ".*", ".+", "", "^", "$", "^$", "/", "^/.*$",
            "/" + first + "/[^/]+", "/" + first + "/.+",
            "/[^/]+/" + first, "/[^/]+/[^/]+", "/(a|b)/.*",
            "/" + first + "(/.*)?", literal + "(\\?.*)?",
            literal + "\\?.*", "/.*" + literal + "(\\?.*)?",
            ".*" + literal, ".*" + literal + ".*", "/[0-9]+",
            "(?i)" + literal, "(?i)/api/.*", literal[1:], "/a{2}", "/a?b",
            "/a|/b", "a|" + literal, "/a+", "/é*", "/[é€]", "/é+", "/\\w+",
            "/\\d+", "(", "[", "*a", "/a**", "\\", "a)", "/x)|(?:.*",
            "/(?=a).*", "/(?!admin).*", "(/a)+", "/([a-z])\\1*",
            "/[!-~]*/public", "/[\\w/?=&]*/admin", "/\\S*public",
        ])

    def template(self):
        text = ""
        for _ in range(self.random.randint(1, 4)):
            segment = self.one(SEGMENTS)
            if self.chance(55):
                segment = self.one(["", "", "", "a", "-"]) \
                    + "{%s}" % self.one(NAMES) + self.one(["", "", "", ".x"])
            text += "/" + segment
        if self.chance(5):
            text = self.one([text + "/", text[1:], "", "/", text + "{",
                             text + "}", text + "{}", "/{a}{b}", "/{{a}}",
                             "/{a/b}", "//", "/{id}/{id}"])
        template = {"template": text, "prefix": self.chance(35)}
        return self.spoil(template)

    def query_parameter(self):
        parameter = {"name": self.one(PARAMETERS)}
        if self.chance(85):
            parameter["exact_match"] = self.one(VALUES)
        if self.chance(8):
            parameter["match_type"] = self.one(["exact", "regex", None])
        return self.spoil(parameter)

    def constraint(self):
        constraint = {"name": "n", "pointer": self.one(
            ["/a", "/a/b", "/a~1b", "/m~0n", "/k", "/s", "/0/a", "/a/0", "/",
             "/é", "/K"])}
        if self.chance(5):
            constraint["pointer"] = self.one(["", "a", "/~", "/a~2"])
        if self.chance(85):
            constraint["exact_match"] = self.one(["", "1", "ok"])
        if self.chance(8):
            constraint["match_type"] = self.one(["string", "regex", None])
        return self.spoil(constraint)

    def criterion(self):
        operator = self.one(["equals", "not_equals", "greater_than",
                             "less_than", "in", "not_in", "undefined"])
        criterion = {"operator": operator}
        literals = SEGMENTS[:12] + [1, 42, -7, 0, 2**63 - 1]
        if operator in ("in", "not_in"):
            criterion["match_literal"] = self.some(
                lambda: self.one(literals), 3)
        elif operator != "undefined" and self.chance(75):
            criterion["match_literal"] = self.one(literals)
        elif operator != "undefined":
            criterion["match_extractor"] = self.one(NAMES)
        if self.chance(6):
            criterion["match_literal"] = self.one([None, True, 1.5, {}, [[]],
                                                   "a", ["a", None]])
        if self.chance(3):
            criterion["operator"] = self.one(["matches", "", None, "EQUALS"])
        return self.spoil(criterion)

    def matcher(self):
        matcher = {"extractor_name": self.one(NAMES[:3]),
                   "inverted": self.chance(30),
                   "criteria": [self.criterion()] + self.some(self.criterion,
                                                              1)}
        if self.chance(50):
            matcher["join_operation"] = self.one(["and", "or", "or"])
        if self.chance(4):
            matcher["criteria"] = self.one([[], None, {}])
        return self.spoil(matcher)

    def matchers(self):
        matchers = {"matchers": [self.matcher()] + self.some(self.matcher, 2)}
        if self.chance(50):
            matchers["join_operation"] = self.one(["and", "or", "or", "xor"])
        return self.spoil(matchers)

    def rule(self):
        rule = {"methods": [self.one(rules_model.METHODS[:5] + ["all"])
                            for _ in range(self.random.randint(1, 3))]}
        if self.chance(4):
            rule["methods"] = self.one([[], None, ["GET"], "get", ["foo"],
                                        [1], ["get", None], ["foo", "get"]])
        templated = self.chance(45)
        if templated:
            rule["template_paths"] = [self.template()] \
                + self.some(self.template, 2)
        if not templated or self.chance(20):
            rule["paths"] = [self.pattern()] + self.some(self.pattern, 2)
        if self.chance(30):
            rule["query_parameters"] = self.some(self.query_parameter, 2)
        if self.chance(20):
            rule["body"] = self.spoil({"json": self.some(self.constraint, 2)})
        if templated and self.chance(50):
            rule["matchers"] = self.matchers()
        if self.chance(55):
            rule["separate_query"] = self.chance(80)
        if self.chance(10):
            rule["resource_info"] = self.one([{}, None, {"x": 1}, "x", []])
        if self.chance(3):
            rule[self.one(["paths", "template_paths"])] = self.one([[], None])
        return self.spoil(rule)

    def spoil(self, thing):
        """Now and then, makes it something that is not understood."""

        if self.chance(2):
            thing[self.one(["priority", "negated", "Name", "x"])] = 1
        if self.chance(1) and thing:
            thing[self.one(list(thing))] = self.one([1, "x", [], {}, True,
                                                     None, [1]])
        return thing

    def token(self):
        hosts = []
        for _ in range(self.random.randint(1, 3)):
            host = {"upstream_host": self.one(HOSTS[:5] if self.chance(90)
                                              else HOSTS),
                    "allowed_list": [self.rule()] + self.some(self.rule, 2)}
            if self.chance(10):
                host["app_id"] = self.one(["a", None, 1])
            hosts.append(self.spoil(host))
        if self.chance(2):
            hosts = self.one([None, [], hosts + [1], hosts + [None]])
        return {"sub": "1", "hosts": hosts}


def show(token, request, verdict, model):
    print("# token   %s" % json.dumps(token))
    print("# request %s" % request)
    print("# matcher %s, model %s" % (verdict, model))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=6750)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("program")
    arguments = parser.parse_args()

    generator = Generator(arguments.seed)
    program = Program(arguments.program)
    end = time.monotonic() + arguments.seconds

    decided = allowed = wider = stricter = otherwise = 0
    reasons = {}

    while time.monotonic() < end and wider < 3:
        text = json.dumps(generator.token(),
                          ensure_ascii=generator.chance(50)).encode()
        program.ask("T", [text])
        token = rules_model.load(text)

        for _ in range(8):
            request = generator.request(token)
            flags = (b"q" if request["has_query"] else b"") \
                + (b"s" if request["search"] else b"") \
                + (b"b" if request["body"] is not None else b"")

            verdict = program.ask("R", [request["host"], request["method"],
                                        request["path"], request["query"],
                                        request["body"] or b"", flags])
            model = rules_model.decide(token, request)

            decided += 1
            allowed += verdict[0] == "allow"
            reason = verdict[1] if len(verdict) > 1 else "allowed"
            reasons[reason] = reasons.get(reason, 0) + 1

            if verdict[0] == "allow" and not model[0]:
                wider += 1
                show(token, request, verdict, model)
            elif verdict[0] != "allow" and model[0]:
                stricter += 1
                if arguments.verbose:
                    show(token, request, verdict, model)
            elif verdict[1:] != ([model[1]] if model[1] else []):
                otherwise += 1
                if arguments.verbose:
                    show(token, request, verdict, model)

    status = program.close()

    print("# seed %d: %d requests, %d allowed, %d refused that the model "
          "allows, %d for another reason"
          % (arguments.seed, decided, allowed, stricter, otherwise))
    print("# " + ", ".join("%s %d" % (reason, reasons[reason])
                           for reason in sorted(reasons)))

    tests = [
        (wider == 0, "nothing is allowed that the model refuses"),
        (allowed * 20 >= decided, "one request in twenty is allowed at least"),
        (status == 0, "the program ends well"),
    ]

    for number, (passed, name) in enumerate(tests, 1):
        print("%sok %d - %s" % ("" if passed else "not ", number, name))
    print("1..%d" % len(tests))

    return 0 if all(passed for passed, _ in tests) else 1


if __name__ == "__main__":
    sys.exit(main())
