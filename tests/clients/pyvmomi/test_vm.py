"""What people do with virtual machines, and the tasks that do it."""

import unittest

from pyVim.task import WaitForTask, WaitForTasks
from pyVmomi import vim, vmodl

from vcenter import LoggedIn, State, changes, wait

VM = vim.VirtualMachine
Power = vim.VirtualMachine.PowerState
Device = vim.vm.device
Change = vim.vm.device.VirtualDeviceSpec


class PowerCycle(LoggedIn):
    def setUp(self):
        super().setUp()
        self.vm = self.clone("power-cycle")

    def test_cycle(self):
        for method, state in (
            ("PowerOnVM_Task", Power.poweredOn),
            ("ResetVM_Task", Power.poweredOn),
            ("SuspendVM_Task", Power.suspended),
            ("PowerOnVM_Task", Power.poweredOn),
            ("PowerOffVM_Task", Power.poweredOff),
        ):
            with self.subTest(method):
                self.assertEqual(WaitForTask(getattr(self.vm, method)()), State.success)
                self.assertEqual(self.vm.runtime.powerState, state)
                self.assertEqual(self.vm.summary.runtime.powerState, state)

    def test_task_tells_what_it_did(self):
        task = self.vm.PowerOnVM_Task()
        WaitForTask(task)
        info = task.info
        self.assertEqual((info.key, info.task), (task._GetMoId(), task))
        self.assertEqual(info.name.info.wsdlName, "PowerOnVM_Task")
        self.assertEqual(info.descriptionId, "VirtualMachine.powerOn")
        self.assertEqual((info.entity, info.entityName), (self.vm, "power-cycle"))
        self.assertEqual(info.reason.userName, "user")
        self.assertLessEqual(info.queueTime, info.startTime)
        self.assertLessEqual(info.startTime, info.completeTime)
        self.assertFalse(info.cancelled)
        for unset in (info.error, info.result, info.progress):
            self.assertIsNone(unset)
        self.assertEqual(len(info.locked), 0)
        self.assertIn(task, self.vm.recentTask)
        self.assertIn(task, self.content.taskManager.recentTask)
        labels = {d.key: d.label for d in self.content.taskManager.description.methodInfo}
        self.assertEqual(labels[info.descriptionId], "Power On virtual machine")

    def test_wrong_state(self):
        # The fault arrives in the task, not at the call.
        task = self.vm.PowerOffVM_Task()
        with self.assertRaises(vim.fault.InvalidPowerState) as caught:
            WaitForTask(task)
        self.assertEqual(caught.exception.requestedState, Power.poweredOff)
        self.assertEqual(caught.exception.existingState, Power.poweredOff)
        self.assertEqual(task.info.state, State.error)
        self.assertEqual(
            task.info.error.msg,
            "The attempted operation cannot be performed in the current state (Powered off).",
        )

    def test_many_at_once(self):
        vms = [self.vm] + [self.clone(f"power-cycle-{n}") for n in range(3)]
        WaitForTasks([vm.PowerOnVM_Task() for vm in vms])
        self.assertEqual({vm.runtime.powerState for vm in vms}, {Power.poweredOn})

    def test_many_by_one_call(self):
        vms = [self.vm, self.clone("power-cycle-2")]
        result = wait(self.find(vim.Datacenter, "DC0").PowerOnMultiVM_Task(vms))
        self.assertEqual(len(result.attempted) + len(result.recommendations), 2)
        self.assertEqual({vm.runtime.powerState for vm in vms}, {Power.poweredOn})


