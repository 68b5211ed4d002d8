"""Tasks that a client drives itself, while a second client watches."""

from pyVmomi import vim, vmodl

from vcenter import LoggedIn, State, Watcher, changes, connect
from pyVim.connect import Disconnect


class Watched(LoggedIn):
    """The story of a task, as another session sees it through WaitForUpdatesEx."""

    def setUp(self):
        super().setUp()
        self.task = self.create_task()
        self.watcher = Watcher(
            self.task, ["info.state", "info.progress", "info.cancelled", "info.error"]
        )
        self.sees(
            {
                "info.state": State.queued,
                "info.progress": None,
                "info.cancelled": False,
                "info.error": None,
            }
        )

    def sees(self, change):
        self.assertEqual(self.watcher.next(), change)

    def run_to(self, *progress):
        self.task.SetTaskState(State.running)
        self.sees({"info.state": State.running})
        for percent in progress:
            self.task.UpdateProgress(percent)
            self.sees({"info.progress": percent})

    def test_success(self):
        self.run_to(1, 50, 100)
        self.task.SetTaskState(State.success, result="done")
        self.sees({"info.state": State.success, "info.progress": None})
        info = self.task.info
        self.assertEqual((info.state, info.result), (State.success, "done"))
        self.assertIsNotNone(info.completeTime)

    def test_cancel(self):
        self.run_to(10, 60)
        # The owner watches its own task for the wish to cancel.
        wishes = changes(self.si, self.task, ["info.cancelled"])
        self.assertEqual(next(wishes), {"info.cancelled": False})

        other = connect()
        self.addCleanup(Disconnect, other)
        theirs = vim.Task(self.task._GetMoId(), other._stub)
        theirs.CancelTask()
        theirs.CancelTask()  # a second wish changes nothing

        self.assertEqual(next(wishes), {"info.cancelled": True})
        wishes.close()
        self.sees({"info.cancelled": True})
        self.assertEqual(self.task.info.state, State.running, "only the owner ends it")
        self.task.UpdateProgress(70)
        self.sees({"info.progress": 70})

        self.task.SetTaskState(State.error, fault=vmodl.fault.RequestCanceled())
        end = self.watcher.next()
        self.assertIsInstance(end.pop("info.error"), vmodl.fault.RequestCanceled)
        self.assertEqual(end, {"info.state": State.error, "info.progress": None})
        self.assertTrue(self.task.info.cancelled)

    def test_progress_is_clamped(self):
        self.run_to(50)
        self.task.UpdateProgress(101)
        self.sees({"info.progress": 100})
        self.task.UpdateProgress(-1)
        self.sees({"info.progress": 0})


