"""Rules, one by one, as a client meets them.

Each test starts a server of its own with a scenario: VIMSIM names the program.
"""

import http.client
import json
import os
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from pyVim.connect import Disconnect, SmartConnect
from pyVim.task import WaitForTask
from pyVmomi import vim, vmodl

from vcenter import PATIENCE, State, await_power, changes, find

PROGRAM = os.environ["VIMSIM"]
EXAMPLES = Path(os.environ["VIMSIM_EXAMPLES"]) / "scenarios"
#: What a client sees of a connection that ends without a whole reply; of half a document pyVmomi
#: only notices that it is not whole.
BROKEN = (OSError, http.client.HTTPException, ExpatError)


class Server:
    """A server with a scenario, on a free port."""

    def __init__(self, scenario, flags=()):
        self.file = None
        if isinstance(scenario, str):
            self.file = tempfile.NamedTemporaryFile("w", suffix=".toml")
            self.file.write(scenario)
            self.file.flush()
            scenario = self.file.name
        command = [PROGRAM, "-l", "127.0.0.1:0", "-scenario", str(scenario), *flags]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self.process.stdout.readline()
        [url] = [word.split("=", 1)[1] for word in line.split() if word.startswith("GOVC_URL=")]
        self.url = urlsplit(url)

    def connect(self, user="user", password="pass"):
        return SmartConnect(
            protocol=self.url.scheme,
            host=self.url.hostname,
            port=self.url.port,
            user=user,
            pwd=password,
            disableSslCertValidation=True,
        )

    def get(self, path):
        context = ssl._create_unverified_context()
        url = f"{self.url.scheme}://{self.url.hostname}:{self.url.port}{path}"
        with urllib.request.urlopen(url, context=context) as reply:
            return json.load(reply)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if self.file:
            self.file.close()


class Directed(unittest.TestCase):
    """A test with a server of its own."""

    def start(self, scenario, *flags):
        self.server = Server(scenario, flags)
        self.addCleanup(self.server.stop)
        self.si = self.server.connect()
        self.vm = self.find("DC0_H0_VM0")
        return self.si

    def rule(self, text, when="when.method = '*_Task'"):
        """Start with one rule about tasks."""
        return self.start(f"[[rule]]\n{when}\n{text}\n")

    def find(self, name, kind=vim.VirtualMachine):
        return find(self.si, kind, name)

    def power_off(self):
        return self.vm.PowerOffVM_Task()

    def watch(self, task):
        """All that is seen of a task's state and progress, to its end."""
        seen = []
        for change in changes(self.si, task, ["info.state", "info.progress"]):
            seen.append(change)
            if change.get("info.state") in (State.success, State.error):
                return seen

    def progress(self, task):
        """What a task says of its progress, to its end."""
        return [
            change["info.progress"] for change in self.watch(task) if "info.progress" in change
        ]

    def until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def clone(self, name="copy", power_on=False):
        spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=power_on, template=False)
        return self.vm.CloneVM_Task(folder=self.vm.parent, name=name, spec=spec)


