"""Sessions, tasks and a power-off, by a client made from the WSDL. Every reply is validated."""

import unittest

from zeep.exceptions import Fault

from vcenter import GOVC_URL, VCenter


class Zeep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vcenter = VCenter()
        cls.vcenter.login()
        cls.addClassCleanup(cls.vcenter.logout)
        cls.service, cls.types = cls.vcenter.service, cls.vcenter.types
        cls.content, cls.read = cls.vcenter.content, cls.vcenter.read

    def create_task(self, cancelable=True):
        info = self.service.CreateTask(
            self.content.taskManager,
            obj=self.content.rootFolder,
            taskTypeId="com.vmware.govmomi.simulator.test",
            initiatedBy="zeep",
            cancelable=cancelable,
        )
        self.assertEqual(info.state, "queued")
        return info.task

    def refuses(self, fault, call, *args):
        with self.assertRaises(Fault) as caught:
            call(*args)
        [detail] = caught.exception.detail
        self.assertEqual(detail.tag, f"{{urn:vim25}}{fault}Fault")

    def test_session(self):
        session = self.read(self.content.sessionManager, "currentSession")["currentSession"]
        self.assertEqual(session.userName, GOVC_URL.username)
        self.assertIn("vmware_soap_session", self.vcenter.http.cookies)
        self.assertEqual(self.content.about.apiType, "VirtualCenter")

    def test_stranger(self):
        stranger = VCenter()
        self.addCleanup(stranger.http.close)
        service, instance = stranger.service, stranger.ref("ServiceInstance")
        self.refuses("NotAuthenticated", service.CurrentTime, instance)
        self.refuses("InvalidLogin", service.Login, self.content.sessionManager, "user", "")

    def test_task(self):
        task = self.create_task()
        self.refuses("InvalidState", self.service.UpdateProgress, task, 1)
        self.service.SetTaskState(task, "running")
        self.service.UpdateProgress(task, 42)
        info = self.read(task, "info")["info"]
        self.assertEqual((info.state, info.progress, info.cancelled), ("running", 42, False))
        self.assertEqual(info.reason.userName, "zeep")

        self.service.CancelTask(task)
        self.assertEqual(self.read(task, "info.cancelled"), {"info.cancelled": True})
        fault = self.types.LocalizedMethodFault(
            fault=self.types.RequestCanceled(), localizedMessage="stopped"
        )
        self.service.SetTaskState(task, "error", fault=fault)
        info = self.read(task, "info")["info"]
        self.assertEqual((info.state, info.error.localizedMessage), ("error", "stopped"))
        self.refuses("InvalidState", self.service.CancelTask, task)

    def test_task_that_cannot_be_cancelled(self):
        task = self.create_task(cancelable=False)
        self.refuses("NotSupported", self.service.CancelTask, task)

    def test_power_off(self):
        vm = self.service.FindByInventoryPath(self.content.searchIndex, "/DC0/vm/DC0_H0_VM0")
        task = self.service.PowerOffVM_Task(vm)
        collector = self.content.propertyCollector
        watch = self.service.CreateFilter(
            collector, self.vcenter.filter(task, "info.state"), partialUpdates=False
        )
        state, version = "queued", ""
        while state in ("queued", "running"):
            updates = self.service.WaitForUpdatesEx(
                collector, version, self.types.WaitOptions(maxWaitSeconds=20)
            )
            version = updates.version
            state = updates.filterSet[0].objectSet[0].changeSet[0].val
        self.service.DestroyPropertyFilter(watch)
        self.assertEqual(state, "success")
        self.assertEqual(
            self.read(vm, "name", "runtime.powerState"),
            {"name": "DC0_H0_VM0", "runtime.powerState": "poweredOff"},
        )
