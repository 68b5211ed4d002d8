"""Every scenario under examples/scenarios shows the behaviour that it promises."""

import http.client
import time
import unittest

from pyVim.task import WaitForTask
from pyVmomi import vim, vmodl

from test_directing import BROKEN, EXAMPLES, Directed as Base
from vcenter import State, await_power

SEEN = set()


class Scenarios(Base):
    def example(self, name):
        SEEN.add(name)
        return self.start(EXAMPLES / f"{name}.toml")

    def test_late_reference(self):
        self.example("late-reference")
        task = self.clone()
        with self.assertRaises(vmodl.fault.ManagedObjectNotFound):
            task.info
        time.sleep(0.6)
        WaitForTask(task)
        self.assertEqual(task.info.result.name, "copy")

    def test_reference_gone(self):
        self.example("reference-gone")
        task = self.power_off()
        self.assertIn(task.info.state, (State.queued, State.running))
        with self.assertRaises((vim.fault.NotAuthenticated, vmodl.fault.ManagedObjectNotFound)):
            WaitForTask(task)
        self.until(self.is_logged_out, "the session does not end")
        self.si = self.server.connect()
        with self.assertRaises(vmodl.fault.ManagedObjectNotFound):
            vim.Task(task._GetMoId(), self.si._stub).info
        self.assertEqual(self.find("DC0_H0_VM0").runtime.powerState, "poweredOff")

    def is_logged_out(self):
        try:
            self.si.CurrentTime()
            return False
        except vim.fault.NotAuthenticated:
            return True

    def test_clone_power_on(self):
        self.example("clone-power-on")
        task = self.clone(power_on=True)
        WaitForTask(task)
        made = task.info.result
        self.assertEqual(made.runtime.powerState, "poweredOff")
        self.until(lambda: made.recentTask, "no second task")
        [second] = made.recentTask
        self.assertEqual(second.info.descriptionId, "VirtualMachine.powerOn")
        self.assertEqual(second.info.reason.userName, task.info.reason.userName)
        with self.assertRaises(vim.fault.TaskInProgress):
            WaitForTask(made.PowerOnVM_Task())
        WaitForTask(second)
        self.assertEqual(made.runtime.powerState, "poweredOn")

    def test_full_but_running(self):
        self.example("full-but-running")
        task = self.power_off()
        self.until(lambda: task.info.progress == 100, "it does not get to 100 %")
        self.assertEqual(task.info.state, State.running)
        self.assertEqual(self.vm.runtime.powerState, "poweredOn")
        WaitForTask(task)
        self.assertEqual(self.vm.runtime.powerState, "poweredOff")

    def test_question_at_95(self):
        self.example("question-at-95")
        WaitForTask(self.power_off())
        task = self.vm.PowerOnVM_Task()
        self.until(lambda: self.vm.runtime.question, "it does not ask")
        time.sleep(0.3)
        self.assertEqual((task.info.state, task.info.progress), (State.running, 95))
        self.vm.AnswerVM(questionId=self.vm.runtime.question.id, answerChoice="2")
        WaitForTask(task)
        self.assertEqual(self.vm.runtime.powerState, "poweredOn")

    def test_restart(self):
        self.example("restart")
        task = self.power_off()
        self.until(self.is_logged_out, "no restart")
        self.si = self.server.connect()
        info = vim.Task(task._GetMoId(), self.si._stub).info
        self.assertEqual(info.state, State.error)
        self.assertEqual(self.find("DC0_H0_VM0").runtime.powerState, "poweredOn")

    def test_stalls(self):
        self.example("stalls")
        task = self.clone()
        self.until(lambda: task.info.progress == 17, "it does not stall at 17 %")
        self.assertTrue(task.info.cancelable)
        task.CancelTask()
        time.sleep(0.3)
        self.assertEqual((task.info.state, task.info.cancelled), (State.running, True))
        with self.assertRaises(vmodl.fault.RequestCanceled):
            WaitForTask(task)

    def test_unavailable(self):
        self.example_without_start("unavailable")
        refused, answered = 0, 0
        for _ in range(40):
            try:
                self.si.content.rootFolder.name
                answered += 1
            except http.client.HTTPException as error:
                self.assertIn("503", str(error))
                refused += 1
        self.assertGreater(refused, 2)
        self.assertGreater(answered, 10)

    def example_without_start(self, name):
        """Start, but look nothing up, because that may fail."""
        from test_directing import Server

        SEEN.add(name)
        self.server = Server(EXAMPLES / f"{name}.toml")
        self.addCleanup(self.server.stop)
        self.si = self.server.connect()

    def test_flaky_network(self):
        self.example("flaky-network")
        # The reply to the first call is lost, its effect is there.
        with self.assertRaises(BROKEN):
            self.power_off()
        await_power(self.si, self.vm, "poweredOff")
        for _ in ("cut", "reset"):
            with self.assertRaises(BROKEN):
                self.vm.PowerOnVM_Task()
        await_power(self.si, self.vm, "poweredOn")
        begun = time.monotonic()
        WaitForTask(self.vm.ResetVM_Task())
        self.assertGreaterEqual(time.monotonic() - begun, 2)

    def test_scripted(self):
        self.example("scripted")
        task = self.si.content.hostProfileManager.ExportAnswerFile_Task(self.vm.runtime.host)
        self.assertEqual([p for p in self.progress(task) if p is not None], [10, 50, 90])
        self.assertEqual(task.info.result, "<answerFile/>")

    @classmethod
    def tearDownClass(cls):
        there = {path.stem for path in EXAMPLES.glob("*.toml")}
        assert there == SEEN, f"scenarios without a test: {there - SEEN}"


del Base

if __name__ == "__main__":
    unittest.main()
