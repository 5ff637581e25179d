"""Rounds of load in turns: what a request costs here and there."""

import os
import re
import statistics
import subprocess
import time

import servers
from servers import BENCH, schedstat, steal, workers

CONNECTIONS = 64

# a round in which the worker waited longer than this for its core, or the
# machine for its own, is dropped

MAX_WAIT = float(os.environ.get('BENCH_MAX_WAIT', '0.05'))

# fewer rounds than these say nothing

LEAST = 5

OPEN_FILE_CACHE = ('open_file_cache max=30000 inactive=1h; '
                   'open_file_cache_valid 1h;')

# name, configuration, what is filled in there

CONTENDERS = [
    ('bare', 'bare', {}),
    ('this module', 'ours', {}),
    ('auth_request', 'auth_request', {}),
    ('auth_request+ofc', 'auth_request', {'OPEN_FILE_CACHE': OPEN_FILE_CACHE}),
    ('njs', 'njs', {}),
    ('Lua', 'lua', {}),
]

ALL = [name for name, conf, values in CONTENDERS]
UNCACHED = 'auth_request, no cache'

# key, title, path of each, how tokens are chosen, who takes part

CASES = [
    ('hot', 'hit, one hot token', '/', 'hot', ALL),
    ('random', 'hit, {tokens:,} tokens at random', '/', 'random', ALL),
    ('rules', 'hit, hot, 3 scopes and 50 host rules', '/service/49/items',
     'hot', ['bare', 'this module']),
    ('proxied', 'hit, hot, in front of a proxied upstream', '/proxied', 'hot',
     ALL),
    ('miss', 'miss, every token new, the API answers at once', '/miss', 'new',
     ALL + [UNCACHED]),
]


def folder(name):
    return re.sub(r'\W+', '-', name)


class Rounds:

    def __init__(self, s, rounds, seconds):
        self.servers = s
        self.rounds = rounds
        self.seconds = seconds
        self.counter = int(time.time()) % 100000 * 10000
        self.dropped = 0
        self.kept = 0
        self.nginx = {}

    def start(self):
        for name, conf, values in CONTENDERS:
            port, process = self.servers.nginx(conf, folder(name), **values)
            self.nginx[name] = port, workers(process)[0]

        self.nginx[UNCACHED] = self.nginx['auth_request']

    def load(self, name, path, mode, seconds, tokens):
        """One round; returns what wrk and the scheduler say of it."""

        port, pid = self.nginx[name]
        core = self.servers.server_core

        if name == UNCACHED:
            path = '/uncached'

        self.counter += 1000000
        before, stolen, start = schedstat(pid), steal(core), time.monotonic()

        out = subprocess.run(
            ['wrk', '-t1', '-c%d' % CONNECTIONS, '-d%ds' % seconds,
             '-s', os.path.join(BENCH, 'load.lua'),
             'http://127.0.0.1:%d' % port, '--', mode, path, tokens,
             str(self.counter)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=seconds + 60,
            preexec_fn=servers.pinned(self.servers.other_core)).stdout

        wall = time.monotonic() - start
        after, stolen = schedstat(pid), steal(core) - stolen
        match = re.search(r'^result (\d+) (\d+) (\d+) (\S+) (\S+)$', out, re.M)

        if not match:
            raise SystemExit('wrk says:\n' + out)

        requests, errors, status = (int(n) for n in match.groups()[:3])

        if errors or status or not requests:
            raise SystemExit('%s, %s: %d requests, %d errors, %d refused'
                             % (name, path, requests, errors, status))

        return {
            'rate': requests / seconds,
            'cpu': (after[0] - before[0]) / requests / 1000,
            'wait': ((after[1] - before[1]) / 1e9 + stolen) / wall,
            'p50': float(match.group(4)),
            'p99': float(match.group(5)),
        }

    def case(self, key, path, mode, names):
        """
        Each of "names" in turns, again and again.  A round counts with that of
        the bare location of the same turn, if both had the core.
        """

        tokens = (self.servers.ruled if key == 'rules'
                  else self.servers.tokens)
        rounds = {name: [] for name in names}

        for name in names:
            self.warm(name, path, mode, tokens)

        # on a busy machine, rather fewer rounds than no end

        until = time.monotonic() + 1.4 * self.rounds * len(names) * (
            self.seconds + 0.2)

        for i in range(self.rounds):
            result = {}

            for name in names[i % len(names):] + names[:i % len(names)]:
                one = self.attempt(name, path, mode, tokens, until)

                if one:
                    result[name] = one

            if 'bare' not in result:
                continue

            for name, one in result.items():
                one['ratio'] = one['cpu'] / result['bare']['cpu']
                one['added'] = one['cpu'] - result['bare']['cpu']
                rounds[name].append(one)

        return {name: summary(ones) for name, ones in rounds.items()}

    def attempt(self, name, path, mode, tokens, until):
        for attempt in range(3):
            if time.monotonic() > until:
                break

            one = self.load(name, path, mode, self.seconds, tokens)

            if one['wait'] <= MAX_WAIT:
                self.kept += 1
                return one

            self.dropped += 1

        return None

    def warm(self, name, path, mode, tokens):
        if mode == 'new':
            return

        self.load(name, path, 'hot', 1, tokens)

        if mode != 'random' or name == 'bare':
            return

        # each once: by chance, some would be met for the first time later

        with open(tokens) as f:
            lines = f.read().split()

        connection = servers.Connection(self.nginx[name][0])

        for token in lines:
            status = connection.get(path, token)

            if status != 200:
                raise SystemExit('%s: %d' % (name, status))

        connection.close()


def summary(ones):
    if not ones:
        return {'n': 0}

    def middle(key, digits):
        return round(statistics.median([one[key] for one in ones]), digits)

    def span(key, digits):
        return {key + '_min': round(min(one[key] for one in ones), digits),
                key + '_max': round(max(one[key] for one in ones), digits)}

    return {
        'n': len(ones),
        'cpu': middle('cpu', 2), **span('cpu', 2),
        'ratio': middle('ratio', 3), **span('ratio', 3),
        'added': middle('added', 2), **span('added', 2),
        'rate': middle('rate', 0),
        'p50': middle('p50', 3),
        'p99': middle('p99', 3),
    }
