"""A server whose starts and stops take their time: -method-delay PowerOnVM:1500,PowerOffVM:1500."""

import threading
import time

from pool import PATIENCE, LoggedIn, connect

NAME = "DC0_H0_VM0"


class Tasks(LoggedIn):
    def setUp(self):
        super().setUp()
        self.machine = self.vm(NAME)
        self.power("Halted")

    def power(self, state):
        """Bring the machine there, whatever it was."""
        if self.xenapi.VM.get_power_state(self.machine) != state:
            if state == "Halted":
                self.xenapi.VM.clean_shutdown(self.machine)
            else:
                self.xenapi.VM.start(self.machine, False, False)

    def test_followed_by_polling(self):
        task = self.xenapi.Async.VM.start(self.machine, False, False)
        record = self.xenapi.task.get_record(task)
        self.assertEqual(record["name_label"], "Async.VM.start")
        self.assertEqual(record["status"], "pending")
        self.assertEqual(record["allowed_operations"], ["cancel"])
        self.assertEqual(self.xenapi.VM.get_current_operations(self.machine), {task: "start"})
        self.assertEqual(self.xenapi.VM.get_allowed_operations(self.machine), [])
        record = self.finish(task)
        self.assertEqual(record["status"], "success")
        self.assertEqual(record["result"], "<value></value>")
        self.assertEqual(record["progress"], 1.0)
        self.assertEqual(self.xenapi.VM.get_power_state(self.machine), "Running")
        self.assertEqual(self.xenapi.VM.get_current_operations(self.machine), {})
        self.xenapi.task.destroy(task)
        with self.failure("HANDLE_INVALID", "task", task):
            self.xenapi.task.get_status(task)

    def test_followed_by_events(self):
        task = self.xenapi.Async.VM.start(self.machine, False, False)
        seen = self.watch(task)
        self.assertEqual(seen[0]["status"], "pending")
        self.assertEqual(seen[-1]["status"], "success")
        progress = [record["progress"] for record in seen]
        self.assertEqual(progress, sorted(progress))
        self.assertGreater(len(seen), 2)

    def test_cancelled_by_way_of_the_machine(self):
        task = self.xenapi.Async.VM.start(self.machine, False, False)
        [(found, operation)] = self.xenapi.VM.get_current_operations(self.machine).items()
        self.assertEqual((found, operation), (task, "start"))
        self.xenapi.task.cancel(found)
        record = self.finish(task)
        self.assertEqual((record["status"], record["error_info"]), ("cancelled", []))
        self.assertEqual(self.xenapi.VM.get_power_state(self.machine), "Halted")

    def test_a_cancelled_call_says_so(self):
        other = connect()
        self.addCleanup(other.logout)

        def cancel():
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                for task in other.xenapi.VM.get_current_operations(self.machine):
                    other.xenapi.task.cancel(task)
                    return
                time.sleep(0.02)

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with self.failure("TASK_CANCELLED"):
            self.xenapi.VM.start(self.machine, False, False)
        canceller.join()

    def test_one_thing_at_a_time(self):
        task = self.xenapi.Async.VM.start(self.machine, False, False)
        busy = ["OTHER_OPERATION_IN_PROGRESS", "VM", self.machine, "start", task]
        with self.failure(*busy):
            self.xenapi.VM.destroy(self.machine)
        # The asynchronous form says it by its task.
        second = self.finish(self.xenapi.Async.VM.start(self.machine, False, False))
        self.assertEqual((second["status"], second["error_info"]), ("failure", busy))
        self.finish(task)
        with self.failure("VM_BAD_POWER_STATE", self.machine, "halted", "running"):
            self.xenapi.VM.start(self.machine, False, False)

    def test_a_task_of_ones_own(self):
        task = self.xenapi.task.create("Backup", "of everything")
        self.xenapi.task.set_progress(task, 0.25)
        self.assertEqual(self.xenapi.task.get_progress(task), 0.25)
        self.xenapi.task.set_result(task, "all of it")
        self.xenapi.task.set_status(task, "success")
        record = self.xenapi.task.get_record(task)
        self.assertEqual(record["name_label"], "Backup")
        self.assertEqual(record["name_description"], "of everything")
        self.assertEqual((record["status"], record["result"]), ("success", "all of it"))
        self.assertEqual(str(record["finished"]), "19700101T00:00:00Z")
        self.xenapi.task.destroy(task)
        self.assertNotIn(task, self.xenapi.task.get_all())

    def test_cancelled_by_pyvmomi(self):
        task = self.xenapi.Async.VM.start(self.machine, False, False)
        si = self.vsphere()
        machine = self.vsphere_vm(si, NAME)
        [same] = [one for one in machine.recentTask if one.info.state in ("running", "queued")]
        self.assertEqual(same.info.descriptionId, "VirtualMachine.powerOn")
        self.assertEqual(same.info.entity, machine)
        self.assertTrue(same.info.cancelable)
        same.CancelTask()
        record = self.finish(task)
        self.assertEqual((record["status"], record["error_info"]), ("cancelled", []))
        self.assertEqual(same.info.state, "error")
        self.assertTrue(same.info.cancelled)
        # What XenAPI destroys is still there for others.
        self.xenapi.task.destroy(task)
        self.assertEqual(same.info.state, "error")

    def test_started_by_pyvmomi(self):
        si = self.vsphere()
        machine = self.vsphere_vm(si, NAME)
        task = machine.PowerOnVM_Task()
        [(reference, operation)] = self.xenapi.VM.get_current_operations(self.machine).items()
        self.assertEqual(operation, "start")
        record = self.finish(reference)
        self.assertEqual(record["status"], "success")
        self.assertEqual(task.info.state, "success")
        self.assertEqual(self.xenapi.VM.get_power_state(self.machine), "Running")

    def test_clone_and_destroy(self):
        clone = self.xenapi.VM.clone(self.machine, "copy")
        self.assertEqual(self.xenapi.VM.get_name_label(clone), "copy")
        task = self.finish(self.xenapi.Async.VM.clone(clone, "copy of the copy"))
        second = task["result"].removeprefix("<value>").removesuffix("</value>")
        self.assertEqual(self.xenapi.VM.get_by_name_label("copy of the copy"), [second])
        for vm in (clone, second):
            self.xenapi.VM.destroy(vm)
            with self.failure("HANDLE_INVALID", "VM", vm):
                self.xenapi.VM.get_record(vm)
