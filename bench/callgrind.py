"""Instructions of a request, counted by callgrind."""

import collections
import os
import re
import signal
import subprocess
import time

from servers import Connection

# at least so many requests

REQUESTS = 300

# of one request: in libcrypto, and everywhere else; and of the latter in
# malloc() and free(), which depend on what else lies on the heap

Count = collections.namedtuple('Count', 'rest libcrypto heap')


def count(s, conf, name, path, tokens, options=(), ready=None, **values):
    """
    Runs nginx with CONF once under callgrind, which may have more options; its
    requests present each of "tokens" by turns, and all of them have been seen
    before.  "ready" is called with the port first.
    """

    out = os.path.join(s.run, 'callgrind.' + name)

    port, process = s.nginx(
        conf, 'count-' + name, main='user root; master_process off;',
        command=['valgrind', '-q', '--tool=callgrind', '--instr-atstart=no',
                 '--callgrind-out-file=' + out, *options], **values)

    if ready:
        ready(port)

    # the first requests ask the API, and fill the caches

    connection = Connection(port)
    turns = -(-REQUESTS // len(tokens))

    drive(connection, path, tokens, max(2, -(-20 // len(tokens))))
    control(process.pid, 'on')
    drive(connection, path, tokens, turns)
    control(process.pid, 'off')
    connection.close()

    s.stop_one(process, signal.SIGQUIT)

    text = subprocess.run(['callgrind_annotate', '--threshold=100', out],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    total = number(re.search(r'^ *([\d,]+) .*PROGRAM TOTALS', text, re.M))
    libcrypto, heap = (
        sum(number(m) for m in
            re.finditer(r'^ *([\d,]+) .*' + where, text, re.M))
        for where in ('libcrypto',
                      r'(?:malloc|free|unlink_chunk).* \[.*libc\.so'))
    requests = turns * len(tokens)

    return Count((total - libcrypto) / requests, libcrypto / requests,
                 heap / requests)


def drive(connection, path, tokens, turns):
    for _ in range(turns):
        for token in tokens:
            status = connection.get(path, token)

            if status != 200:
                raise SystemExit('%s: %d' % (path, status))


def control(pid, state):
    subprocess.run(['callgrind_control', '-i', state, str(pid)],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    time.sleep(0.2)


def number(match):
    return int(match.group(1).replace(',', ''))
