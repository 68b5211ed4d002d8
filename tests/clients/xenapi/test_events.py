"""Events, as clients use them that keep a copy of everything.

A server whose starts and stops take their time: -method-delay PowerOnVM:1500,PowerOffVM:1500.
"""

import threading

from pool import LoggedIn, connect

NAME = "DC0_H0_VM1"
CLASSES = {"vm": "VM", "host": "host", "pool": "pool", "task": "task"}


class Copy:
    """What a client knows of all objects, by events alone."""

    def __init__(self, test):
        self.test, self.token, self.objects = test, "", {}
        self.counts = {}

    def follow(self, timeout=0.0):
        """Take in what has happened, and tell it in short."""
        batch = self.test.xenapi.event_from(["*"], self.token, timeout)
        self.token, self.counts = batch["token"], batch["valid_ref_counts"]
        for event in batch["events"]:
            known = self.objects.setdefault(event["class"], {})
            if event["operation"] == "del":
                self.test.assertNotIn("snapshot", event)
                del known[event["ref"]]
            else:
                self.test.assertEqual(event["operation"] == "add", event["ref"] not in known)
                known[event["ref"]] = event["snapshot"]
        return [(event["class"], event["operation"]) for event in batch["events"]]

    def check(self):
        """It is what a client reads that asks for everything."""
        for name, proper in CLASSES.items():
            records = getattr(self.test.xenapi, proper).get_all_records()
            self.test.assertEqual(self.objects.get(name, {}), records, name)
            self.test.assertEqual(self.counts[name], len(records), name)


class Events(LoggedIn):
    def setUp(self):
        super().setUp()
        self.machine = self.vm(NAME)
        if self.xenapi.VM.get_power_state(self.machine) == "Halted":
            self.xenapi.VM.start(self.machine, False, False)

    def test_a_copy_by_events_is_complete(self):
        copy = Copy(self)
        copy.follow()
        copy.check()
        self.xenapi.VM.add_to_other_config(self.machine, "by", "tests")
        self.xenapi.VM.remove_from_other_config(self.machine, "by")
        copy.follow()
        copy.check()
        self.finish(self.xenapi.Async.VM.hard_shutdown(self.machine))
        clone = self.xenapi.VM.clone(self.machine, "copy of events")
        copy.follow()
        copy.check()
        self.assertEqual(copy.objects["vm"][self.machine]["power_state"], "Halted")
        self.assertEqual(copy.objects["vm"][clone]["name_label"], "copy of events")
        task = self.xenapi.task.create("own", "")
        self.xenapi.VM.destroy(clone)
        self.xenapi.task.set_status(task, "success")
        self.xenapi.task.destroy(task)
        self.assertIn(("vm", "del"), copy.follow())
        copy.check()

    def test_what_vsphere_does_is_told(self):
        copy = Copy(self)
        copy.follow()
        machine = self.vsphere_vm(self.vsphere(), NAME)
        task = machine.PowerOffVM_Task()
        while task.info.state not in ("success", "error"):
            told = copy.follow(5.0)
            self.assertTrue(told)
        copy.follow()
        copy.check()
        self.assertEqual(copy.objects["vm"][self.machine]["power_state"], "Halted")
        states = {record["status"] for record in copy.objects["task"].values()}
        self.assertIn("success", states)

    def test_injected_events_wake_who_waits(self):
        batch = self.xenapi.event_from([f"vm/{self.machine}"], "", 0.0)
        self.assertEqual([event["operation"] for event in batch["events"]], ["add"])
        other = connect()
        self.addCleanup(other.logout)
        told = []

        def wait():
            told.append(other.xenapi.event_from([f"VM/{self.machine}"], batch["token"], 20.0))

        waiting = threading.Thread(target=wait)
        waiting.start()
        token = self.xenapi.event.inject("VM", self.machine)
        waiting.join()
        [event] = told[0]["events"]
        self.assertEqual((event["operation"], event["ref"]), ("mod", self.machine))
        self.assertGreater(told[0]["token"], token)
        with self.failure("HANDLE_INVALID", "host", self.machine):
            self.xenapi.event.inject("host", self.machine)
        with self.failure("EVENT_FROM_TOKEN_PARSE_FAILURE", "no token"):
            self.xenapi.event_from(["*"], "no token", 1.0)

    def test_registered_sessions_hear_of_each_step(self):
        with self.failure("SESSION_NOT_REGISTERED"):
            self.xenapi.event.next()
        self.xenapi.event.register(["task"])
        task = self.xenapi.task.create("steps", "")
        for progress in (0.25, 0.5):
            self.xenapi.task.set_progress(task, progress)
        self.xenapi.task.set_status(task, "cancelled")
        self.xenapi.task.destroy(task)
        seen = []
        while not seen or seen[-1]["operation"] != "del":
            seen += [event for event in self.xenapi.event.next() if event["ref"] == task]
        self.assertEqual([event["operation"] for event in seen], ["add", "mod", "mod", "mod", "del"])
        self.assertEqual([event["snapshot"]["progress"] for event in seen[:3]], [0.0, 0.25, 0.5])
        self.assertGreater(float(seen[0]["timestamp"]), 1e9)
        self.assertGreaterEqual(int(self.xenapi.event.get_current_id()), int(seen[-1]["id"]))
        self.xenapi.event.unregister(["task"])
        with self.failure("SESSION_NOT_REGISTERED"):
            self.xenapi.event.next()

    def test_a_filter_finds_tasks(self):
        task = self.xenapi.task.create("to be found", "")
        found = self.xenapi.task.get_all_records_where(
            'field "name__label" = "to be found" and not field "status" = "success"'
        )
        self.assertEqual(found, {task: self.xenapi.task.get_record(task)})
        with self.failure("INVALID_VALUE", "nonsense"):
            self.xenapi.task.get_all_records_where("nonsense")
        self.xenapi.task.set_status(task, "success")
        self.xenapi.task.destroy(task)
