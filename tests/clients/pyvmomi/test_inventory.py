"""Walk the default inventory: every object, every property, in pages, by search."""

import unittest

from pyVmomi import vim, vmodl
from pyVmomi.VmomiSupport import IsChildVersion, ManagedObject

from vcenter import PC, LoggedIn

VMS = ["DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1", "DC0_H0_VM0", "DC0_H0_VM1"]
HOSTS = ["DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2", "DC0_H0"]


class Inventory(LoggedIn):
    def view(self, *kinds):
        view = self.content.viewManager.CreateContainerView(
            self.content.rootFolder, list(kinds), True
        )
        self.addCleanup(view.DestroyView)
        return view

    def all_of(self, kind, paths=(), max_objects=None):
        """Pages of everything of a kind, by the collector."""
        walk = PC.TraversalSpec(type=vim.view.ContainerView, path="view", skip=False)
        spec = PC.FilterSpec(
            objectSet=[PC.ObjectSpec(obj=self.view(kind), skip=True, selectSet=[walk])],
            propSet=[PC.PropertySpec(type=kind, all=not paths, pathSet=list(paths))],
        )
        pc = self.content.propertyCollector
        page = pc.RetrievePropertiesEx([spec], PC.RetrieveOptions(maxObjects=max_objects))
        while page:
            yield page.objects
            page = pc.ContinueRetrievePropertiesEx(page.token) if page.token else None

    def test_tree(self):
        root = self.content.rootFolder
        self.assertEqual(root.name, "Datacenters")
        [datacenter] = root.childEntity
        self.assertEqual(datacenter.name, "DC0")
        self.assertEqual(datacenter.parent, root)
        names = {
            folder: sorted(child.name for child in getattr(datacenter, folder).childEntity)
            for folder in ("vmFolder", "hostFolder", "datastoreFolder", "networkFolder")
        }
        self.assertEqual(names["vmFolder"], VMS)
        self.assertEqual(names["hostFolder"], ["DC0_C0", "DC0_H0"])
        self.assertEqual(names["datastoreFolder"], ["LocalDS_0"])
        self.assertEqual(len(names["networkFolder"]), 4)
        for name in ("DC0_DVPG0", "DVS0", "VM Network"):
            self.assertIn(name, names["networkFolder"])

    def test_views(self):
        for kind, names in ((vim.VirtualMachine, VMS), (vim.HostSystem, HOSTS)):
            self.assertEqual(sorted(entity.name for entity in self.view(kind).view), names)
        both = self.view(vim.VirtualMachine, vim.HostSystem).view
        self.assertEqual(len(both), len(VMS) + len(HOSTS))

    def properties(self, obj):
        """The names of an object's properties in the version that is spoken."""
        version = self.si._stub.version
        return [p.name for p in obj._GetPropertyList() if IsChildVersion(version, p.version)]

    def test_every_property_of_every_entity(self):
        count = 0
        for objects in self.all_of(vim.ManagedEntity):
            for content in objects:
                with self.subTest(content.obj):
                    self.assertEqual(list(content.missingSet or ()), [])
                    known = self.properties(content.obj)
                    self.assertLessEqual({p.name for p in content.propSet}, set(known))
                    count += 1
        self.assertGreaterEqual(count, 21)

    def test_one_property_at_a_time(self):
        for name in VMS[:1] + HOSTS[:1]:
            kind = vim.VirtualMachine if name in VMS else vim.HostSystem
            entity = self.find(kind, name)
            for path in self.properties(entity):
                with self.subTest(f"{name}.{path}"):
                    getattr(entity, path)

    def test_every_manager(self):
        for info in self.content._GetPropertyList():
            manager = getattr(self.content, info.name)
            if not isinstance(manager, ManagedObject):
                continue
            for path in self.properties(manager):
                with self.subTest(f"{info.name}.{path}"):
                    getattr(manager, path)

    def test_two_names_of_one_fact(self):
        for vm in self.view(vim.VirtualMachine).view:
            summary, config = vm.summary, vm.config
            self.assertEqual(vm.name, config.name)
            self.assertEqual(vm.name, summary.config.name)
            self.assertEqual(vm.runtime.powerState, summary.runtime.powerState)
            self.assertEqual(vm.runtime.host, summary.runtime.host)
            self.assertEqual(config.uuid, summary.config.uuid)
            self.assertEqual(config.hardware.memoryMB, summary.config.memorySizeMB)
            self.assertEqual(config.hardware.numCPU, summary.config.numCpu)
            self.assertEqual(summary.vm, vm)
            self.assertIn(vm, vm.runtime.host.vm)
            self.assertIn(vm, vm.resourcePool.vm)
            self.assertIn(vm, vm.datastore[0].vm)
            self.assertIn(vm, vm.network[0].vm)

    def test_virtual_hardware(self):
        vm = self.find(vim.VirtualMachine, VMS[0])
        devices = vm.config.hardware.device
        keys = {device.key for device in devices}
        self.assertEqual(len(keys), len(devices))
        [nic] = [d for d in devices if isinstance(d, vim.vm.device.VirtualEthernetCard)]
        self.assertRegex(nic.macAddress, r"^00:(0c:29|50:56)(:[0-9a-f]{2}){3}$")
        disks = [d for d in devices if isinstance(d, vim.vm.device.VirtualDisk)]
        self.assertTrue(disks)
        for disk in disks:
            self.assertIn(disk.controllerKey, keys)
            self.assertRegex(disk.backing.fileName, r"^\[LocalDS_0\] .+\.vmdk$")
        self.assertRegex(vm.config.files.vmPathName, r"^\[LocalDS_0\] .+\.vmx$")

    def test_cluster_adds_up(self):
        cluster = self.find(vim.ClusterComputeResource, "DC0_C0")
        hosts = [host.summary.hardware for host in cluster.host]
        summary = cluster.summary
        self.assertEqual(summary.numHosts, 3)
        self.assertEqual(summary.totalMemory, sum(h.memorySize for h in hosts))
        self.assertEqual(summary.numCpuCores, sum(h.numCpuCores for h in hosts))
        self.assertEqual(summary.totalCpu, sum(h.cpuMhz * h.numCpuCores for h in hosts))

    def test_pages(self):
        pages = [
            [dict((p.name, p.val) for p in content.propSet) for content in objects]
            for objects in self.all_of(
                vim.VirtualMachine, ("name", "runtime.powerState"), max_objects=3
            )
        ]
        self.assertEqual([len(page) for page in pages], [3, 1])
        self.assertEqual(sorted(vm["name"] for page in pages for vm in page), VMS)
        self.assertEqual(
            {vm["runtime.powerState"] for page in pages for vm in page},
            {vim.VirtualMachine.PowerState.poweredOn},
        )

    def test_page_given_up(self):
        pc = self.content.propertyCollector
        walk = PC.TraversalSpec(type=vim.view.ContainerView, path="view")
        spec = PC.FilterSpec(
            objectSet=[PC.ObjectSpec(obj=self.view(vim.VirtualMachine), selectSet=[walk])],
            propSet=[PC.PropertySpec(type=vim.VirtualMachine, pathSet=["name"])],
        )
        page = pc.RetrievePropertiesEx([spec], PC.RetrieveOptions(maxObjects=1))
        pc.CancelRetrievePropertiesEx(page.token)
        with self.assertRaises((vmodl.fault.InvalidArgument, vmodl.query.InvalidProperty)):
            pc.ContinueRetrievePropertiesEx(page.token)

    def test_path_into_an_array(self):
        vm = self.find(vim.VirtualMachine, VMS[0])
        device = vm.config.hardware.device[-1]
        path = f"config.hardware.device[{device.key}].deviceInfo.label"
        spec = PC.FilterSpec(
            objectSet=[PC.ObjectSpec(obj=vm)],
            propSet=[PC.PropertySpec(type=vim.VirtualMachine, pathSet=[path])],
        )
        [content] = self.content.propertyCollector.RetrieveProperties([spec])
        [value] = content.propSet
        self.assertEqual((value.name, value.val), (path, device.deviceInfo.label))

    def test_search(self):
        search, vm = self.content.searchIndex, self.find(vim.VirtualMachine, VMS[0])
        datacenter = self.find(vim.Datacenter, "DC0")
        self.assertEqual(search.FindByInventoryPath(f"/DC0/vm/{VMS[0]}"), vm)
        self.assertIsNone(search.FindByInventoryPath("/DC0/vm/none"))
        self.assertEqual(search.FindByUuid(None, vm.config.uuid, True, False), vm)
        self.assertEqual(search.FindByUuid(datacenter, vm.config.instanceUuid, True, True), vm)
        self.assertEqual(search.FindChild(datacenter.vmFolder, VMS[0]), vm)
        self.assertEqual(search.FindByDatastorePath(datacenter, vm.config.files.vmPathName), vm)
        host = self.find(vim.HostSystem, "DC0_H0")
        self.assertEqual(search.FindByDnsName(None, "DC0_H0", False), host)


