"""Time under control: -clock stepped -method-delay PowerOffVM:24h."""

import json
import threading
import time
import urllib.request

from pyVim.task import WaitForTask
from pyVmomi import vim

from vcenter import URL, LoggedIn, State, Watcher

import ssl

BASE = f"{URL.scheme}://{URL.hostname}:{URL.port}/vimsim/v1"
TRUSTING = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
)


def control(method, path, body=None):
    """Ask the control API for something."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data=data, method=method)
    with TRUSTING.open(request, timeout=20) as reply:
        return json.load(reply)


class Control(LoggedIn):
    def test_a_day_passes_while_a_client_waits(self):
        task = self.find(vim.VirtualMachine, "DC0_H0_VM0").PowerOffVM_Task()
        watcher = Watcher(task, ["info.state", "info.progress"])
        self.assertIn(watcher.next()["info.state"], (State.queued, State.running))
        # WaitForTask sleeps in WaitForUpdatesEx until the day is over.
        waiter = threading.Thread(target=WaitForTask, args=(task,), daemon=True)
        waiter.start()

        began = time.monotonic()
        control("POST", "/clock/advance", {"duration": "24h"})
        waiter.join(20)
        took = time.monotonic() - began
        self.assertFalse(waiter.is_alive())
        self.assertLess(took, 10, "a day in no time")

        change = {}
        while change.get("info.state") != State.success:
            change = watcher.next()
        info = task.info
        self.assertEqual((info.completeTime - info.startTime).total_seconds(), 24 * 3600)

    def test_a_task_is_held_and_fails(self):
        vm = self.find(vim.VirtualMachine, "DC0_H0_VM1")
        task = vm.PowerOffVM_Task()
        key = task._GetMoId()
        control("POST", "/clock/advance", {"duration": "12h"})
        held = control("POST", f"/tasks/{key}/hold")
        self.assertEqual((held["progress"], held["held"]), (50, True))
        control("POST", "/clock/advance", {"duration": "48h"})
        self.assertEqual((task.info.state, task.info.progress), (State.running, 50))
        fault = {"fault": "InsufficientResourcesFault", "message": "No room."}
        control("POST", f"/tasks/{key}/fail", fault)
        with self.assertRaises(vim.fault.InsufficientResourcesFault):
            WaitForTask(task)
        self.assertEqual(vm.runtime.powerState, "poweredOn")
