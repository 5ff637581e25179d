"""Rounds of load in turns: the cost of a request, one way and another.

In a round each contender has a load of its own that is let go for TURN seconds,
then stopped while the next one's is let go, again and again: what disturbs the
machine disturbs them all.  Where it takes no time to fill caches, each round
has new processes, for by where its memory lies a process can be some percent
faster or slower for all of its life.
"""

import os
import re
import signal
import statistics
import subprocess
import time

import servers
from servers import BENCH, schedstat, steal, workers

CONNECTIONS = 64

# seconds of a turn

TURN = 0.05

# a part of a round in which the worker waited longer than this for its core, or
# the machine for its own, is dropped

MAX_WAIT = float(os.environ.get('BENCH_MAX_WAIT', '0.15'))

# fewer rounds than these say nothing

LEAST = 5

OPEN_FILE_CACHE = ('open_file_cache max=30000 inactive=1h; '
                   'open_file_cache_valid 1h;')

# name, configuration, values that are filled in there

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

# key, title, path of each, choice of tokens, contenders that take part

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
        self.processes = []

    def start(self):
        """New processes of all contenders in place of those there are."""

        for process in self.processes:
            self.servers.stop_one(process)

        self.processes = []

        for name, conf, values in CONTENDERS:
            port, process = self.servers.nginx(conf, folder(name), **values)
            self.nginx[name] = port, workers(process)[0]
            self.processes.append(process)

        self.nginx[UNCACHED] = self.nginx['auth_request']

    def wrk(self, name, path, mode, tokens, seconds):
        self.counter += 1000000

        return subprocess.Popen(
            ['wrk', '-t1', '-c%d' % CONNECTIONS, '-d%ds' % seconds,
             '-s', os.path.join(BENCH, 'load.lua'),
             'http://127.0.0.1:%d' % self.nginx[name][0], '--', mode,
             '/uncached' if name == UNCACHED else path, tokens,
             str(self.counter)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=servers.pinned(self.servers.other_core))

    def spent(self, name):
        """Nanoseconds on the core, and seconds of waiting for it."""

        stat = schedstat(self.nginx[name][1])

        return stat[0], stat[1] / 1e9 + steal(self.servers.server_core)

    def plain(self, name, path, mode, tokens, seconds):
        """A load without a stop: the rate, and how long requests take."""

        return finished(self.wrk(name, path, mode, tokens, seconds), seconds,
                        name)

    def take_turns(self, names, path, mode, tokens):
        """One round; returns the cost of a request for each."""

        loads = {}
        cost = {name: [0, 0, 0] for name in names}
        left = {name: self.seconds for name in names}

        def start(name):
            loads[name] = self.wrk(name, path, mode, tokens,
                                   int(4 * self.seconds * len(names)) + 60)
            await_load(loads[name])
            loads[name].send_signal(signal.SIGSTOP)
            self.settle(name)

        def turn(name, go):
            before = self.spent(name)
            start = time.monotonic()
            go()

            for i, n in enumerate(self.spent(name)):
                cost[name][i] += n - before[i]

            cost[name][2] += time.monotonic() - start

        def run(name):
            loads[name].send_signal(signal.SIGCONT)
            time.sleep(TURN)
            loads[name].send_signal(signal.SIGSTOP)
            self.settle(name)

        # one after the other: UNCACHED shares a process with another one

        for name in names:
            turn(name, lambda: start(name))

        while any(n > 0 for n in left.values()):
            for name in names:
                left[name] -= TURN
                turn(name, lambda: run(name))

        outs = {}

        def end(name):
            loads[name].send_signal(signal.SIGCONT)

            # of a stopped process, any thread may take it, and not the one
            # that it should wake up

            time.sleep(0.01)
            loads[name].send_signal(signal.SIGINT)
            outs[name] = finished(loads[name], self.seconds, name)

        for name in names:
            turn(name, lambda: end(name))

        return {name: {'cpu': cost[name][0] / outs[name]['requests'] / 1000,
                       'wait': cost[name][1] / cost[name][2]}
                for name in names}

    def settle(self, name):
        """Until the worker has nothing to do, which is of its own turn."""

        for _ in range(20):
            before = schedstat(self.nginx[name][1])[0]
            time.sleep(0.002)

            if schedstat(self.nginx[name][1])[0] == before:
                break

    def case(self, key, path, mode, names):
        """
        Rounds of all of "names".  What one costs counts with what the bare
        location costs in the same round, if both had the core.
        """

        tokens = (self.servers.ruled if key == 'rules'
                  else self.servers.tokens)
        rounds = {name: [] for name in names}
        plain = {}

        for i in range(self.rounds):

            if i == 0 or mode == 'hot':
                self.start()

                for name in names:
                    self.warm(name, path, mode, tokens)

            if i == 0:
                plain = {name: self.plain(name, path, mode, tokens, 1)
                         for name in names}

            shift = i % len(names)
            result = self.take_turns(names[shift:] + names[:shift], path, mode,
                                     tokens)

            for name, one in result.items():
                if one['wait'] > MAX_WAIT or result['bare']['wait'] > MAX_WAIT:
                    self.dropped += 1
                    continue

                self.kept += 1
                one['ratio'] = one['cpu'] / result['bare']['cpu']
                one['added'] = one['cpu'] - result['bare']['cpu']
                rounds[name].append(one)

        return {name: {**summary(ones), 'rate': plain[name]['rate'],
                       'p99': plain[name]['p99']}
                for name, ones in rounds.items()}

    def warm(self, name, path, mode, tokens):
        """Each token once: by chance, some would be met late."""

        if mode == 'new' or name == UNCACHED:
            return

        with open(tokens) as f:
            lines = f.read().split()

        if mode == 'hot':
            lines = lines[:1] * 100
        elif name == 'bare':
            return

        connection = servers.Connection(self.nginx[name][0])

        for token in lines:
            status = connection.get(path, token)

            if status != 200:
                raise SystemExit('%s: %d' % (name, status))

        connection.close()


def await_load(load):
    """Until wrk has read its tokens: it minds SIGINT from then on."""

    for _ in range(3000):
        with open('/proc/%d/status' % load.pid) as f:
            caught = int(re.search(r'^SigCgt:\s*(\w+)$', f.read(),
                                   re.M).group(1), 16)

        if caught & 1 << signal.SIGINT - 1:
            return

        time.sleep(0.01)

    raise SystemExit('wrk does not begin')


def finished(load, seconds, name):
    """What wrk says at its end."""

    out = load.communicate(timeout=seconds + 60)[0]
    match = re.search(r'^result (\d+) (\d+) (\d+) (\S+) (\S+)$', out, re.M)

    if not match:
        raise SystemExit('wrk says:\n' + out)

    requests, errors, status = (int(n) for n in match.groups()[:3])

    if errors or status or not requests:
        raise SystemExit('%s: %d requests, %d errors, %d refused'
                         % (name, requests, errors, status))

    return {'requests': requests, 'rate': round(requests / seconds),
            'p99': float(match.group(5))}


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
    }
