"""A server whose tasks take their time: -method-delay PowerOffVM:4000,CloneVM:30000."""

from pyVim.task import WaitForTask
from pyVmomi import vim, vmodl

from vcenter import LoggedIn, State, Watcher, changes


class Slow(LoggedIn):
    def test_watched_by_another(self):
        vm = self.find(vim.VirtualMachine, "DC0_H0_VM0")
        task = vm.PowerOffVM_Task()
        watcher = Watcher(task, ["info.state", "info.progress"])
        while watcher.next().get("info.state") != State.running:
            pass

        # Meanwhile the virtual machine can be read, and is still on.
        self.assertEqual(vm.runtime.powerState, "poweredOn")
        self.assertEqual(task.info.state, State.running)
        self.assertIn(vm, task.info.locked)
        self.assertEqual(vm.config.name, "DC0_H0_VM0")

        # And nothing else may be done to it.
        with self.assertRaises(vim.fault.TaskInProgress) as caught:
            WaitForTask(vm.PowerOffVM_Task())
        self.assertEqual(caught.exception.task, task)

        progress, change = [], {}
        while change.get("info.state") != State.success:
            change = watcher.next()
            progress.append(change.get("info.progress"))
        progress = [percent for percent in progress if percent is not None]
        self.assertGreater(len(progress), 1)
        self.assertEqual(progress, sorted(progress))
        self.assertEqual(vm.runtime.powerState, "poweredOff")
        self.assertEqual(len(task.info.locked), 0)

    def test_other_machines_are_not_slowed(self):
        slow = self.find(vim.VirtualMachine, "DC0_H0_VM1").PowerOffVM_Task()
        other = self.find(vim.VirtualMachine, "DC0_C0_RP0_VM0")
        WaitForTask(other.ResetVM_Task())
        self.assertEqual(slow.info.state, State.running)
        WaitForTask(slow)

    def test_the_end_is_one_change(self):
        """The task's success and its effect are seen together."""
        vm = self.find(vim.VirtualMachine, "DC0_C0_RP0_VM1")
        seen = changes(self.si, vm, ["runtime.powerState"])
        self.assertEqual(next(seen), {"runtime.powerState": "poweredOn"})
        task = vm.PowerOffVM_Task()
        self.assertEqual(next(seen), {"runtime.powerState": "poweredOff"})
        self.assertEqual(task.info.state, State.success)
        seen.close()

    def test_cancelled_work_leaves_nothing(self):
        vm = self.find(vim.VirtualMachine, "DC0_C0_RP0_VM0")
        before = list(vm.parent.childEntity)
        spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=False, template=False)
        task = vm.CloneVM_Task(folder=vm.parent, name="cancelled", spec=spec)
        self.assertTrue(task.info.cancelable)
        task.CancelTask()
        with self.assertRaises(vmodl.fault.RequestCanceled):
            WaitForTask(task)
        info = task.info
        self.assertEqual((info.state, info.cancelled), (State.error, True))
        self.assertIsNone(info.result)
        self.assertEqual(list(vm.parent.childEntity), before)
        with self.assertRaises(vim.fault.InvalidState):
            task.CancelTask()

    def test_what_cannot_be_cancelled(self):
        task = self.find(vim.VirtualMachine, "DC0_C0_RP0_VM0").PowerOffVM_Task()
        with self.assertRaises(vmodl.fault.NotSupported):
            task.CancelTask()
        WaitForTask(task)
