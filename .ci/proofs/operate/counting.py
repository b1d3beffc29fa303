"""A server's calls, counted by method on their way."""

import collections
import http.client
import http.server
import threading
import urllib.parse


class Counting(http.server.ThreadingHTTPServer):
    """Passes every call on and counts it."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, to):
        super().__init__(("127.0.0.1", 0), Handler)
        self.to, self.calls = urllib.parse.urlsplit(to).netloc, collections.Counter()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes: the second must not wait until the first is acknowledged.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.calls["LIST" if self.command == "GET" and "list-type" in self.path else self.command] += 1
        there = http.client.HTTPConnection(self.server.to, timeout=120)
        there.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k.lower() != "connection"})
        reply = there.getresponse()
        data = reply.read()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding") or self.command == "HEAD" and name.lower() == "content-length":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        there.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on
