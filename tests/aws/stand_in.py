"""A stand-in for AWS: moto's server behind one lock, so that reads see every write before them.

Usage: stand_in.py PORT. Needs: pip install -r requirements.txt, beside this file.
"""

import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

moto = DomainDispatcherApplication(create_backend_app)
lock = threading.RLock()


def app(environ, start_response):
    with lock:
        return [b"".join(moto(environ, start_response))]


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True, request_handler=Handler)
