"""What the pyVmomi suites share: sessions on the server that GOVC_URL names, look-ups, watches."""

import faulthandler
import os
import queue
import ssl
import threading
import time
import unittest
from urllib.parse import unquote, urlsplit

from pyVim.connect import Disconnect, SmartConnect
from pyVim.task import WaitForTask
from pyVmomi import SoapStubAdapter, vim, vmodl
from pyVmomi.VmomiSupport import newestVersions

URL = urlsplit(os.environ["GOVC_URL"])
PC = vmodl.query.PropertyCollector
State = vim.TaskInfo.State
PATIENCE = 20  # seconds that no step of any suite should need

# A suite that hangs shows where.
faulthandler.dump_traceback_later(4 * PATIENCE, exit=True)


def connect(user=unquote(URL.username), password=unquote(URL.password)):
    """Log in, over HTTPS with the server's self-signed certificate or over plain HTTP."""
    return SmartConnect(
        protocol=URL.scheme,
        host=URL.hostname,
        port=URL.port,
        user=user,
        pwd=password,
        disableSslCertValidation=True,
    )


def stranger():
    """The service as somebody sees it who has not logged in."""
    stub = SoapStubAdapter(
        host=URL.hostname,
        port=URL.port if URL.scheme == "https" else -URL.port,
        sslContext=ssl._create_unverified_context(),
        version=newestVersions.GetName("vim"),
    )
    return vim.ServiceInstance("ServiceInstance", stub)


def find(si, kind, name):
    """The one managed entity of a kind that has this name."""
    view = si.content.viewManager.CreateContainerView(si.content.rootFolder, [kind], True)
    try:
        [found] = [entity for entity in view.view if entity.name == name]
        return found
    finally:
        view.DestroyView()


def wait(task):
    """Wait for a task's success and give its result."""
    WaitForTask(task)
    return task.info.result


def changes(si, obj, paths, partial=False):
    """Yield what each update says of an object: the values of the paths that changed."""
    collector = si.content.propertyCollector.CreatePropertyCollector()
    try:
        collector.CreateFilter(
            PC.FilterSpec(
                objectSet=[PC.ObjectSpec(obj=obj)],
                propSet=[PC.PropertySpec(type=type(obj), pathSet=paths)],
            ),
            partial,
        )
        version = ""
        while True:
            options = PC.WaitOptions(maxWaitSeconds=PATIENCE)
            began = time.monotonic()
            updates = collector.WaitForUpdatesEx(version, options)
            if updates is None and time.monotonic() - began < PATIENCE / 2:
                continue  # the server's clock is stepped: its seconds are not ours
            if updates is None:
                raise TimeoutError(f"nothing happened to {obj} in {PATIENCE} seconds")
            version = updates.version
            [filters] = updates.filterSet
            [update] = filters.objectSet
            yield {change.name: change.val for change in update.changeSet}
    finally:
        try:
            collector.DestroyPropertyCollector()
        except vim.fault.NotAuthenticated:
            pass  # it went with its session


def await_power(si, vm, state):
    """Wait until a machine is on or off: a task does its work after the reply to its call."""
    seen = changes(si, vm, ["runtime.powerState"])
    while next(seen)["runtime.powerState"] != state:
        pass
    seen.close()


class Watcher(threading.Thread):
    """A second client: its own session, its own thread, telling what it sees of a task."""

    def __init__(self, task, paths):
        super().__init__(daemon=True)
        self.moid, self.paths, self.seen = task._GetMoId(), paths, queue.Queue()
        self.start()

    def run(self):
        si = connect()
        self.session = si.content.sessionManager.currentSession.key
        try:
            for change in changes(si, vim.Task(self.moid, si._stub), self.paths):
                self.seen.put(change)
                if change.get("info.state") in (State.success, State.error):
                    return
        except Exception as error:  # shown by the assertion that waits for the next change
            self.seen.put(error)
        finally:
            Disconnect(si)

    def next(self):
        """The next change, which must come soon."""
        return self.seen.get(timeout=PATIENCE)


class LoggedIn(unittest.TestCase):
    """A test with a session of its own."""

    def setUp(self):
        self.si = connect()
        self.addCleanup(Disconnect, self.si)
        self.content = self.si.content

    def find(self, kind, name):
        return find(self.si, kind, name)

    def clone(self, name, source="DC0_H0_VM0"):
        """A powered-off VM of this test's own."""
        vm = self.find(vim.VirtualMachine, source)
        spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=False, template=False)
        clone = wait(vm.CloneVM_Task(folder=vm.parent, name=name, spec=spec))
        self.addCleanup(self.destroy, clone)
        return clone

    def destroy(self, vm):
        """Destroy a VM, unless the test did so."""
        try:
            if vm.runtime.powerState != "poweredOff":
                wait(vm.PowerOffVM_Task())
            wait(vm.Destroy_Task())
        except vmodl.fault.ManagedObjectNotFound:
            pass

    def create_task(self, cancelable=True, si=None):
        """A task that this client drives, like a plug-in of vCenter does."""
        content = (si or self.si).content
        return content.taskManager.CreateTask(
            obj=content.rootFolder,
            taskTypeId="com.vmware.govmomi.simulator.test",
            initiatedBy="pyvmomi",
            cancelable=cancelable,
        ).task
