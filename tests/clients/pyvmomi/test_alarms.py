"""Alarms: one client declares and provokes them, another one sees what follows."""

import queue
import threading

from pyVim.connect import Disconnect
from pyVmomi import vim, vmodl

from vcenter import PATIENCE, PC, LoggedIn, await_power, connect, find, wait

VM = vim.VirtualMachine
Status = vim.ManagedEntity.Status


def is_off():
    return vim.alarm.StateAlarmExpression(
        operator=vim.alarm.StateAlarmExpression.StateOperator.isEqual,
        type=VM,
        statePath="runtime.powerState",
        red="poweredOff",
    )


def on_red(action):
    change = vim.alarm.AlarmTriggeringAction.TransitionSpec(
        startState="green", finalState="red", repeats=False
    )
    return vim.alarm.AlarmTriggeringAction(
        action=action,
        transitionSpecs=[change],
        green2yellow=False,
        yellow2red=False,
        red2yellow=False,
        yellow2green=False,
    )


class Bystander(threading.Thread):
    """A session that only watches: what the root folder shows as triggered, and new tasks."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen, self.ready = queue.Queue(), threading.Event()
        self.start()
        self.ready.wait(PATIENCE)

    def run(self):
        si = connect()
        try:
            self.follow(si)
        except (vim.fault.NotAuthenticated, vmodl.fault.RequestCanceled):
            pass
        except Exception as error:  # shown by whoever waits for what is seen
            self.seen.put(("error", error))
        finally:
            Disconnect(si)

    def follow(self, si):
        content = si.content
        collector = content.propertyCollector
        for obj, path in [
            (content.rootFolder, "triggeredAlarmState"),
            (content.taskManager, "recentTask"),
        ]:
            collector.CreateFilter(
                PC.FilterSpec(
                    objectSet=[PC.ObjectSpec(obj=obj)],
                    propSet=[PC.PropertySpec(type=type(obj), pathSet=[path])],
                ),
                False,
            )
        version = ""
        while True:
            updates = collector.WaitForUpdatesEx(version, PC.WaitOptions(maxWaitSeconds=PATIENCE))
            if updates is None:
                return
            version = updates.version
            self.ready.set()
            for filtered in updates.filterSet:
                for change in filtered.objectSet[0].changeSet:
                    self.tell(change)

    def tell(self, change):
        if change.name == "triggeredAlarmState":
            for state in change.val or []:
                name = state.alarm.info.name
                self.seen.put((name, state.entity.name, state.overallStatus))
            return
        for task in change.val or []:
            try:
                reason = task.info.reason
            except vmodl.fault.ManagedObjectNotFound:
                continue
            if isinstance(reason, vim.TaskReasonAlarm):
                seen = (reason.alarmName, reason.entityName, task.info.descriptionId)
                self.seen.put(seen)

    def until(self, wanted):
        """Wait until all that is wanted was seen."""
        left = set(wanted)
        while left:
            try:
                seen = self.seen.get(timeout=PATIENCE)
            except queue.Empty:
                raise TimeoutError(f"never seen: {left}") from None
            if seen[0] == "error":
                raise seen[1]
            left.discard(seen)


class Alarms(LoggedIn):
    def setUp(self):
        super().setUp()
        self.manager, self.root = self.content.alarmManager, self.content.rootFolder
        self.vm = find(self.si, VM, "DC0_H0_VM0")

    def create(self, name, expression, entity=None, action=None):
        spec = vim.alarm.AlarmSpec(
            name=name, description=name, enabled=True, expression=expression, action=action
        )
        alarm = self.manager.CreateAlarm(entity or self.root, spec)
        self.addCleanup(alarm.RemoveAlarm)
        return alarm

    def test_what_is_powered_off_is_powered_on_again(self):
        self.create(
            "was off",
            vim.alarm.EventAlarmExpression(
                eventType=vim.event.VmPoweredOffEvent, objectType=VM, status=Status.yellow
            ),
        )
        nothing = [vim.action.MethodActionArgument(value=None)]
        power_on = vim.action.MethodAction(name=VM.PowerOn, argument=nothing)
        alarm = self.create("is off", is_off(), action=on_red(power_on))
        bystander = Bystander()
        wait(self.vm.PowerOffVM_Task())
        bystander.until(
            [
                ("was off", "DC0_H0_VM0", Status.yellow),
                ("is off", "DC0_H0_VM0", "VirtualMachine.powerOn"),
            ]
        )
        await_power(self.si, self.vm, "poweredOn")
        [mine] = [state for state in self.vm.triggeredAlarmState if state.alarm.info.name == "was off"]
        event = self.content.eventManager.QueryEvents(
            vim.event.EventFilterSpec(
                eventChainId=0,
                entity=vim.event.EventFilterSpec.ByEntity(entity=self.vm, recursion="self"),
                type=[vim.event.VmPoweredOffEvent],
            )
        )
        self.assertIn(mine.eventKey, [it.key for it in event])
        self.assertEqual(self.vm.overallStatus, "yellow")
        self.assertEqual(self.vm.summary.overallStatus, "yellow")
        # Tasks and events are found by the alarm.
        collector = self.content.taskManager.CreateCollectorForTasks(
            vim.TaskFilterSpec(alarm=alarm)
        )
        [task] = collector.ReadNextTasks(10)
        self.assertEqual((task.descriptionId, task.entity), ("VirtualMachine.powerOn", self.vm))
        told = self.content.eventManager.QueryEvents(vim.event.EventFilterSpec(alarm=alarm))
        kinds = {type(event) for event in told}
        self.assertLessEqual(
            {
                vim.event.AlarmCreatedEvent,
                vim.event.AlarmStatusChangedEvent,
                vim.event.AlarmActionTriggeredEvent,
                vim.event.TaskEvent,
            },
            kinds,
        )

    def test_acknowledged_and_cleared(self):
        event = vim.alarm.EventAlarmExpression(
            eventType=vim.event.EventEx, eventTypeId="org.example.broken", objectType=VM, status="red"
        )
        alarm = self.create("broken", event, entity=self.vm)
        [state] = self.manager.GetAlarmState(self.vm)
        self.assertEqual((state.overallStatus, state.acknowledged), ("gray", False))
        self.content.eventManager.PostEvent(
            vim.event.EventEx(
                key=0,
                chainId=0,
                createdTime=self.si.CurrentTime(),
                userName="",
                eventTypeId="org.example.broken",
                objectId=self.vm._moId,
                objectType=type(self.vm),
            ),
            None,
        )
        [state] = self.vm.triggeredAlarmState
        self.assertEqual((state.alarm, state.entity, state.overallStatus), (alarm, self.vm, "red"))
        self.manager.AcknowledgeAlarm(alarm, self.vm)
        [state] = self.root.triggeredAlarmState
        self.assertTrue(state.acknowledged)
        self.assertIsNotNone(state.acknowledgedTime)
        self.assertTrue(self.manager.AreAlarmActionsEnabled(self.vm))
        self.manager.ClearTriggeredAlarms(vim.alarm.AlarmFilterSpec())
        self.assertEqual(list(self.root.triggeredAlarmState), [])
        [state] = self.manager.GetAlarmState(self.vm)
        self.assertEqual((state.overallStatus, state.acknowledged), ("green", False))
        # Of the expressions that the server proposes, each makes an alarm.
        for number, expression in enumerate(self.manager.defaultExpression):
            self.create(f"default {number}", expression)