class TaskRules(Directed):
    def test_queued_and_running_for_some_time(self):
        self.rule("task = { queued = '300ms', running = '400ms' }")
        task = self.power_off()
        self.assertEqual(task.info.state, State.queued)
        WaitForTask(task)
        info = task.info
        self.assertGreaterEqual((info.startTime - info.queueTime).total_seconds(), 0.3)
        self.assertGreaterEqual((info.completeTime - info.startTime).total_seconds(), 0.4)

    def test_running_by_chance(self):
        self.rule("task.running = { distribution = 'uniform', min = '100ms', max = '300ms' }")
        task = self.power_off()
        WaitForTask(task)
        took = (task.info.completeTime - task.info.startTime).total_seconds()
        self.assertTrue(0.1 <= took < 1, took)

    def test_linear(self):
        self.rule("task.running = '1s'")
        progress = [percent for percent in self.progress(self.power_off()) if percent is not None]
        self.assertGreater(len(progress), 3)
        self.assertEqual(progress, sorted(progress))

    def test_steps(self):
        self.rule("task = { running = '1s', progress = [10, 40, 30] }")
        self.assertEqual(self.progress(self.power_off()), [None, 10, 40, 30, None])

    def test_jumps(self):
        self.rule(
            "task.running = '1s'\n"
            "task.progress = [{ after = '200ms', percent = 90 }, { after = '400ms', percent = 91 }]"
        )
        self.assertEqual(self.progress(self.power_off()), [None, 90, 91, None])

    def test_no_progress(self):
        self.rule("task = { running = '500ms', progress = 'none' }")
        self.assertEqual([p for p in self.progress(self.power_off()) if p is not None], [])

    def test_backwards(self):
        self.rule("task = { running = '1s', progress = 'backwards' }")
        progress = [percent for percent in self.progress(self.power_off()) if percent is not None]
        self.assertGreater(len(progress), 3)
        self.assertEqual(progress, sorted(progress, reverse=True))

    def test_stall(self):
        self.rule("task = { running = '200ms', stall = { at = 60, for = '800ms' } }")
        task = self.power_off()
        time.sleep(0.5)
        self.assertEqual((task.info.state, task.info.progress), (State.running, 60))
        WaitForTask(task)
        took = (task.info.completeTime - task.info.startTime).total_seconds()
        self.assertGreaterEqual(took, 1.0)

    def test_progress_unset_half_way(self):
        self.rule("task = { running = '1s', progress = [20, 40, 80], unset = { from = 50, to = 70 } }")
        self.assertEqual(self.progress(self.power_off()), [None, 20, 40, None, 70, 80, None])

    def test_full_but_running(self):
        self.rule("task = { running = '100ms', full = '600ms' }")
        task = self.power_off()
        time.sleep(0.4)
        self.assertEqual((task.info.state, task.info.progress), (State.running, 100))
        self.assertEqual(self.vm.runtime.powerState, "poweredOn")
        WaitForTask(task)

    def test_cancelable(self):
        self.rule("task = { running = '10s', cancelable = true }")
        task = self.power_off()
        self.assertTrue(task.info.cancelable)
        task.CancelTask()
        with self.assertRaises(vmodl.fault.RequestCanceled):
            WaitForTask(task)
        self.assertEqual(self.vm.runtime.powerState, "poweredOn")

    def test_not_cancelable(self):
        self.rule("task = { running = '300ms', cancelable = false }")
        task = self.clone()
        self.assertFalse(task.info.cancelable)
        with self.assertRaises(vmodl.fault.NotSupported):
            task.CancelTask()
        WaitForTask(task)

    def test_cancelable_for_a_while(self):
        self.rule("task = { running = '500ms', cancelable = { until = 40 }, hold = { at = 60 } }")
        task = self.power_off()
        self.assertTrue(task.info.cancelable)
        self.until(lambda: task.info.progress == 60, "it does not get to 60 %")
        self.assertFalse(task.info.cancelable)
        with self.assertRaises(vmodl.fault.NotSupported):
            task.CancelTask()

    def test_cancelling_takes_a_while(self):
        self.rule("task = { running = '10s', stopping = '500ms' }")
        task = self.clone()
        task.CancelTask()
        info = task.info
        self.assertEqual((info.state, info.cancelled), (State.running, True))
        with self.assertRaises(vmodl.fault.RequestCanceled):
            WaitForTask(task)
        self.assertGreaterEqual((task.info.completeTime - info.startTime).total_seconds(), 0.5)

    def test_held_in_the_queue(self):
        self.rule("task.hold = 'queued'")
        task = self.power_off()
        time.sleep(0.3)
        self.assertEqual(task.info.state, State.queued)

    def test_held_on_the_way(self):
        self.rule("task = { running = '200ms', hold = { at = 63 } }")
        task = self.power_off()
        time.sleep(0.5)
        self.assertEqual((task.info.state, task.info.progress), (State.running, 63))

    def test_a_fault_with_its_fields(self):
        self.rule(
            "[rule.task]\nrunning = '500ms'\n[rule.task.fail]\nat = 60\n"
            "fault = 'InsufficientMemoryResourcesFault'\nmessage = 'No memory left.'\n"
            "fields = { unreserved = 5, requested = 4096 }"
        )
        task = self.power_off()
        # What happens at once is seen at once: 60 % and the failure.
        self.assertLess(max(percent or 0 for percent in self.progress(task)), 61)
        error = task.info.error
        self.assertIsInstance(error, vim.fault.InsufficientMemoryResourcesFault)
        self.assertEqual((error.unreserved, error.requested, error.msg), (5, 4096, "No memory left."))
        self.assertEqual(self.vm.runtime.powerState, "poweredOn")

    def test_a_given_result(self):
        other = "VirtualMachine:vm-999999"
        self.rule(f"task.result = '{other}'", "when.method = 'CloneVM_Task'")
        task = self.clone()
        WaitForTask(task)
        self.assertEqual(task.info.result._GetMoId(), "vm-999999")

    def test_vanishing(self):
        self.rule("task = { running = '400ms', vanish = { at = 50 } }")
        task = self.power_off()
        self.assertIn(task, self.si.content.taskManager.recentTask)
        with self.assertRaises(vmodl.fault.ManagedObjectNotFound) as caught:
            self.until(lambda: not task.info, "it does not vanish")
        self.assertEqual(caught.exception.obj, task)
        self.assertNotIn(task, self.si.content.taskManager.recentTask)
        self.assertEqual(self.vm.runtime.powerState, "poweredOn")

    def test_a_question(self):
        self.rule(
            "[rule.task]\nrunning = '200ms'\n[rule.task.question]\nat = 95\ntext = 'Sure?'\n"
            "choices = ['Yes', 'No']\ndefault = 1\nfailing = [1]",
            "when.method = 'PowerOffVM_Task'",
        )
        task = self.power_off()
        self.until(lambda: self.vm.runtime.question, "it does not ask")
        question = self.vm.runtime.question
        self.assertEqual((question.text, question.choice.defaultIndex), ("Sure?", 1))
        self.assertEqual([c.label for c in question.choice.choiceInfo], ["Yes", "No"])
        self.assertEqual((task.info.state, task.info.progress), (State.running, 95))
        with self.assertRaises(vmodl.fault.InvalidArgument):
            self.vm.AnswerVM(questionId="no such question", answerChoice="0")
        with self.assertRaises(vmodl.fault.InvalidArgument):
            self.vm.AnswerVM(questionId=question.id, answerChoice="2")
        self.vm.AnswerVM(questionId=question.id, answerChoice="0")
        WaitForTask(task)
        self.assertIsNone(self.vm.runtime.question)
        self.assertEqual(self.vm.runtime.powerState, "poweredOff")
        # And with the other answer.
        self.vm = self.find("DC0_H0_VM1")
        task = self.power_off()
        self.until(lambda: self.vm.runtime.question, "it does not ask")
        self.vm.AnswerVM(questionId=self.vm.runtime.question.id, answerChoice="1")
        with self.assertRaises(vim.fault.GenericVmConfigFault):
            WaitForTask(task)
        self.assertIsNone(self.vm.runtime.question)

    def test_hidden(self):
        self.rule("task.hidden = '400ms'")
        task = self.power_off()
        with self.assertRaises(vmodl.fault.ManagedObjectNotFound):
            task.info
        self.assertNotIn(task, self.si.content.taskManager.recentTask)
        time.sleep(0.5)
        self.assertEqual(task.info.state, State.success)

    def test_a_task_that_follows(self):
        self.rule(
            "task.follow = { method = 'PowerOnVM_Task', after = '200ms' }",
            "when.method = 'PowerOffVM_Task'",
        )
        WaitForTask(self.power_off())
        self.assertEqual(self.vm.runtime.powerState, "poweredOff")
        self.until(lambda: self.vm.runtime.powerState == "poweredOn", "nothing follows")


