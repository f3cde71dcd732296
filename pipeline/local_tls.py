"""How services on this machine are asked: any certificate is accepted, since nothing secret is sent.

Standard library only.
"""

import ssl
import urllib.request


def unverified() -> ssl.SSLContext:
    """A client's context that accepts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def opener() -> urllib.request.OpenerDirector:
    """Opens URLs of this machine, by http or https, through no proxy."""
    handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unverified())
    return urllib.request.build_opener(*handlers)
