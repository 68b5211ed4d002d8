package govmomi_test

import (
	"context"
	"testing"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// clone makes a powered-off machine of the test's own.
func clone(ctx context.Context, t *testing.T, c *govmomi.Client, name string) *object.VirtualMachine {
	t.Helper()
	folder, err := find.NewFinder(c.Client).Folder(ctx, "/DC0/vm")
	check(t, err)
	source := findVM(ctx, t, c, "DC0_H0_VM0")
	info := finish(ctx, t)(source.Clone(ctx, folder, name, types.VirtualMachineCloneSpec{}))
	return object.NewVirtualMachine(c.Client, info.Result.(types.ManagedObjectReference))
}

func TestVM(t *testing.T) {
	t.Run("power", func(t *testing.T) {
		ctx, c := login(t)
		vm := clone(ctx, t, c, "power")
		for _, step := range []struct {
			call  func(context.Context) (*object.Task, error)
			state types.VirtualMachinePowerState
		}{
			{vm.PowerOn, types.VirtualMachinePowerStatePoweredOn},
			{vm.Reset, types.VirtualMachinePowerStatePoweredOn},
			{vm.Suspend, types.VirtualMachinePowerStateSuspended},
			{vm.PowerOn, types.VirtualMachinePowerStatePoweredOn},
			{vm.PowerOff, types.VirtualMachinePowerStatePoweredOff},
		} {
			finish(ctx, t)(step.call(ctx))
			state, err := vm.PowerState(ctx)
			check(t, err)
			equal(t, "state", state, step.state)
		}
	})

	t.Run("wrong state", func(t *testing.T) {
		ctx, c := login(t)
		vm := findVM(ctx, t, c, "DC0_H0_VM0")
		work, err := vm.PowerOn(ctx)
		check(t, err)
		info, err := work.WaitForResultEx(ctx)
		failure, ok := err.(task.Error)
		if !ok {
			t.Fatalf("the task's error: %v", err)
		}
		power, ok := failure.Fault().(*types.InvalidPowerState)
		if !ok {
			t.Fatalf("the task's fault: %v", failure.Fault())
		}
		equal(t, "existing", power.ExistingState, types.VirtualMachinePowerStatePoweredOn)
		equal(t, "requested", power.RequestedState, types.VirtualMachinePowerStatePoweredOn)
		equal(t, "state", info.State, types.TaskInfoStateError)
	})

	t.Run("reconfigure", func(t *testing.T) {
		ctx, c := login(t)
		vm := clone(ctx, t, c, "reconfigure")
		finish(ctx, t)(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{
			NumCPUs:     2,
			MemoryMB:    2048,
			Annotation:  "by govmomi",
			ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "guestinfo.x", Value: "y"}},
		}))
		var got mo.VirtualMachine
		check(t, vm.Properties(ctx, vm.Reference(), []string{"config", "summary.config"}, &got))
		equal(t, "cpus", got.Config.Hardware.NumCPU, 2)
		equal(t, "memory", got.Summary.Config.MemorySizeMB, 2048)
		equal(t, "annotation", got.Config.Annotation, "by govmomi")
		value, _ := object.OptionValueList(got.Config.ExtraConfig).GetString("guestinfo.x")
		equal(t, "option", value, "y")
	})

	t.Run("devices", func(t *testing.T) {
		ctx, c := login(t)
		vm := clone(ctx, t, c, "devices")
		devices, err := vm.Device(ctx)
		check(t, err)
		controller, err := devices.FindDiskController("")
		check(t, err)
		datastore, err := find.NewFinder(c.Client).Datastore(ctx, "/DC0/datastore/LocalDS_0")
		check(t, err)
		disk := devices.CreateDisk(controller, datastore.Reference(), "")
		disk.CapacityInKB = 1024
		check(t, vm.AddDevice(ctx, disk))

		card, err := devices.CreateEthernetCard("vmxnet3",
			&types.VirtualEthernetCardNetworkBackingInfo{
				VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{
					DeviceName: "VM Network",
				},
			})
		check(t, err)
		check(t, vm.AddDevice(ctx, card))

		grown, err := vm.Device(ctx)
		check(t, err)
		equal(t, "devices", len(grown), len(devices)+2)
		disks := grown.SelectByType((*types.VirtualDisk)(nil))
		cards := grown.SelectByType((*types.VirtualEthernetCard)(nil))
		if len(disks) != 2 || len(cards) != 2 {
			t.Fatalf("%d disks, %d network cards", len(disks), len(cards))
		}
		equal(t, "type", grown.Type(cards[1]), "ethernet")
		check(t, vm.RemoveDevice(ctx, false, disks[1], cards[1]))
		after, err := vm.Device(ctx)
		check(t, err)
		equal(t, "devices", len(after), len(devices))
	})

	t.Run("rename and destroy", func(t *testing.T) {
		ctx, c := login(t)
		vm := clone(ctx, t, c, "short-lived")
		finish(ctx, t)(vm.Rename(ctx, "renamed"))
		finish(ctx, t)(findVM(ctx, t, c, "renamed").Destroy(ctx))
		_, err := vm.PowerState(ctx)
		wantFault(t, err, new(types.ManagedObjectNotFound))
	})

	t.Run("create", func(t *testing.T) {
		ctx, c := login(t)
		finder := find.NewFinder(c.Client)
		folder, err := finder.Folder(ctx, "/DC0/vm")
		check(t, err)
		pool, err := finder.ResourcePool(ctx, "/DC0/host/DC0_C0/Resources")
		check(t, err)
		spec := types.VirtualMachineConfigSpec{
			Name:    "created",
			GuestId: "otherGuest",
			Files:   &types.VirtualMachineFileInfo{VmPathName: "[LocalDS_0]"},
		}
		info := finish(ctx, t)(folder.CreateVM(ctx, spec, pool, nil))
		vm := findVM(ctx, t, c, "created")
		equal(t, "result", info.Result.(types.ManagedObjectReference), vm.Reference())
		host, err := vm.HostSystem(ctx)
		check(t, err)
		if host.Reference().Value == "" {
			t.Error("no host was chosen")
		}
	})
}
