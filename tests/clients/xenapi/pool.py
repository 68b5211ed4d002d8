"""What the XenAPI suites share: sessions of both kinds on the server that GOVC_URL names."""

import faulthandler
import os
import time
import unittest
from urllib.parse import unquote, urlsplit

import XenAPI
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

URL = urlsplit(os.environ["GOVC_URL"])
XENAPI = f"{URL.scheme}://{URL.hostname}:{URL.port}"
USER, PASSWORD = unquote(URL.username), unquote(URL.password)
PATIENCE = 20  # seconds that no step of any suite should need

# A suite that hangs shows where.
faulthandler.dump_traceback_later(4 * PATIENCE, exit=True)


def connect():
    """A session of XenAPI."""
    session = XenAPI.Session(XENAPI, ignore_ssl=True)
    session.xenapi.login_with_password(USER, PASSWORD, "2.21", "vimsim tests")
    return session


class LoggedIn(unittest.TestCase):
    """A test with a session of XenAPI."""

    def setUp(self):
        self.session = connect()
        self.addCleanup(self.session.logout)
        self.xenapi = self.session.xenapi

    def vm(self, name):
        """The one machine with this name."""
        [vm] = self.xenapi.VM.get_by_name_label(name)
        return vm

    def failure(self, *details):
        """Expect a failure with these details."""
        return Expected(self, list(details))

    def finish(self, task):
        """Poll a task until it is over, and give its record."""
        deadline = time.monotonic() + PATIENCE
        while self.xenapi.task.get_status(task) == "pending":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        return self.xenapi.task.get_record(task)

    def watch(self, task):
        """Follow a task by its events until it is over, and give all records seen."""
        seen, token = [], ""
        while not seen or seen[-1]["status"] == "pending":
            batch = self.xenapi.event_from([f"task/{task}"], token, 5.0)
            token = batch["token"]
            seen += [event["snapshot"] for event in batch["events"]]
        return seen

    def vsphere(self):
        """The same server as pyVmomi sees it."""
        si = SmartConnect(
            protocol=URL.scheme,
            host=URL.hostname,
            port=URL.port,
            user=USER,
            pwd=PASSWORD,
            disableSslCertValidation=True,
        )
        self.addCleanup(Disconnect, si)
        return si

    def vsphere_vm(self, si, name):
        """A machine as pyVmomi sees it."""
        view = si.content.viewManager.CreateContainerView(
            si.content.rootFolder, [vim.VirtualMachine], True
        )
        [found] = [vm for vm in view.view if vm.name == name]
        view.DestroyView()
        return found


class Expected:
    """A failure that has to come."""

    def __init__(self, test, details):
        self.test, self.details = test, details

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        self.test.assertIsInstance(error, XenAPI.Failure)
        self.test.assertEqual(error.details[: len(self.details)], self.details)
        return True
