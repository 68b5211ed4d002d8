"""Events: the chain of a task, what filters find, the collector, and what clients post."""

from datetime import timedelta

from pyVmomi import vim, vmodl

from vcenter import LoggedIn, changes, find, wait


class Events(LoggedIn):
    def setUp(self):
        super().setUp()
        self.manager = self.si.content.eventManager
        self.vm = find(self.si, vim.VirtualMachine, "DC0_C0_RP0_VM0")

    def query(self, **filters):
        """What a filter lets through, oldest first."""
        return self.manager.QueryEvents(vim.event.EventFilterSpec(**filters))[::-1]

    def test_a_task_begins_a_chain(self):
        task = self.vm.SuspendVM_Task()
        wait(task)
        begin, suspending, suspended = self.query(eventChainId=task.info.eventChainId)
        self.assertIsInstance(begin, vim.event.TaskEvent)
        self.assertEqual((begin.key, begin.chainId), (task.info.eventChainId,) * 2)
        self.assertEqual(begin.info.key, task.info.key)
        self.assertEqual(begin.info.state, "queued")
        self.assertEqual(begin.fullFormattedMessage, "Task: Suspend virtual machine")
        self.assertIsInstance(suspending, vim.event.VmSuspendingEvent)
        self.assertIsInstance(suspended, vim.event.VmSuspendedEvent)
        self.assertEqual(suspended.vm.vm, self.vm)
        self.assertEqual(suspended.host.host, self.vm.runtime.host)
        self.assertEqual(suspended.datacenter.name, "DC0")
        self.assertEqual(suspended.userName, begin.info.reason.userName)
        wait(self.vm.PowerOnVM_Task())

    def test_filters(self):
        now = self.si.CurrentTime()
        self.manager.LogUserEvent(self.vm, "look here")
        by = vim.event.EventFilterSpec.ByEntity(entity=self.vm, recursion="self")
        recent = vim.event.EventFilterSpec.ByTime(beginTime=now - timedelta(seconds=1))
        [event] = self.query(entity=by, time=recent, category=["user"])
        self.assertEqual(event.message, "look here")
        self.assertEqual(event.entity.entity, self.vm)
        later = vim.event.EventFilterSpec.ByTime(beginTime=now + timedelta(hours=1))
        self.assertEqual(self.query(time=later), [])
        silent = self.query(entity=by, disableFullMessage=True, category=["user"])
        self.assertIsNone(silent[0].fullFormattedMessage)
        with self.assertRaises(vmodl.fault.InvalidArgument):
            self.query(maxCount=-1)

    def test_the_latest_page_is_watched(self):
        spec = vim.event.EventFilterSpec(eventTypeId=["VmRenamedEvent"])
        collector = self.manager.CreateCollectorForEvents(spec)
        self.addCleanup(collector.DestroyCollector)
        watch = changes(self.si, collector, ["latestPage"])
        self.assertEqual(next(watch)["latestPage"], [])
        wait(self.vm.Rename_Task("renamed"))
        [event] = next(watch)["latestPage"]
        self.assertEqual((event.oldName, event.newName), ("DC0_C0_RP0_VM0", "renamed"))
        wait(self.vm.Rename_Task("DC0_C0_RP0_VM0"))
        newest, oldest = next(watch)["latestPage"]
        self.assertEqual((newest.oldName, oldest.key), ("renamed", event.key))
        watch.close()

        def keys(events):
            return [event.key for event in events]

        self.assertEqual(keys(collector.ReadNextEvents(1)), [event.key])
        self.assertEqual(keys(collector.ReadNextEvents(9)), [newest.key])
        self.assertEqual(collector.ReadNextEvents(9), [])
        self.assertEqual(keys(collector.ReadPreviousEvents(9)), [newest.key, event.key])

    def test_what_an_extension_posts(self):
        task = self.si.content.taskManager.CreateTask(
            self.vm, "com.vmware.govmomi.simulator.test", None, False
        )
        argument = vmodl.KeyAnyValue(key="rack", value="r7")
        posted = vim.event.EventEx(
            eventTypeId="com.example.moved",
            message="moved",
            arguments=[argument],
            vm=vim.event.VmEventArgument(name=self.vm.name, vm=self.vm),
            createdTime=self.si.CurrentTime(),
            userName="",
            key=0,
            chainId=0,
        )
        self.manager.PostEvent(posted, task)
        begin, event = self.query(eventChainId=task.eventChainId)
        self.assertIsInstance(begin, vim.event.TaskEvent)
        self.assertEqual((event.eventTypeId, event.arguments[0].value), ("com.example.moved", "r7"))
        self.assertEqual(self.manager.latestEvent.key, event.key)
        info = next(it for it in self.manager.description.eventInfo if it.key == vim.event.EventEx)
        self.assertEqual(info.fullFormat, "{message}")
        task.task.SetTaskState("success")
