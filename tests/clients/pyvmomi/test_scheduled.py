"""Scheduled tasks: made, run at once and by their time, watched by a second session."""

from datetime import datetime, timedelta, timezone

from pyVmomi import vim, vmodl

from vcenter import LoggedIn, State, changes, find, wait


def method(name, *values):
    arguments = [vim.action.MethodActionArgument(value=value) for value in values]
    return vim.action.MethodAction(name=name, argument=arguments)


def spec(name, scheduler, action):
    return vim.scheduler.ScheduledTaskSpec(
        name=name, description=name, enabled=True, scheduler=scheduler, action=action
    )


class Scheduled(LoggedIn):
    def setUp(self):
        super().setUp()
        self.manager = self.si.content.scheduledTaskManager
        self.vm = find(self.si, vim.VirtualMachine, "DC0_H0_VM0")

    def create(self, *parts):
        task = self.manager.CreateScheduledTask(self.vm, spec(*parts))
        self.addCleanup(task.RemoveScheduledTask)
        return task

    def until(self, watch, path, value):
        return next(change for change in watch if change.get(path) == value)

    def test_a_daily_power_off_run_now(self):
        hour = (self.si.CurrentTime().hour + 12) % 24  # far from now, whenever that is
        daily = vim.scheduler.DailyTaskScheduler(interval=1, hour=hour, minute=30)
        task = self.create("nightly", daily, method(vim.VirtualMachine.PowerOff))
        self.assertIn(task, self.manager.scheduledTask)
        self.assertEqual(self.manager.RetrieveEntityScheduledTask(self.vm), [task])
        info = task.info
        self.assertEqual((info.entity, info.taskObject), (self.vm, self.vm))
        self.assertEqual(info.action.name, vim.VirtualMachine.PowerOff)
        self.assertEqual((info.nextRunTime.hour, info.nextRunTime.minute), (hour, 30))
        self.assertLess(info.nextRunTime - self.si.CurrentTime(), timedelta(days=1))
        watch = changes(self.si, task, ["info.state"])
        next(watch)
        task.RunScheduledTask()
        self.until(watch, "info.state", State.success)
        watch.close()
        self.assertEqual(self.vm.runtime.powerState, "poweredOff")
        [run] = [
            run.info
            for run in self.vm.recentTask
            if isinstance(run.info.reason, vim.TaskReasonSchedule)
        ]
        self.assertEqual(run.reason.name, "nightly")
        self.assertEqual(run.reason.scheduledTask, task)
        self.assertEqual((run.descriptionId, run.entity), ("VirtualMachine.powerOff", self.vm))
        self.assertIsNotNone(task.info.prevRunTime)
        self.assertEqual(task.info.nextRunTime, info.nextRunTime)
        wait(self.vm.PowerOnVM_Task())

    def test_a_time_that_comes(self):
        at = self.si.CurrentTime() + timedelta(seconds=1)
        once = vim.scheduler.OnceTaskScheduler(runAt=at)
        task = self.create("soon", once, method(vim.VirtualMachine.Reset))
        watch = changes(self.si, task, ["info.state", "info.prevRunTime"])
        self.assertEqual(next(watch)["info.state"], State.queued)
        self.until(watch, "info.state", State.success)
        watch.close()
        self.assertGreaterEqual(task.info.prevRunTime, at)
        self.assertIsNone(task.info.nextRunTime)

    def test_arguments(self):
        clone = self.clone("before")
        now = vim.scheduler.OnceTaskScheduler()
        clone_spec = vim.vm.CloneSpec(
            location=vim.vm.RelocateSpec(), powerOn=False, template=False
        )
        for name, action in [
            ("rename", method(vim.ManagedEntity.Rename, "after")),
            ("clone", method(vim.VirtualMachine.Clone, clone.parent, "twin", clone_spec)),
        ]:
            task = self.manager.CreateObjectScheduledTask(clone, spec(name, now, action))
            watch = changes(self.si, task, ["info.state"])
            self.until(watch, "info.state", State.success)
            watch.close()
        self.assertEqual(clone.name, "after")
        twin = task.info.result
        self.assertEqual(twin.name, "twin")
        self.destroy(twin)

    def test_what_cannot_be(self):
        past = datetime(2000, 1, 1, tzinfo=timezone.utc)
        once = vim.scheduler.OnceTaskScheduler(runAt=past)
        with self.assertRaises(vmodl.fault.InvalidArgument) as refused:
            self.create("past", once, method(vim.VirtualMachine.Reset))
        self.assertEqual(refused.exception.invalidProperty, "spec.scheduler.runAt")
        hourly = vim.scheduler.HourlyTaskScheduler(interval=1, minute=0)
        self.create("one", hourly, method(vim.VirtualMachine.Reset))
        with self.assertRaises(vim.fault.DuplicateName):
            self.create("one", hourly, method(vim.VirtualMachine.Reset))

    def test_every_kind_is_described(self):
        description = self.manager.description
        kinds = [detail.key for detail in description.schedulerInfo]
        self.assertEqual(len(kinds), 7)
        self.assertEqual(len(description.dayOfWeek), 7)
