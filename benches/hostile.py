"""A goc center with processes that print as many files as they can: hostile.py PORT PROCESSES MEBIBYTES."""

import http.server
import json
import socketserver
import sys
import threading

PORT, PROCESSES, MEBIBYTES = map(int, sys.argv[1:4])


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class Center(Quiet):
    def do_GET(self):
        listed = {
            f"staging_th_app{n}_master_1234567": [f"http://127.0.0.1:{PORT + 1 + n}"] for n in range(PROCESSES)
        }
        body = json.dumps(listed).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Process(Quiet):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        number, sent = self.server.server_port, 0
        self.chunk(b"mode: count\n")
        for start in range(0, sys.maxsize, 20000):
            if sent >= MEBIBYTES << 20:
                break
            lines = b"".join(b"%d%x:1.1,1.1 0 0\n" % (number, file) for file in range(start, start + 20000))
            sent += len(lines)
            self.chunk(lines)
        self.chunk(b"")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")


for n in range(PROCESSES):
    server = Server(("127.0.0.1", PORT + 1 + n), Process)
    threading.Thread(target=server.serve_forever, daemon=True).start()
Server(("127.0.0.1", PORT), Center).serve_forever()