class BadQuestion(LoggedIn):
    def retrieve(self, obj, kind, *paths):
        spec = PC.FilterSpec(
            objectSet=[PC.ObjectSpec(obj=obj)],
            propSet=[PC.PropertySpec(type=kind, pathSet=list(paths))],
        )
        return self.content.propertyCollector.RetrievePropertiesEx([spec], PC.RetrieveOptions())

    def test_unknown_object(self):
        vm = vim.VirtualMachine("vm-99999", self.si._stub)
        for ask in (lambda: vm.name, vm.PowerOffVM_Task):
            with self.assertRaises(vmodl.fault.ManagedObjectNotFound) as caught:
                ask()
            self.assertEqual(caught.exception.obj, vm)

    def test_object_of_another_type(self):
        vm = self.find(vim.VirtualMachine, VMS[0])
        host = vim.HostSystem(vm._GetMoId(), self.si._stub)
        with self.assertRaises(vmodl.fault.ManagedObjectNotFound):
            host.name

    def test_unknown_property(self):
        vm = self.find(vim.VirtualMachine, VMS[0])
        for path in ("nothing", "config.nothing", "config.hardware.device.key"):
            with self.subTest(path), self.assertRaises(vmodl.query.InvalidProperty) as caught:
                self.retrieve(vm, vim.VirtualMachine, path)
            self.assertEqual(caught.exception.name, path)

    def test_another_type_answers_nothing(self):
        vm = self.find(vim.VirtualMachine, VMS[0])
        self.assertIsNone(self.retrieve(vm, vim.HostSystem, "name"))
