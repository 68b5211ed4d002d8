"""A SOAP client that knows nothing but the WSDL that the server serves, and checks every reply
against the schema."""

import faulthandler
import os
import unittest
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3
from zeep import Client, Transport
from zeep.exceptions import Fault
from zeep.proxy import ServiceProxy

GOVC_URL = urlsplit(os.environ["GOVC_URL"])
SDK = urlunsplit((GOVC_URL.scheme, GOVC_URL.netloc.rpartition("@")[2], GOVC_URL.path, "", ""))

faulthandler.dump_traceback_later(80, exit=True)
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def http_session():
    """Keeps the cookie, and takes a self-signed certificate whatever the environment says."""
    session = requests.Session()
    session.trust_env = session.verify = False
    return session


class Zeep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.http = http_session()
        cls.addClassCleanup(cls.http.close)
        cls.client = Client(f"{SDK}/vimService.wsdl", transport=Transport(session=cls.http))
        cls.vim = cls.client.type_factory("urn:vim25")
        cls.service = cls.service_of(cls.client)
        cls.content = cls.service.RetrieveServiceContent(cls.ref("ServiceInstance"))
        cls.session = cls.service.Login(
            cls.content.sessionManager, GOVC_URL.username, GOVC_URL.password
        )
        cls.addClassCleanup(cls.service.Logout, cls.content.sessionManager)

    @staticmethod
    def service_of(client):
        """The WSDL's only port, at our address: its own is localhost, as on a real vCenter."""
        port = client.wsdl.services["VimService"].ports["VimPort"]
        return ServiceProxy(client, port.binding, address=SDK)

    @classmethod
    def ref(cls, kind, moid=None):
        return cls.vim.ManagedObjectReference(moid or kind, type=kind)

    def retrieve(self, obj, *paths):
        """Properties of one object."""
        spec = self.vim.PropertyFilterSpec(
            propSet=[self.vim.PropertySpec(type=obj.type, pathSet=list(paths))],
            objectSet=[self.vim.ObjectSpec(obj=obj)],
        )
        result = self.service.RetrievePropertiesEx(
            self.content.propertyCollector, [spec], self.vim.RetrieveOptions()
        )
        [content] = result.objects
        return {prop.name: prop.val for prop in content.propSet}

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
        self.assertEqual(self.session.userName, GOVC_URL.username)
        self.assertIn("vmware_soap_session", self.http.cookies)
        self.assertEqual(self.content.about.apiType, "VirtualCenter")
        self.assertIsNotNone(self.service.CurrentTime(self.ref("ServiceInstance")))

    def test_task(self):
        task = self.create_task()
        self.refuses("InvalidState", self.service.UpdateProgress, task, 1)
        self.service.SetTaskState(task, "running")
        self.service.UpdateProgress(task, 42)
        info = self.retrieve(task, "info")["info"]
        self.assertEqual((info.state, info.progress, info.cancelled), ("running", 42, False))
        self.assertEqual(info.reason.userName, "zeep")

        self.service.CancelTask(task)
        self.assertEqual(self.retrieve(task, "info.cancelled"), {"info.cancelled": True})
        fault = self.vim.LocalizedMethodFault(
            fault=self.vim.RequestCanceled(), localizedMessage="stopped"
        )
        self.service.SetTaskState(task, "error", fault=fault)
        info = self.retrieve(task, "info")["info"]
        self.assertEqual((info.state, info.error.localizedMessage), ("error", "stopped"))
        self.refuses("InvalidState", self.service.CancelTask, task)

    def test_task_that_cannot_be_cancelled(self):
        task = self.create_task(cancelable=False)
        self.refuses("NotSupported", self.service.CancelTask, task)

    def test_power(self):
        search = self.content.searchIndex
        vm = self.service.FindByInventoryPath(search, "/DC0/vm/DC0_H0_VM0")
        task = self.service.PowerOffVM_Task(vm)
        spec = self.vim.PropertyFilterSpec(
            propSet=[self.vim.PropertySpec(type="Task", pathSet=["info.state"])],
            objectSet=[self.vim.ObjectSpec(obj=task)],
        )
        collector = self.content.propertyCollector
        watch = self.service.CreateFilter(collector, spec, partialUpdates=False)
        state, version = "queued", ""
        while state in ("queued", "running"):
            updates = self.service.WaitForUpdatesEx(
                collector, version, self.vim.WaitOptions(maxWaitSeconds=20)
            )
            version = updates.version
            state = updates.filterSet[0].objectSet[0].changeSet[0].val
        self.service.DestroyPropertyFilter(watch)
        self.assertEqual(state, "success")
        self.assertEqual(
            self.retrieve(vm, "name", "runtime.powerState"),
            {"name": "DC0_H0_VM0", "runtime.powerState": "poweredOff"},
        )

    def test_whole_objects(self):
        """Whatever the server says of a machine, a host and a cluster fits its own schema."""
        search = self.content.searchIndex
        for path in ("DC0/vm/DC0_H0_VM1", "DC0/host/DC0_C0", "DC0/host/DC0_C0/DC0_C0_H0"):
            entity = self.service.FindByInventoryPath(search, path)
            spec = self.vim.PropertyFilterSpec(
                propSet=[self.vim.PropertySpec(type=entity.type, all=True)],
                objectSet=[self.vim.ObjectSpec(obj=entity)],
            )
            [content] = self.service.RetrievePropertiesEx(
                self.content.propertyCollector, [spec], self.vim.RetrieveOptions()
            ).objects
            values = {prop.name: prop.val for prop in content.propSet}
            self.assertEqual(values["name"], path.rpartition("/")[2])
            self.assertEqual(content.missingSet, [])

    def test_stranger(self):
        http = http_session()
        self.addCleanup(http.close)
        client = Client(f"{SDK}/vimService.wsdl", transport=Transport(session=http))
        stranger = self.service_of(client)
        self.refuses("NotAuthenticated", stranger.CurrentTime, self.ref("ServiceInstance"))
        self.refuses("InvalidLogin", stranger.Login, self.content.sessionManager, "user", "")