class Reconfigure(LoggedIn):
    def setUp(self):
        super().setUp()
        self.vm = self.clone("reconfigure")

    def reconfigure(self, **spec):
        return wait(self.vm.ReconfigVM_Task(vim.vm.ConfigSpec(**spec)))

    def devices(self, kind):
        return [device for device in self.vm.config.hardware.device if isinstance(device, kind)]

    def test_processors_and_memory(self):
        self.reconfigure(numCPUs=4, memoryMB=4096)
        self.assertEqual(self.vm.config.hardware.numCPU, 4)
        self.assertEqual(self.vm.config.hardware.memoryMB, 4096)
        self.assertEqual(self.vm.summary.config.numCpu, 4)
        self.assertEqual(self.vm.summary.config.memorySizeMB, 4096)

    def test_notes(self):
        self.reconfigure(annotation="line one\nÜ <&> \"two\"")
        self.assertEqual(self.vm.config.annotation, "line one\nÜ <&> \"two\"")
        self.assertEqual(self.vm.summary.config.annotation, self.vm.config.annotation)

    def test_extra_options(self):
        option = vim.option.OptionValue
        self.reconfigure(extraConfig=[option(key="guestinfo.a", value="1")])
        self.reconfigure(extraConfig=[option(key="guestinfo.b", value="2")])
        options = {o.key: o.value for o in self.vm.config.extraConfig}
        self.assertEqual((options["guestinfo.a"], options["guestinfo.b"]), ("1", "2"))
        self.reconfigure(extraConfig=[option(key="guestinfo.a", value="")])
        self.assertNotIn("guestinfo.a", {o.key for o in self.vm.config.extraConfig})

    def test_name(self):
        self.reconfigure(name="renamed")
        self.assertEqual((self.vm.name, self.vm.config.name), ("renamed", "renamed"))

    def test_disk(self):
        [first] = self.devices(Device.VirtualDisk)
        disk = Device.VirtualDisk(
            key=-1,
            controllerKey=first.controllerKey,
            unitNumber=first.unitNumber + 1,
            capacityInKB=1024 * 1024,
            backing=Device.VirtualDisk.FlatVer2BackingInfo(
                diskMode="persistent", thinProvisioned=True, fileName=""
            ),
        )
        self.reconfigure(
            deviceChange=[
                Change(
                    operation=Change.Operation.add,
                    fileOperation=Change.FileOperation.create,
                    device=disk,
                )
            ]
        )
        [_, added] = self.devices(Device.VirtualDisk)
        self.assertGreater(added.key, 0)
        self.assertEqual(added.capacityInKB, 1024 * 1024)
        self.assertEqual(added.capacityInBytes, 1024**3)
        self.assertRegex(added.backing.fileName, r"^\[LocalDS_0\] .+\.vmdk$")
        self.reconfigure(
            deviceChange=[
                Change(
                    operation=Change.Operation.remove,
                    fileOperation=Change.FileOperation.destroy,
                    device=added,
                )
            ]
        )
        self.assertEqual([d.key for d in self.devices(Device.VirtualDisk)], [first.key])

    def test_network_card(self):
        network = self.vm.network[0]
        backing = Device.VirtualEthernetCard.NetworkBackingInfo(deviceName="VM Network")
        card = Device.VirtualVmxnet3(key=-1, backing=backing)
        self.reconfigure(deviceChange=[Change(operation=Change.Operation.add, device=card)])
        [_, added] = self.devices(Device.VirtualEthernetCard)
        self.assertIsInstance(added, Device.VirtualVmxnet3)
        self.assertRegex(added.macAddress, r"^00:(0c:29|50:56)(:[0-9a-f]{2}){3}$")
        self.reconfigure(deviceChange=[Change(operation=Change.Operation.remove, device=added)])
        self.assertEqual(len(self.devices(Device.VirtualEthernetCard)), 1)
        self.assertIn(network, self.vm.network)

    def test_unknown_device_changes_nothing(self):
        before = self.vm.config
        ghost = Device.VirtualDisk(key=9999, controllerKey=1000, capacityInKB=1)
        with self.assertRaises(vim.fault.InvalidDeviceSpec):
            self.reconfigure(
                numCPUs=8, deviceChange=[Change(operation=Change.Operation.remove, device=ghost)]
            )
        self.assertEqual(self.vm.config.hardware.numCPU, before.hardware.numCPU)
        self.assertEqual(self.vm.config.changeVersion, before.changeVersion)


