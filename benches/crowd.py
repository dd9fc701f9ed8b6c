#!/usr/bin/env python3
"""Peak memory of pull and list with many services: crowd.py PROGRAM [SERVICES].

The center is this process. Each service has one address on loopback, at which nothing listens. Needs GNU time.
"""

import hashlib
import http.server
import json
import subprocess
import sys
import tempfile
import threading

PROGRAM, SERVICES = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000


def service(n):
    commit = hashlib.sha1(b"%d" % n).hexdigest()[:10]
    return f"staging_th_app{n:06}_main_{commit}", [f"http://127.{1 + n // 65536}.{n // 256 % 256}.{n % 256}:9"]


class Center(http.server.BaseHTTPRequestHandler):
    body = json.dumps(dict(map(service, range(SERVICES)))).encode()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Center)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as root, tempfile.NamedTemporaryFile("r") as measured:
    named = ["--root", root, "--center", f"http://127.0.0.1:{server.server_port}"]
    for command in ["pull", "pull --force", "list", "list --format json", "list --format prometheus"]:
        time = ["/usr/bin/time", "-o", measured.name, "-f", "%M %e %U %S"]
        ran = subprocess.run([*time, PROGRAM, *named, *command.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # A pull ends with 3 here, since all addresses fail.
        assert ran.returncode in (0, 3), f"{command} ended with {ran.returncode}"
        measured.seek(0)
        kilobytes, elapsed, user, system = measured.read().splitlines()[-1].split()
        print(f"{command:26} {int(kilobytes) / 1024:4.0f} MB {elapsed:>7} s, {user} s + {system} s of the processors")
