"""A stand-in for AWS: moto's server behind one lock, so that reads see every write before them, with faults on demand.

Usage: stand_in.py PORT. POST /faults?one_in=N makes one in N calls to DynamoDB, S3 and SNS fail with 503, half of them
after they were done; N = 0 ends it. Needs: pip install 'moto[server,all]'
"""

import random
import re
import sys
import threading
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

moto = DomainDispatcherApplication(create_backend_app)
lock = threading.RLock()
dice = random.Random(7)
faults = {"one_in": 0}


def service(environ):
    found = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return found.group(1) if found else ""


def unavailable(start_response):
    start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Content-Length", "0")])
    return [b""]


def app(environ, start_response):
    with lock:
        if environ["PATH_INFO"] == "/faults":
            faults["one_in"] = int(parse_qs(environ["QUERY_STRING"])["one_in"][0])
            start_response("204 No Content", [])
            return [b""]
        faulty = (
            faults["one_in"] > 0
            and "trailhound" in environ.get("HTTP_AUTHORIZATION", "")
            and service(environ) in ("dynamodb", "s3", "sns")
            and dice.randrange(faults["one_in"]) == 0
        )
        if not faulty:
            return [b"".join(moto(environ, start_response))]
        if dice.random() < 0.5:
            b"".join(moto(environ, lambda *_: None))
        return unavailable(start_response)


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True, request_handler=Handler)