class Conditions(Directed):
    """Which operations a rule is about: it fails those."""

    FAIL = "task.fail.fault = 'Timedout'"

    def fails(self, task):
        try:
            WaitForTask(task)
            return False
        except vim.fault.Timedout:
            return True

    def check(self, when, wanted=("DC0_H0_VM0",), among=("DC0_H0_VM0", "DC0_C0_RP0_VM0")):
        self.rule(self.FAIL, when)
        failed = [name for name in among if self.fails(self.find(name).PowerOffVM_Task())]
        self.assertEqual(failed, list(wanted))

    def test_method(self):
        self.rule(self.FAIL, "when.method = ['Reset*', 'Suspend*']")
        self.assertFalse(self.fails(self.power_off()))
        self.assertFalse(self.fails(self.vm.PowerOnVM_Task()))
        self.assertTrue(self.fails(self.vm.ResetVM_Task()))
        self.assertTrue(self.fails(self.vm.SuspendVM_Task()))

    def test_description_id(self):
        self.rule(self.FAIL, "when.descriptionId = 'VirtualMachine.{reset,suspend}'")
        self.assertTrue(self.fails(self.vm.ResetVM_Task()))
        self.assertFalse(self.fails(self.power_off()))

    def test_entity_by_type(self):
        self.rule(self.FAIL, "when.entity.type = 'Folder'")
        self.assertFalse(self.fails(self.power_off()))
        self.assertTrue(self.fails(self.vm.parent.Rename_Task("machines")))

    def test_entity_by_name(self):
        self.check("when.entity.name = 'DC0_H0*'")

    def test_entity_by_path(self):
        self.check("when.entity.path = '/DC0/*/DC0_H0_VM0'")

    def test_entity_by_moref(self):
        self.start("")
        moref = self.vm._GetMoId()
        self.check(f"when.entity.moref = '{moref}'")

    def test_user(self):
        self.rule(self.FAIL, "when.user = '*ann'")
        self.assertFalse(self.fails(self.power_off()))
        self.si = self.server.connect(user="ann")
        self.assertTrue(self.fails(self.find("DC0_H0_VM1").PowerOffVM_Task()))

    def outcomes(self, times=12):
        return [self.fails(self.vm.ResetVM_Task()) for _ in range(times)]

    def test_nth(self):
        self.rule(self.FAIL, "when = { method = 'ResetVM_Task', nth = [2, 4] }")
        self.assertEqual(self.outcomes(5), [False, True, False, True, False])

    def test_times(self):
        self.rule(self.FAIL, "when = { method = 'ResetVM_Task', times = 2 }")
        self.assertEqual(self.outcomes(4), [True, True, False, False])

    def test_probability_by_seed(self):
        text = "seed = {seed}\n[[rule]]\nwhen = {{ method = 'ResetVM_Task', probability = 0.5 }}\n"
        seen = []
        for seed in (1, 1, 2):
            self.start(text.format(seed=seed) + self.FAIL)
            seen.append(self.outcomes())
        self.assertEqual(seen[0], seen[1])
        self.assertNotEqual(seen[0], seen[2])
        self.assertTrue({True, False} == set(seen[0]), seen[0])


