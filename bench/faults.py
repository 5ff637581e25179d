"""An API that is slow, and one that hangs."""

import os
import select
import signal
import socket
import statistics
import time

import servers
from rounds import CONTENDERS, folder
from servers import Connection, workers

STORM = 200

# seconds that a client may wait while its token cannot be asked about

PATIENCE = 8

WAITING = 10


def storm(port, token, count=STORM):
    """So many at once; returns milliseconds until the last answer."""

    request = servers.request('/', token)
    sockets, epoll = {}, select.epoll()

    for _ in range(count):
        s = socket.create_connection(('127.0.0.1', port))
        s.setblocking(False)
        sockets[s.fileno()] = s
        epoll.register(s.fileno(), select.EPOLLIN)

    time.sleep(0.1)
    start, left, good = time.monotonic(), count, 0

    for s in sockets.values():
        s.send(request)

    while left and time.monotonic() - start < 30:
        for fd, _ in epoll.poll(1):
            good += b' 200 ' in sockets[fd].recv(4096)[:16]
            epoll.unregister(fd)
            left -= 1

    took = time.monotonic() - start

    epoll.close()

    for s in sockets.values():
        s.close()

    return took * 1000, good


def storms(s, count):
    """200 connections and one new token; the API takes 20 ms."""

    port, process, log = s.authority('--delay', '20ms')
    fresh = s.issue('fresh', servers.ISSUE, count + 1)
    result = {}

    with open(fresh) as f:
        tokens = f.read().split()

    for name, conf, values in CONTENDERS[1:]:
        nginx_port, nginx = s.nginx(conf, 'storm-' + folder(name), API=port,
                                    **values)
        workers(nginx)
        times, calls, failed = [], [], 0

        # the first one makes the connections

        storm(nginx_port, tokens[0])

        for token in tokens[1:]:
            before = lines(log)
            took, good = storm(nginx_port, token)
            times.append(round(took, 1))
            calls.append(lines(log) - before)
            failed += STORM - good

        result[name] = {'ms': times, 'calls': calls, 'failed': failed,
                        'median_ms': statistics.median(times)}
        s.stop_one(nginx)

    s.stop_one(process)

    return result


def lines(path):
    time.sleep(0.1)

    with open(path) as f:
        return sum(1 for _ in f)


def hung(s, batches):
    """An API that never answers: clients that wait for it, and all others."""

    result = {}

    with open(s.tokens) as f:
        known = f.readline().strip()

    with open(s.issue('waiting', servers.ISSUE, 1)) as f:
        unknown = f.readline().strip()

    for name, conf, values in CONTENDERS[1:]:
        port, process, _ = s.authority()
        nginx_port, nginx = s.nginx(conf, 'hung-' + folder(name), API=port,
                                    **values)
        workers(nginx)

        # it knows one token, and its code is warm

        known_p99(nginx_port, known)
        before = [known_p99(nginx_port, known) for _ in range(batches)]

        s.stop_one(process)

        # in its place, one that takes connections and never answers

        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(('127.0.0.1', port))
            listener.listen(128)

            start = time.monotonic()
            waiting = []

            for i in range(WAITING):
                c = socket.create_connection(('127.0.0.1', nginx_port))
                c.sendall(servers.request('/', unknown[:-2] + '%02d' % i))
                waiting.append(c)

            time.sleep(0.2)
            during = [known_p99(nginx_port, known) for _ in range(batches)]
            still = not select.select(waiting, [], [], 0)[0]

            statuses, last = [], 0.0

            for c in waiting:
                c.settimeout(max(0.1, PATIENCE - (time.monotonic() - start)))

                try:
                    statuses.append(int(c.recv(4096).split(b' ')[1]))
                    last = time.monotonic() - start
                except (OSError, IndexError):
                    statuses.append(0)

                c.close()

        s.stop_one(nginx, signal.SIGTERM)

        result[name] = {
            'before': [round(x, 3) for x in before],
            'during': [round(x, 3) for x in during],
            'before_p99': round(statistics.median(before), 3),
            'during_p99': round(statistics.median(during), 3),
            'waited': still,
            'statuses': sorted(set(statuses)),
            'seconds': round(last, 2),
        }

    return result


def known_p99(port, token, count=1000):
    """The 99th percentile of one connection's requests, milliseconds."""

    times = []
    connection = Connection(port)

    for _ in range(count):
        start = time.monotonic()

        if connection.get('/', token) != 200:
            raise SystemExit('a known token is refused')

        times.append((time.monotonic() - start) * 1000)

    connection.close()

    return sorted(times)[int(count * 0.99)]
