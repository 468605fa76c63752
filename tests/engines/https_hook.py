"""A receiver of webhooks behind TLS, for tests: it answers 204, and writes the body of each request into a file.

https_hook.py CERTIFICATE KEY FILE    prints the port
"""

import http.server
import pathlib
import ssl
import sys

certificate, key, file = sys.argv[1:]


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        pathlib.Path(file).write_bytes(body)
        self.send_response(204)
        self.end_headers()


server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
