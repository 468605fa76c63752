"""A mail server for tests: aiosmtpd. It writes each mail into a folder, and reads it back as a mail program does.

serve FOLDER MODE CERTIFICATE KEY   MODE is starttls, tls or plain; prints the port. With TLS it wants the log-in
                                    alerts/s3cret. It refuses gone@… for good, and later@… the first time.
read FILE                           prints a mail as JSON, with all that a mail program would fetch.
"""

import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import sys
from html.parser import HTMLParser


def serve(folder, mode, certificate=None, key=None):
    from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

    folder = pathlib.Path(folder)
    refused = set()
    count = 0

    class Handler:
        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("gone@"):
                return "550 5.1.1 no such mailbox"
            if address.startswith("later@") and address not in refused:
                refused.add(address)
                return "450 4.2.0 try again later"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            nonlocal count
            count += 1
            part = folder / f"{count}.part"
            part.write_bytes(envelope.content)
            (folder / f"{count}.to").write_text("\n".join(envelope.rcpt_tos))
            part.rename(folder / f"{count}.eml")
            return "250 taken"

    def log_in(server, session, envelope, mechanism, data):
        known = LoginPassword(b"alerts", b"s3cret")
        return AuthResult(success=data == known, handled=False)

    context = None
    options = {}
    if mode != "plain":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        options = {"auth_required": True, "authenticator": log_in, "auth_require_tls": mode == "starttls"}
    if mode == "starttls":
        options |= {"tls_context": context, "require_starttls": True}

    async def run():
        at_once = context if mode == "tls" else None
        make = lambda: SMTP(Handler(), hostname="localhost", **options)
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=at_once)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


class Fetched(HTMLParser):
    """All addresses in a page but those of links, which are followed by hand alone."""

    def __init__(self):
        super().__init__()
        self.fetched, self.links = [], []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if tag == "a" and name == "href":
                self.links.append(value)
            elif name in ("src", "href", "srcset", "background", "action", "poster", "data") or "url(" in (value or ""):
                self.fetched.append(f"{tag} {name}={value}")

    def handle_data(self, data):
        if "url(" in data or "@import" in data:
            self.fetched.append(data)


def read(file):
    mail = email.message_from_bytes(pathlib.Path(file).read_bytes(), policy=email.policy.default)
    html = mail.get_body(("html",)).get_content()
    page = Fetched()
    page.feed(html)
    told = {
        "headers": [[name, str(value)] for name, value in mail.items()],
        "type": mail.get_content_type(),
        "parts": [part.get_content_type() for part in mail.iter_parts()],
        "text": mail.get_body(("plain",)).get_content(),
        "html": html,
        "links": page.links,
        "fetched": page.fetched,
        "defects": [repr(defect) for part in mail.walk() for defect in part.defects],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    {"serve": serve, "read": read}[sys.argv[1]](*sys.argv[2:])
