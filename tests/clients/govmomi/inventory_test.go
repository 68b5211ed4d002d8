package govmomi_test

import (
	"path"
	"slices"
	"testing"

	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func TestInventory(t *testing.T) {
	vms := []string{"DC0_H0_VM0", "DC0_H0_VM1", "DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1"}

	t.Run("find", func(t *testing.T) {
		ctx, c := login(t)
		finder := find.NewFinder(c.Client)
		datacenter, err := finder.DefaultDatacenter(ctx)
		check(t, err)
		finder.SetDatacenter(datacenter)

		found, err := finder.VirtualMachineList(ctx, "*")
		check(t, err)
		for i, vm := range found {
			equal(t, "virtual machine", vm.InventoryPath, "/DC0/vm/"+vms[i])
		}
		equal(t, "virtual machines", len(found), len(vms))

		hosts, err := finder.HostSystemList(ctx, "*/*")
		check(t, err)
		equal(t, "hosts", len(hosts), 4)
		datastore, err := finder.DefaultDatastore(ctx)
		check(t, err)
		equal(t, "datastore", datastore.InventoryPath, "/DC0/datastore/LocalDS_0")
		_, err = finder.Network(ctx, "VM Network")
		check(t, err)
		_, err = finder.ResourcePool(ctx, "DC0_C0/Resources")
		check(t, err)
		cluster, err := finder.DefaultClusterComputeResource(ctx)
		check(t, err)
		equal(t, "cluster", cluster.Name(), "DC0_C0")

		_, err = finder.VirtualMachine(ctx, "none")
		if _, ok := err.(*find.NotFoundError); !ok {
			t.Errorf("a machine that is not there: %v", err)
		}
	})

	t.Run("view", func(t *testing.T) {
		ctx, c := login(t)
		v, err := view.NewManager(c.Client).CreateContainerView(
			ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
		check(t, err)
		defer v.Destroy(ctx)

		var all []mo.VirtualMachine
		check(t, v.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name", "summary"}, &all))
		equal(t, "virtual machines", len(all), len(vms))
		for _, vm := range all {
			equal(t, "known "+vm.Name, slices.Contains(vms, vm.Name), true)
			equal(t, "name", vm.Summary.Config.Name, vm.Name)
			equal(t, "state", vm.Summary.Runtime.PowerState, types.VirtualMachinePowerStatePoweredOn)
		}

		refs, err := v.Find(ctx, []string{"VirtualMachine"}, property.Match{"name": "*_H0_*"})
		check(t, err)
		equal(t, "matches", len(refs), 2)
	})

	t.Run("everything", func(t *testing.T) {
		ctx, c := login(t)
		v, err := view.NewManager(c.Client).CreateContainerView(
			ctx, c.ServiceContent.RootFolder, nil, true)
		check(t, err)
		defer v.Destroy(ctx)
		var vms []mo.VirtualMachine
		check(t, v.Retrieve(ctx, []string{"VirtualMachine"}, nil, &vms))
		var hosts []mo.HostSystem
		check(t, v.Retrieve(ctx, []string{"HostSystem"}, nil, &hosts))
		for _, vm := range vms {
			devices := object.VirtualDeviceList(vm.Config.Hardware.Device)
			equal(t, "disks", len(devices.SelectByType((*types.VirtualDisk)(nil))), 1)
			equal(t, "cards", len(devices.SelectByType((*types.VirtualEthernetCard)(nil))), 1)
			equal(t, "its host has it", slices.ContainsFunc(hosts, func(host mo.HostSystem) bool {
				return host.Self == *vm.Runtime.Host && slices.Contains(host.Vm, vm.Self)
			}), true)
		}
	})

	t.Run("inventory path", func(t *testing.T) {
		ctx, c := login(t)
		vm := findVM(ctx, t, c, vms[0])
		p, err := find.InventoryPath(ctx, c.Client, vm.Reference())
		check(t, err)
		equal(t, "path", p, path.Join("/DC0/vm", vms[0]))
	})

	t.Run("search", func(t *testing.T) {
		ctx, c := login(t)
		vm := findVM(ctx, t, c, vms[0])
		index := object.NewSearchIndex(c.Client)
		found, err := index.FindByUuid(ctx, nil, vm.UUID(ctx), true, nil)
		check(t, err)
		equal(t, "by uuid", found.Reference(), vm.Reference())
		found, err = index.FindByInventoryPath(ctx, "/DC0/vm/"+vms[0])
		check(t, err)
		equal(t, "by path", found.Reference(), vm.Reference())
	})

	t.Run("nothing there", func(t *testing.T) {
		ctx, c := login(t)
		pc := property.DefaultCollector(c.Client)
		ghost := types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-99999"}
		var vm mo.VirtualMachine
		err := pc.RetrieveOne(ctx, ghost, []string{"name"}, &vm)
		wantFault(t, err, new(types.ManagedObjectNotFound))

		known := findVM(ctx, t, c, vms[0]).Reference()
		err = pc.RetrieveOne(ctx, known, []string{"config.nothing"}, &vm)
		wantFault(t, err, new(types.InvalidProperty))
		_, err = pc.RetrieveProperties(ctx, types.RetrieveProperties{
			SpecSet: []types.PropertyFilterSpec{{}},
		})
		wantFault(t, err, new(types.InvalidArgument))
	})
}
