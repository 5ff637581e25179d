"""A model of the host rules: what the matcher in C must not allow more than.

It is written from the documentation of the rules, and shares nothing with the
C sources: it reads the JSON of a Token anew for each request, and prefers what
is plain to what is fast.  `decide()` returns whether the request is allowed,
and the reason if it is not.
"""

import json
import re
from urllib.parse import unquote_to_bytes

METHODS = ("get put post delete head options connect trace patch copy lock "
           "mkcol move propfind proppatch unlock").split()

STAGES = ["host", "method", "path", "query", "body", "matcher"]


class NotUnderstood(Exception):
    """What makes a rule one that never matches."""


class Duplicate(ValueError):
    pass


def unique(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Duplicate
    return dict(pairs)


def load(text):
    return json.loads(text.decode("utf-8"), object_pairs_hook=unique)


def decide(token, request):
    """token: what load() made of a Token; request: a dict, all of it bytes."""

    path = parse_path(request["path"])
    if path is None:
        return False, "path"

    hosts = [parse_host(host) for host in token.get("hosts") or []]
    hosts = [(name, rules) for name, rules in hosts if name and rules]

    if not hosts:
        return False, "rule"

    query = parse_query(request["query"]) if request["has_query"] else None
    if query is False:
        return False, "query"

    # some readers drop the parameters of a segment, so both must be allowed

    for reading in (path, re.sub(";[^/]*", "", path)):
        allowed, reason = decide_reading(hosts, request, path, reading, query)
        if not allowed:
            return False, reason

    return True, ""


def decide_reading(hosts, request, path, reading, query):
    stage = 0
    for name, rules in hosts:
        if name != plain_host(request["host"].decode("latin-1")):
            continue

        for rule in rules:
            failed = match(rule, request, path, reading, query)
            if failed is None:
                return True, ""
            stage = max(stage, STAGES.index(failed))

    return False, STAGES[stage]


# the request


def parse_path(raw):
    if not raw.startswith(b"/") or re.search(rb"[\x00-\x20\x7f\\?#]", raw):
        return None

    if re.search(rb"%(?![0-9A-Fa-f]{2})", raw):
        return None

    if re.search(rb"%([01].|7f|2f|5c|3f)", raw, re.I):
        return None

    path = unquote_to_bytes(raw)

    if re.search(rb"%[0-9a-f]{2}", path, re.I):
        return None

    try:
        path = path.decode("utf-8")
    except UnicodeDecodeError:
        return None

    segments = [segment.partition(";") for segment in path[1:].split("/")]

    for i, (name, semicolon, _) in enumerate(segments):
        if name.rstrip(" ") in (".", ".."):
            return None
        if name == "" and (semicolon or i < len(segments) - 1):
            return None

    return path


def parse_query(raw):
    if re.search(rb"[\x00-\x20\x7f#]", raw):
        return False

    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return False


def plain_host(host):
    host = re.sub(r":[0-9]*$", "", host)
    return (host[:-1] if host.endswith(".") else host).lower()


# the rules


def parse_host(host):
    try:
        only(host, "upstream_host app_id admin_org_id allowed_list")
        string(host, "app_id", optional=True)
        string(host, "admin_org_id", optional=True)
        name = plain_host(string(host, "upstream_host"))
        rules = array(host, "allowed_list")
    except NotUnderstood:
        return None, []

    label = r"[A-Za-z0-9_-]+"
    if (not re.fullmatch(r"%s(\.%s)*|\[[A-Za-z0-9:.]+\]" % (label, label),
                         name) or len(name) > 255):
        return None, []

    understood = []
    for rule in rules:
        try:
            understood.append(parse_rule(rule))
        except NotUnderstood:
            pass

    return name, understood


def parse_rule(rule):
    only(rule, "methods paths template_paths query_parameters body "
               "resource_info matchers separate_query")

    if not isinstance(rule.get("resource_info") or {}, dict):
        raise NotUnderstood
    if rule.get("resource_info") in (False, 0, "", []):
        raise NotUnderstood

    methods = array(rule, "methods")
    if not all(isinstance(method, str) for method in methods):
        raise NotUnderstood
    if not [method for method in methods if method in METHODS + ["all"]]:
        raise NotUnderstood

    paths = rule.get("paths")
    templates = rule.get("template_paths")

    if paths == [] or templates == [] or (paths is None and templates is None):
        raise NotUnderstood

    parsed = {
        "methods": methods,
        "separate": boolean(rule, "separate_query", optional=True),
        "paths": None if paths is None else
                 [check_string(path) for path in array(rule, "paths")],
        "templates": None if templates is None else
                     [parse_template(template)
                      for template in array(rule, "template_paths")],
        "query": [parse_parameter(parameter)
                  for parameter in array(rule, "query_parameters")],
        "body": [],
        "matchers": None,
    }

    if rule.get("body") is not None:
        only(rule["body"], "json")
        parsed["body"] = [parse_constraint(constraint)
                          for constraint in array(rule["body"], "json")]

    if rule.get("matchers") is not None:
        parsed["matchers"] = parse_matchers(rule["matchers"])

    return parsed


def parse_template(template):
    only(template, "template prefix")
    text = string(template, "template")
    prefix = boolean(template, "prefix")

    if not text.startswith("/"):
        raise NotUnderstood

    expression, names = "", []

    for segment in text[1:].split("/"):
        m = re.fullmatch(r"([^{}]*)(?:\{([^{}]+)\}([^{}]*))?", segment)
        if not m:
            raise NotUnderstood

        expression += "/" + re.escape(m[1])
        if m[2]:
            expression += "([^/]+)" + re.escape(m[3])
            names.append(m[2])

    if prefix:
        expression += ".*" if text.endswith("/") else "(?:/.*)?"

    return re.compile(expression, re.S), names


def parse_parameter(parameter):
    only(parameter, "name exact_match match_type")
    name = string(parameter, "name")

    if not name or string(parameter, "match_type", True) not in (None,
                                                                 "exact"):
        raise NotUnderstood

    return name, string(parameter, "exact_match", True)


def parse_constraint(constraint):
    only(constraint, "name exact_match match_type pointer")
    string(constraint, "name")
    pointer = string(constraint, "pointer")

    if string(constraint, "match_type", True) not in (None, "string"):
        raise NotUnderstood
    if not re.fullmatch(r"(/([^/~]|~[01])*)+", pointer, re.S):
        raise NotUnderstood

    return pointer, string(constraint, "exact_match", True)


def parse_matchers(matchers):
    only(matchers, "matchers join_operation")
    parsed = [parse_matcher(matcher) for matcher in array(matchers,
                                                          "matchers")]
    if not parsed:
        raise NotUnderstood
    return join_operation(matchers), parsed


def parse_matcher(matcher):
    only(matcher, "extractor_name inverted join_operation criteria")
    criteria = [parse_criterion(criterion)
                for criterion in array(matcher, "criteria")]
    if not criteria:
        raise NotUnderstood

    return (extractor(matcher, "extractor_name"),
            boolean(matcher, "inverted"), join_operation(matcher), criteria)


def parse_criterion(criterion):
    only(criterion, "operator match_literal match_extractor")
    operator = string(criterion, "operator")
    literal = criterion.get("match_literal")
    other = extractor(criterion, "match_extractor", optional=True)

    if operator == "undefined":
        if literal is not None or other is not None:
            raise NotUnderstood
        return operator, None, None

    if operator not in ("equals not_equals greater_than less_than in "
                        "not_in").split():
        raise NotUnderstood
    if (literal is None) == (other is None):
        raise NotUnderstood

    for value in literal if isinstance(literal, list) else [literal]:
        if other is None and (type(value) not in (int, str)):
            raise NotUnderstood

    return operator, literal, other


def join_operation(thing):
    operation = string(thing, "join_operation", True)
    if operation not in (None, "and", "or"):
        raise NotUnderstood
    return operation or "and"


def extractor(thing, name, optional=False):
    text = string(thing, name, optional)
    if text is not None and not 1 <= len(text.encode()) <= 32:
        raise NotUnderstood
    return text


def only(thing, names):
    if not isinstance(thing, dict) or set(thing) - set(names.split()):
        raise NotUnderstood


def check_string(value):
    if not isinstance(value, str):
        raise NotUnderstood
    return value


def string(thing, name, optional=False):
    value = thing.get(name)
    if value is None and optional:
        return None
    return check_string(value)


def boolean(thing, name, optional=False):
    value = thing.get(name)
    if value is None and optional:
        return False
    if not isinstance(value, bool):
        raise NotUnderstood
    return value


def array(thing, name):
    value = thing.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise NotUnderstood
    return value


# a rule and a request; each returns the part that failed, or None


def match(rule, request, original, path, query):
    method = request["method"].decode("latin-1")

    if not ("all" in rule["methods"]
            or (method.isupper() and method.lower() in rule["methods"]
                and method.lower() in METHODS)):
        return "method"

    whole = None
    if query is not None and not rule["separate"]:
        whole = path + "?" + query

    if rule["paths"] is not None and not any(
            match_path(pattern, request["search"], path, query, whole)
            or (not rule["separate"] and query is not None
                and match_named(pattern, request, original + "?" + query))
            or ((rule["separate"] or query is None)
                and match_named(pattern, request, original))
            for pattern in rule["paths"]):
        return "path"

    template = None
    if rule["templates"] is not None:
        for candidate in rule["templates"]:
            results = [candidate[0].fullmatch(text) is not None
                       for text in (path, whole) if text is not None]
            if all(results):
                template = candidate
                break
            if any(results) and rule["matchers"]:
                return "path"

        if template is None:
            return "path"

    for name, exact in rule["query"]:
        if query is None or not match_parameter(name, exact, query):
            return "query"

    if rule["matchers"] and not match_matchers(rule["matchers"], template,
                                               path, whole):
        return "matcher"

    if rule["body"] and not match_body(rule["body"], request):
        return "body"

    return None


def match_path(pattern, search, path, query, whole):
    if pattern.strip("^$") == "":
        return False

    try:
        compiled = re.compile(pattern, re.S | re.A)
    except (re.error, OverflowError, RecursionError):
        return False

    find = compiled.search if search else compiled.fullmatch

    if whole is None:
        return find(path) is not None

    if find(whole) is None:
        return False

    # what stands in the query does not stand in for the path

    return (find(path) is not None
            or not any(find(path + sign + query) for sign in "~>@"))


def match_named(pattern, request, text):
    """Whether this is the very path, with the parameters that it has."""

    m = re.fullmatch(r"\^?((?:\\[^0-9A-Za-z]|[^\\^$.|?*+()\[\]{}])+)\$?",
                     pattern, re.S)

    return (m is not None and not request["search"] and ";" in m[1]
            and re.sub(r"\\(.)", r"\1", m[1], flags=re.S) == text)


def match_parameter(name, exact, query):
    return all(match_reading(name, exact, re.split(separators, query), plus)
               for separators in ("&", "[&;]") for plus in ("+", " "))


def match_reading(name, exact, pieces, plus):
    found = False

    for piece in pieces:
        key, _, value = piece.partition("=")
        key, value = unescape(key, plus), unescape(value, plus)

        if key is None or b"%" in key:
            return False

        same = key == name.encode()

        if same or is_alike(key, name.encode()):
            if exact is not None and value != exact.encode():
                return False

        found = found or same

    return found


def unescape(text, plus):
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        return None
    return unquote_to_bytes(text.replace("+", plus).encode())


def is_alike(key, name):
    def fold(text):
        return re.sub(rb"[. +]", b"_", text).lower()

    key = key.split(b"\0")[0].lstrip(b" +")
    name = name.lstrip(b" ")

    if b"[" in name and fold(key) == fold(name.split(b"[")[0]):
        return True

    if fold(key[:len(name)]) != fold(name):
        return False

    return re.fullmatch(rb"[ +]*(\[.*)?", key[len(name):], re.S) is not None


def match_body(constraints, request):
    if request["body"] is None:
        return False

    try:
        document = load(request["body"])
    except (ValueError, RecursionError):
        return False

    if not isinstance(document, (dict, list)):
        return False

    for pointer, exact in constraints:
        value = resolve(document, pointer)
        if not isinstance(value, str) or (exact is not None
                                          and value != exact):
            return False

    return True


def resolve(value, pointer):
    for step in pointer[1:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")

        if isinstance(value, dict):
            if len([key for key in value
                    if key.casefold() == step.casefold()]) != 1:
                return None
            if step not in value:
                return None
            value = value[step]

        elif isinstance(value, list):
            if not re.fullmatch("0|[1-9][0-9]*", step, re.A):
                return None
            if int(step) >= len(value):
                return None
            value = value[int(step)]

        else:
            return None

    return value


# matchers: True, False, or None where it cannot be told


def match_matchers(matchers, template, path, whole):
    operation, matchers = matchers
    values = {}

    if template is not None:
        expression, names = template
        readings = [expression.fullmatch(text).groups()
                    for text in (path, whole) if text is not None]

        for name in names:
            found = {reading[i] for reading in readings
                     for i in range(len(names)) if names[i] == name}
            if len(found) == 1:
                values[name] = found.pop()

    for name, _, _, criteria in matchers:
        if name not in values:
            return False
        for _, _, other in criteria:
            if other is not None and other not in values:
                return False

    results = []
    for name, inverted, joined, criteria in matchers:
        result = join(joined, [compare(values[name], criterion, values)
                               for criterion in criteria])
        results.append(negate(result) if inverted else result)

    return join(operation, results) is True


def join(operation, results):
    decisive = operation == "or"
    if decisive in results:
        return decisive
    return None if None in results else not decisive


def negate(value):
    return None if value is None else not value


def compare(left, criterion, values):
    operator, literal, other = criterion
    right = values[other] if other is not None else literal

    if operator == "undefined":
        return None

    if operator in ("in", "not_in"):
        if other is not None or not isinstance(right, list):
            return None
        result = join("or", [equals(left, value) for value in right])
        return result if operator == "in" else negate(result)

    if isinstance(right, list):
        return None

    if operator in ("equals", "not_equals"):
        result = equals(left, right)
        return result if operator == "equals" else negate(result)

    left, right = integer(left), integer(right)
    if left is None or right is None:
        return None
    return left > right if operator == "greater_than" else left < right


def equals(left, right):
    if isinstance(right, str):
        return left == right
    left = integer(left)
    return None if left is None else left == right


def integer(value):
    if isinstance(value, str):
        if not re.fullmatch("0|-?[1-9][0-9]*", value, re.A):
            return None
        value = int(value)
    return value if -2**63 <= value < 2**63 else None
