"""What can be counted, or timed without a load: calls, locks, look-ups."""

import json
import os
import re
import signal
import subprocess
import time

import callgrind
from rounds import CONTENDERS, folder
from servers import BENCH, BUILD, Connection, pinned, schedstat, workers

LOCK_WAIT = os.path.join(BUILD, 'bench-tools', 'ngx_agilicus_token_module.so')
LOOK_UPS = os.path.join(BUILD, 'bench-tools', 'look_ups')

CALLS = 200
LOCKERS = 4


def system_calls(s, names):
    """System calls of a request, without and with a token that is known."""

    result = {}

    with open(s.tokens) as f:
        token = f.readline().strip()

    for name, conf, values in CONTENDERS[1:]:
        if name not in names:
            continue

        port, process = s.nginx(conf, 'calls-' + folder(name), **values)
        pid = workers(process)[0]
        counts = {path: trace(s, port, pid, path, token)
                  for path in ('/open', '/')}
        s.stop_one(process)

        added = {call: round((counts['/'].get(call, 0)
                              - counts['/open'].get(call, 0)) / CALLS, 2)
                 for call in {**counts['/'], **counts['/open']}}

        result[name] = {
            'open': round(sum(counts['/open'].values()) / CALLS, 2),
            'hit': round(sum(counts['/'].values()) / CALLS, 2),
            'added': {call: n for call, n in sorted(added.items()) if n},
        }

    return result


def trace(s, port, pid, path, token):
    """Counts of calls while so many requests of one connection are served."""

    connection = Connection(port)

    for _ in range(10):
        if connection.get(path, token) != 200:
            raise SystemExit('a known token is refused')

    out = os.path.join(s.run, 'strace')

    if os.path.exists(out):
        os.unlink(out)

    tracer = subprocess.Popen(['strace', '-f', '-o', out, '-p', str(pid)],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)

    # it says so when it has attached

    tracer.stderr.readline()
    time.sleep(0.2)

    for _ in range(CALLS):
        connection.get(path, token)

    time.sleep(0.2)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(10)
    tracer.stderr.close()
    connection.close()

    with open(out) as f:
        names = re.findall(r'^\d+\s+(\w+)\(', f.read(), re.M)

    # a request is read at least: else nothing was traced

    if names.count('recvfrom') < CALLS:
        raise SystemExit('strace did not see the requests')

    return {name: names.count(name) for name in set(names)}


def lock_waits(s, seconds):
    """Part of the workers' time that they wait for the zone, 4 workers."""

    port, process = s.nginx('ours', 'locks', MODULE=LOCK_WAIT,
                            WORKERS=LOCKERS)
    pids = workers(process)

    for pid in pids:
        os.sched_setaffinity(pid, set(range(os.cpu_count())))

    out = subprocess.run(['wrk', '-t1', '-c256', '-d%ds' % seconds, '-s',
                          os.path.join(BENCH, 'load.lua'),
                          'http://127.0.0.1:%d' % port, '--', 'random', '/',
                          s.tokens, '0'], stdout=subprocess.PIPE, text=True,
                         timeout=seconds + 60, check=True,
                         preexec_fn=pinned(s.other_core)).stdout

    spent = sum(schedstat(pid)[0] for pid in pids) / 1e9
    s.stop_one(process, signal.SIGQUIT)

    # the standard error of nginx goes to its error log

    with open(os.path.join(s.run, 'locks', 'error.log')) as f:
        said = [[int(n) for n in match] for match in
                re.findall(r'^worker (\d+) locks (\d+) waits (\d+) ns (\d+)$',
                           f.read(), re.M)]

    said = [one for one in said if one[0] in pids]

    if len(said) != LOCKERS:
        raise SystemExit('%d of %d workers say how they waited'
                         % (len(said), LOCKERS))

    locks, waits, waited = (sum(one[i] for one in said) for i in range(1, 4))
    match = re.search(r'^result (\d+) 0 0 ', out, re.M)

    if not match:
        raise SystemExit('wrk says:\n' + out)

    return {'workers': LOCKERS, 'cpu_seconds': round(spent, 2),
            'requests': int(match.group(1)), 'locks': locks, 'waits': waits,
            'wait_seconds': round(waited / 1e9, 4),
            'part': round(waited / 1e9 / spent, 6)}


def look_ups(s):
    """Nanoseconds and bytes of a cached token, from the cache itself."""

    def run(*arguments, **environment):
        return json.loads(subprocess.run(
            [LOOK_UPS, *arguments], stdout=subprocess.PIPE, text=True,
            timeout=300, check=True, env={**os.environ, **environment},
            preexec_fn=pinned(s.other_core)).stdout)

    # libcrypto can be told that the processor has no SHA-NI

    plain = run('digest', OPENSSL_ia32cap=':~0x20000000')

    return {**run(), 'digest_plain_ns': plain['digest_ns']}


def count_instructions(s, names):
    """User-space instructions that a known token adds, libcrypto's apart."""

    result = {}

    with open(s.tokens) as f:
        token = f.readline().strip()

    for name, conf, values in CONTENDERS[1:]:
        if name not in names:
            continue

        open_, hit = (callgrind.count(s, conf, folder(name) + key, path,
                                         [token], **values)
                      for key, path in (('-open', '/open'), ('-hit', '/')))

        result[name] = {'open': round(open_.rest),
                        'added': round(hit.rest - open_.rest),
                        'libcrypto': round(hit.libcrypto - open_.libcrypto)}

    return result