class Lifecycle(LoggedIn):
    def test_clone(self):
        source = self.find(VM, "DC0_C0_RP0_VM0")
        clone = self.clone("clone", "DC0_C0_RP0_VM0")
        self.assertEqual((clone.name, clone.parent), ("clone", source.parent))
        self.assertEqual(clone.runtime.powerState, Power.poweredOff)
        self.assertIn(clone, source.parent.childEntity)
        self.assertEqual(clone.config.hardware.memoryMB, source.config.hardware.memoryMB)
        for unique in ("uuid", "instanceUuid"):
            self.assertNotEqual(getattr(clone.config, unique), getattr(source.config, unique))
        self.assertEqual(self.find(VM, "clone"), clone)

    def test_name_taken(self):
        vm = self.find(VM, "DC0_H0_VM0")
        with self.assertRaises(vim.fault.DuplicateName) as caught:
            self.clone(vm.name)
        self.assertEqual((caught.exception.name, caught.exception.object), (vm.name, vm))

    def test_create(self):
        vm = self.find(VM, "DC0_H0_VM0")
        spec = vim.vm.ConfigSpec(
            name="created",
            guestId="otherGuest",
            numCPUs=2,
            memoryMB=512,
            files=vim.vm.FileInfo(vmPathName="[LocalDS_0]"),
        )
        created = wait(vm.parent.CreateVM_Task(spec, vm.resourcePool, vm.runtime.host))
        self.addCleanup(self.destroy, created)
        self.assertEqual(created.config.hardware.memoryMB, 512)
        self.assertEqual(created.config.guestId, "otherGuest")
        self.assertEqual(created.config.files.vmPathName, "[LocalDS_0] created/created.vmx")

    def test_rename(self):
        vm = self.clone("before")
        wait(vm.Rename_Task("after"))
        self.assertEqual((vm.name, vm.summary.config.name), ("after", "after"))
        with self.assertRaises(vim.fault.DuplicateName):
            wait(vm.Rename_Task("DC0_H0_VM0"))
        self.assertEqual(vm.name, "after")

    def test_destroy(self):
        vm = self.clone("short-lived")
        folder = vm.parent
        task = vm.Destroy_Task()
        WaitForTask(task)
        with self.assertRaises(vmodl.fault.ManagedObjectNotFound):
            vm.name
        self.assertNotIn(vm, folder.childEntity)
        # The task outlives the virtual machine.
        self.assertEqual(task.info.entityName, "short-lived")
        self.assertEqual(task.info.descriptionId, "VirtualMachine.destroy")

    def test_destroy_needs_power_off(self):
        vm = self.find(VM, "DC0_H0_VM1")
        with self.assertRaises(vim.fault.InvalidPowerState) as caught:
            WaitForTask(vm.Destroy_Task())
        self.assertEqual(caught.exception.existingState, Power.poweredOn)
        self.assertEqual(vm.name, "DC0_H0_VM1")

    def test_destroyed_and_created_are_seen(self):
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [VM], True)
        seen = changes(self.si, view, ["view"])
        before = set(next(seen)["view"])
        vm = self.clone("seen")
        self.assertEqual(set(next(seen)["view"]) - before, {vm})
        self.destroy(vm)
        self.assertEqual(set(next(seen)["view"]), before)
        seen.close()

    def test_not_modelled_is_not_supported(self):
        vm = self.find(VM, "DC0_H0_VM0")
        with self.assertRaises(vmodl.fault.NotSupported) as caught:
            WaitForTask(vm.CreateSecondaryVM_Task(None))
        self.assertIn("CreateSecondaryVM_Task", caught.exception.msg)


class Maintenance(LoggedIn):
    def test_in_and_out(self):
        host = next(
            host
            for host in self.find(vim.ClusterComputeResource, "DC0_C0").host
            if all(vm.runtime.powerState == Power.poweredOff for vm in host.vm)
        )
        wait(host.EnterMaintenanceMode_Task(0))
        self.assertTrue(host.runtime.inMaintenanceMode)
        self.assertTrue(host.summary.runtime.inMaintenanceMode)
        with self.assertRaises(vim.fault.InvalidState):
            WaitForTask(host.EnterMaintenanceMode_Task(0))
        wait(host.ExitMaintenanceMode_Task(0))
        self.assertFalse(host.runtime.inMaintenanceMode)


class Guest(LoggedIn):
    def test_customized_when_it_starts(self):
        vm = self.clone("customized")
        identity = vim.vm.customization.LinuxPrep(
            hostName=vim.vm.customization.FixedName(name="web"), domain="example.org"
        )
        settings = vim.vm.customization.IPSettings(
            ip=vim.vm.customization.FixedIp(ipAddress="10.0.0.7"), subnetMask="255.0.0.0"
        )
        spec = vim.vm.customization.Specification(
            identity=identity,
            globalIPSettings=vim.vm.customization.GlobalIPSettings(),
            nicSettingMap=[vim.vm.customization.AdapterMapping(adapter=settings)],
        )
        vm.CheckCustomizationSpec(spec)
        wait(vm.CustomizeVM_Task(spec))
        with self.assertRaises(vim.fault.CustomizationPending):
            WaitForTask(vm.CustomizeVM_Task(spec))
        wait(vm.PowerOnVM_Task())
        self.assertEqual((vm.guest.hostName, vm.guest.ipAddress), ("web", "10.0.0.7"))
        self.assertTrue(vm.AcquireTicket("webmks").url.startswith("wss://"))


class Alarms(LoggedIn):
    def test_declared_and_removed(self):
        vm, manager = self.find(VM, "DC0_H0_VM0"), self.content.alarmManager
        state = vim.alarm.StateAlarmExpression(
            operator=vim.alarm.StateAlarmExpression.StateOperator.isEqual,
            type=VM,
            statePath="runtime.powerState",
            red="poweredOff",
        )
        spec = vim.alarm.AlarmSpec(name="off", description="is off", enabled=True, expression=state)
        alarm = manager.CreateAlarm(vm, spec)
        self.assertEqual(list(manager.GetAlarm(vm)), [alarm])
        self.assertEqual((alarm.info.name, alarm.info.entity), ("off", vm))
        self.assertEqual(vm.declaredAlarmState[0].alarm, alarm)
        alarm.RemoveAlarm()
        self.assertEqual(len(manager.GetAlarm(vm)), 0)
