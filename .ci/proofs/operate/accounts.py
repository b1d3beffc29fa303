"""Many accounts behind one address: STS hands out keys that name the account, and calls go to the emulator of theirs."""

import http.client
import http.server
import re
import threading
import urllib.parse

NAMED = re.compile(r"Credential=ASIA(\d{12})/")
ROLE = "arn:aws:iam::{}:role/forewarn"


class Accounts(http.server.ThreadingHTTPServer):
    """Answers AssumeRole, passes other calls on, refuses some accounts, and is silent for others."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, backends, denied=(), hung=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.backends, self.denied, self.hung = backends, set(denied), set(hung)
        self.over, self.calls = threading.Event(), {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes: the second must not wait until the first is acknowledged.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"Action=AssumeRole" in body:
            return self.assume(body)
        named = NAMED.search(self.headers.get("Authorization", ""))
        account = named[1] if named else None
        self.server.calls[account] = self.server.calls.get(account, 0) + 1
        if account in self.server.hung:
            self.server.over.wait()
            self.close_connection = True
            return None
        backend = self.server.backends.get(account)
        if backend is None:
            return self.answer(403, denial(f"no such account: {account}"), [("Content-Type", "text/xml")])
        there = http.client.HTTPConnection(urllib.parse.urlsplit(backend).netloc, timeout=120)
        there.request("POST", self.path, body, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")})
        reply = there.getresponse()
        data = reply.read()
        self.answer(reply.status, data, [(k, v) for k, v in reply.getheaders() if k.lower() not in ("content-length", "connection", "transfer-encoding")])
        there.close()
        return None

    def assume(self, body):
        form = urllib.parse.parse_qs(body.decode())
        account = form["RoleArn"][0].split(":")[4]
        if account in self.server.denied:
            return self.answer(403, denial("is not authorized to perform: sts:AssumeRole"), [("Content-Type", "text/xml")])
        keys = f"<AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>x</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        who = f"<Arn>arn:aws:sts::{account}:assumed-role/forewarn/forewarn</Arn><AssumedRoleId>AROA:forewarn</AssumedRoleId>"
        text = (f'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>{keys}</Credentials>'
                f"<AssumedRoleUser>{who}</AssumedRoleUser></AssumeRoleResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></AssumeRoleResponse>")
        return self.answer(200, text.encode(), [("Content-Type", "text/xml")])


def denial(why):
    return f"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{why}</Message></Error></ErrorResponse>".encode()


def settings(accounts, place):
    """Writes the file of accounts."""
    path = place / "accounts.toml"
    path.write_text("".join(f'[[account]]\nrole = "{ROLE.format(a)}"\n' for a in accounts))
    return path
