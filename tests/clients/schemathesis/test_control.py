"""The control API, fuzzed from its own document."""

import os
import subprocess
import sys
import tempfile
import unittest
from urllib.parse import urlsplit

URL = urlsplit(os.environ["GOVC_URL"])
BASE = f"{URL.scheme}://{URL.hostname}:{URL.port}/vimsim/v1"

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
]


class Document(unittest.TestCase):
    def test_whatever_is_sent(self):
        command = [
            os.path.join(os.path.dirname(sys.executable), "schemathesis"),
            "--no-color",
            "run",
            f"{BASE}/openapi.json",
            f"--url={BASE}",
            f"--checks={','.join(CHECKS)}",
            "--phases=examples,coverage,fuzzing",
            # A watch has no end.
            "--exclude-path-regex=watch$",
            "--max-examples=20",
            "--seed=7",
            "--generation-database=none",
            "--max-time=30",
            "--request-timeout=10",
        ]
        # What it leaves behind is left in a place of its own.
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run(
                command, cwd=place, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"[0-9]+ generated, [0-9]+ passed\n")