class CallRules(Directed):
    POWER_OFF = "when = { method = 'PowerOffVM_Task', times = 1 }"

    def test_reply_delayed(self):
        self.rule("reply.delay = '500ms'", self.POWER_OFF)
        begun = time.monotonic()
        task = self.power_off()
        self.assertGreaterEqual(time.monotonic() - begun, 0.5)
        self.assertEqual(task.info.state, State.success)

    def broken(self, fate, effect):
        self.rule(f"reply.fate = '{fate}'", self.POWER_OFF)
        with self.assertRaises(BROKEN):
            self.power_off()
        # The client goes on with a new connection and the same session.
        await_power(self.si, self.vm, "poweredOff" if effect else "poweredOn")

    def test_reply_lost(self):
        self.broken("lost", True)

    def test_reply_cut(self):
        self.broken("cut", True)

    def test_connection_reset(self):
        self.broken("reset", True)

    def test_really_reset(self):
        self.start("[[rule]]\nwhen.method = 'CurrentTime'\nreply.fate = 'reset'\n", "-tls=false")
        with self.assertRaises(ConnectionResetError):
            self.si.CurrentTime()

    def test_unavailable(self):
        self.rule("reply.fate = 'unavailable'", self.POWER_OFF)
        with self.assertRaises(http.client.HTTPException) as caught:
            self.power_off()
        self.assertIn("503", str(caught.exception))
        self.assertEqual(self.vm.runtime.powerState, "poweredOn")

    def test_silent(self):
        self.rule("reply.fate = 'silent'", "when = { method = 'CurrentTime', times = 1 }")
        self.si._stub.schemeArgs["timeout"] = 0.5
        self.si._stub.DropConnections()
        with self.assertRaises(BROKEN):
            self.si.CurrentTime()

    def test_without_effect(self):
        self.rule("reply = { fate = 'lost', effect = false }", self.POWER_OFF)
        with self.assertRaises(BROKEN):
            self.power_off()
        self.assertEqual(self.vm.runtime.powerState, "poweredOn")

    def test_session_expired(self):
        self.rule("reply.sessionExpired = true", self.POWER_OFF)
        with self.assertRaises(vim.fault.NotAuthenticated):
            self.power_off()
        with self.assertRaises(vim.fault.NotAuthenticated):
            self.si.CurrentTime()
        self.si = self.server.connect()
        WaitForTask(self.find("DC0_H0_VM0").PowerOffVM_Task())

    def test_a_fault_instead(self):
        self.rule(
            "[rule.reply.fault]\nfault = 'HostNotConnected'\nmessage = 'Host is away.'",
            "when.method = 'CurrentTime'",
        )
        with self.assertRaises(vmodl.fault.HostNotConnected) as caught:
            self.si.CurrentTime()
        self.assertEqual(caught.exception.msg, "Host is away.")

    def test_other_arguments(self):
        self.rule(
            "arguments = { 'spec.powerOn' = false }", "when.method = 'CloneVM_Task'"
        )
        task = self.clone(power_on=True)
        WaitForTask(task)
        self.assertEqual(task.info.result.runtime.powerState, "poweredOff")

    def test_a_restart_afterwards(self):
        self.rule("then = { after = '300ms', restart = true }\ntask.running = '1m'", self.POWER_OFF)
        task = self.power_off()
        self.until(lambda: not self.is_logged_in(), "no restart")
        self.si = self.server.connect()
        self.assertEqual(vim.Task(task._GetMoId(), self.si._stub).info.state, State.error)

    def test_a_restart_by_itself(self):
        self.start("[[timer]]\nafter = '500ms'\nrestart = true\n")
        self.until(lambda: not self.is_logged_in(), "no restart")

    def test_tasks_lost_and_sessions_ended(self):
        self.rule("then = { loseTasks = true }", "when = { method = 'ResetVM_Task', times = 1 }")
        task = self.power_off()
        WaitForTask(task)
        lost = self.vm.ResetVM_Task()
        for task in (task, lost):
            self.until(lambda: self.is_gone(task), "it is not lost")
        self.assertTrue(self.is_logged_in())

    def is_gone(self, task):
        try:
            return not task.info
        except vmodl.fault.ManagedObjectNotFound:
            return True

    def is_logged_in(self):
        try:
            self.si.CurrentTime()
            return True
        except vim.fault.NotAuthenticated:
            return False

    def test_the_task_of_a_call_with_a_rule(self):
        self.rule("reply.delay = '50ms'\ntask.fail.fault = 'Timedout'", self.POWER_OFF)
        with self.assertRaises(vim.fault.Timedout):
            WaitForTask(self.power_off())


class Unmodelled(Directed):
    def test_without_a_rule_it_is_not_supported(self):
        self.start("")
        coverage = self.server.get("/about")["coverage"]
        self.assertEqual(coverage["PowerOnVM_Task"], "modelled")
        self.assertEqual(coverage["ExportAnswerFile_Task"], "scriptable")
        self.assertEqual(coverage["RetrieveAnswerFile"], "absent")
        with self.assertRaises(vmodl.fault.NotSupported):
            self.export()

    def export(self):
        """Something that nobody needs from a simulator."""
        return self.si.content.hostProfileManager.ExportAnswerFile_Task(self.vm.runtime.host)

    def test_with_a_rule_it_is_a_task(self):
        self.rule("task = { running = '300ms', result = '<answers/>' }", "when.method = 'Export*'")
        task = self.export()
        self.assertIn(task.info.state, (State.queued, State.running))
        WaitForTask(task)
        self.assertEqual(task.info.descriptionId, "profile.host.ProfileManager.exportAnswerFile")
        self.assertEqual(task.info.result, "<answers/>")
        self.assertEqual(self.si.content.taskManager.recentTask, [task])