class Rules(LoggedIn):
    def refuses(self, expected, call, *args, **kwargs):
        with self.assertRaises(expected) as caught:
            call(*args, **kwargs)
        return caught.exception

    def test_created(self):
        task = self.create_task()
        info = task.info
        self.assertEqual(info.state, State.queued)
        self.assertEqual(info.descriptionId, "com.vmware.govmomi.simulator.test")
        self.assertIsNone(info.name)
        self.assertEqual((info.entity, info.entityName), (self.content.rootFolder, "Datacenters"))
        self.assertEqual(info.reason.userName, "pyvmomi")
        self.assertTrue(info.cancelable)
        self.assertIsNone(info.startTime)
        self.assertIn(task, self.content.taskManager.recentTask)

    def test_child(self):
        parent = self.create_task()
        child = self.content.taskManager.CreateTask(
            obj=self.content.rootFolder,
            taskTypeId="com.vmware.govmomi.simulator.test",
            cancelable=False,
            parentTaskKey=parent.info.key,
        )
        self.assertEqual(child.parentTaskKey, parent.info.key)
        self.assertEqual(child.rootTaskKey, parent.info.key)

    def test_unknown_type(self):
        create = self.content.taskManager.CreateTask
        fault = self.refuses(
            vmodl.fault.InvalidArgument, create, self.content.rootFolder, "no.such.task", None, True
        )
        self.assertEqual(fault.invalidProperty, "taskType")

    def test_progress_needs_a_running_task(self):
        task = self.create_task()
        self.refuses(vim.fault.InvalidState, task.UpdateProgress, 10)
        task.SetTaskState(State.running)
        task.UpdateProgress(10)
        task.SetTaskState(State.success)
        self.refuses(vim.fault.InvalidState, task.UpdateProgress, 20)

    def test_no_way_back(self):
        task = self.create_task()
        task.SetTaskState(State.running)
        started = task.info.startTime
        task.SetTaskState(State.running)
        self.assertEqual(task.info.startTime, started)
        self.refuses(vim.fault.InvalidState, task.SetTaskState, State.queued)
        for end in (State.success, State.error):
            task = self.create_task()
            task.SetTaskState(end)
            for state in (State.queued, State.running, State.success, State.error):
                self.refuses(vim.fault.InvalidState, task.SetTaskState, state)

    def test_result_and_fault_belong_to_their_state(self):
        task = self.create_task()
        fault = vim.fault.InvalidState()
        self.refuses(vim.fault.InvalidState, task.SetTaskState, State.running, result="x")
        self.refuses(vim.fault.InvalidState, task.SetTaskState, State.error, result="x")
        self.refuses(vim.fault.InvalidState, task.SetTaskState, State.success, fault=fault)
        self.assertEqual(task.info.state, State.queued)
        task.SetTaskState(State.error, fault=fault)
        self.assertIsInstance(task.info.error, vim.fault.InvalidState)

    def test_cancel_refused(self):
        task = self.create_task(cancelable=False)
        self.refuses(vmodl.fault.NotSupported, task.CancelTask)
        task.SetTaskState(State.success)
        self.refuses(vim.fault.InvalidState, task.CancelTask)

    def test_description(self):
        task = self.create_task()
        message = vmodl.LocalizableMessage(
            key="step", arg=[vmodl.KeyAnyValue(key="n", value=1)], message="Step 1"
        )
        task.SetTaskDescription(message)
        description = task.info.description
        self.assertEqual((description.key, description.message), ("step", "Step 1"))
        self.assertEqual([(a.key, a.value) for a in description.arg], [("n", 1)])

    def test_unknown_task(self):
        task = vim.Task("task-99999", self.si._stub)
        for call in (task.CancelTask, lambda: task.info, lambda: task.UpdateProgress(1)):
            self.refuses(vmodl.fault.ManagedObjectNotFound, call)


class Updates(LoggedIn):
    def test_whole_or_parts(self):
        """A filter's partialUpdates: the property as named, or the path that changed."""
        task = self.create_task()
        task.SetTaskState(State.running)
        whole = changes(self.si, task, ["info"], partial=False)
        parts = changes(self.si, task, ["info"], partial=True)
        for seen in (whole, parts):
            self.assertEqual(next(seen)["info"].state, State.running)
        task.UpdateProgress(40)
        info = next(whole)["info"]
        self.assertEqual((info.progress, info.key), (40, task._GetMoId()))
        self.assertEqual(next(parts), {"info.progress": 40})
        whole.close()
        parts.close()

    def test_wait_may_time_out(self):
        pc = self.content.propertyCollector.CreatePropertyCollector()
        task = self.create_task()
        query = vmodl.query.PropertyCollector
        spec = query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=task)],
            propSet=[query.PropertySpec(type=vim.Task, pathSet=["info.state"])],
        )
        pc.CreateFilter(spec, False)
        version = pc.WaitForUpdatesEx("", query.WaitOptions()).version
        self.assertIsNone(pc.WaitForUpdatesEx(version, query.WaitOptions(maxWaitSeconds=0)))
        self.assertIsNone(pc.CheckForUpdates(version))
        self.assertRaises(
            vmodl.query.InvalidCollectorVersion,
            pc.WaitForUpdatesEx,
            "no-version",
            query.WaitOptions(maxWaitSeconds=0),
        )
        task.SetTaskState(State.running)
        self.assertGreater(int(pc.CheckForUpdates(version).version), int(version))
        pc.DestroyPropertyCollector()

    def test_session_end_ends_the_wait(self):
        watcher = Watcher(self.create_task(), ["info.state"])
        self.assertEqual(watcher.next(), {"info.state": State.queued})
        self.content.sessionManager.TerminateSession([watcher.session])
        # It waits by now, or will find that it may not.
        self.assertIsInstance(
            watcher.next(), (vmodl.fault.RequestCanceled, vim.fault.NotAuthenticated)
        )
