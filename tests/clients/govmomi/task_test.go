package govmomi_test

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/progress"
	"github.com/vmware/govmomi/vim25/types"
)

// canceled is what the owner of a task reports when it has honoured the wish to cancel.
var canceled = &types.LocalizedMethodFault{
	Fault:            new(types.RequestCanceled),
	LocalizedMessage: "The task was canceled by a user.",
}

// reports is a sink that keeps all that it is told.
func reports() (progress.Sinker, <-chan progress.Report) {
	ch := make(chan progress.Report, 100)
	return progress.SinkFunc(func() chan<- progress.Report { return ch }), ch
}

// percentage is what the next report says.
func percentage(t *testing.T, seen <-chan progress.Report) float32 {
	t.Helper()
	select {
	case report, ok := <-seen:
		if !ok {
			t.Fatal("the wait ended early")
		}
		return report.Percentage()
	case <-time.After(patience):
		t.Fatal("nothing was reported")
		return 0
	}
}

func TestTask(t *testing.T) {
	t.Run("watched by another", func(t *testing.T) {
		ctx, owner := login(t)
		_, other := login(t)
		work := createTask(ctx, t, owner, true)
		check(t, work.SetState(ctx, types.TaskInfoStateRunning, nil, nil))

		sink, seen := reports()
		end := make(chan error, 1)
		go func() {
			_, err := object.NewTask(other.Client, work.Reference()).WaitForResultEx(ctx, sink)
			end <- err
		}()
		equal(t, "first", percentage(t, seen), 0)
		for _, percent := range []int{10, 60, 99} {
			check(t, work.UpdateProgress(ctx, percent))
			equal(t, "progress", percentage(t, seen), float32(percent))
		}
		check(t, object.NewTask(other.Client, work.Reference()).Cancel(ctx))

		// The owner sees the wish, and ends its work.
		err := property.Wait(ctx, property.DefaultCollector(owner.Client), work.Reference(),
			[]string{"info.cancelled"}, func(changes []types.PropertyChange) bool {
				return changes[0].Val == true
			})
		check(t, err)
		check(t, work.SetState(ctx, types.TaskInfoStateError, nil, canceled))
		wantFault(t, <-end, new(types.RequestCanceled))
	})

	t.Run("success", func(t *testing.T) {
		ctx, c := login(t)
		work := createTask(ctx, t, c, false)
		check(t, work.SetState(ctx, types.TaskInfoStateRunning, nil, nil))
		check(t, work.SetDescription(ctx, types.LocalizableMessage{Key: "step", Message: "Step 1"}))
		check(t, work.SetState(ctx, types.TaskInfoStateSuccess, "done", nil))
		info, err := work.WaitForResultEx(ctx)
		check(t, err)
		equal(t, "result", info.Result, any("done"))
		equal(t, "description", info.Description.Message, "Step 1")
	})

	t.Run("rules", func(t *testing.T) {
		ctx, c := login(t)
		work := createTask(ctx, t, c, false)
		wantFault(t, work.Cancel(ctx), new(types.NotSupported))
		wantFault(t, work.UpdateProgress(ctx, 1), new(types.InvalidState))
		err := work.SetState(ctx, types.TaskInfoStateSuccess, nil, canceled)
		wantFault(t, err, new(types.InvalidState))
		check(t, work.SetState(ctx, types.TaskInfoStateSuccess, nil, nil))
		wantFault(t, work.Cancel(ctx), new(types.InvalidState))
		err = work.SetState(ctx, types.TaskInfoStateError, nil, nil)
		wantFault(t, err, new(types.InvalidState))
	})

	t.Run("wait given up", func(t *testing.T) {
		ctx, c := login(t)
		work := createTask(ctx, t, c, true)
		soon, cancel := context.WithCancel(ctx)
		sink, seen := reports()
		end := make(chan error, 1)
		go func() {
			_, err := work.WaitForResultEx(soon, sink)
			end <- err
		}()
		percentage(t, seen) // it waits
		cancel()
		check(t, <-end) // govmomi has called CancelWaitForUpdates
		// The session works as before.
		check(t, work.SetState(ctx, types.TaskInfoStateSuccess, nil, nil))
		check(t, work.WaitEx(ctx))
	})

	t.Run("many", func(t *testing.T) {
		ctx, c := login(t)
		var refs []types.ManagedObjectReference
		tasks := map[types.ManagedObjectReference]*object.Task{}
		for range 5 {
			work := createTask(ctx, t, c, true)
			refs = append(refs, work.Reference())
			tasks[work.Reference()] = work
		}
		list, err := view.NewManager(c.Client).CreateListView(ctx, refs)
		check(t, err)
		defer list.Destroy(ctx)
		filter := new(property.WaitFilter).Add(
			list.Reference(), "Task", []string{"info.state"}, list.TraversalSpec())

		// Each is ended when it is first seen, and must be seen ended.
		ended := 0
		err = property.WaitForUpdates(ctx, property.DefaultCollector(c.Client), filter,
			func(updates []types.ObjectUpdate) bool {
				for _, update := range updates {
					if update.ChangeSet[0].Val == types.TaskInfoStateSuccess {
						ended++
						continue
					}
					work := tasks[update.Obj]
					check(t, work.SetState(ctx, types.TaskInfoStateSuccess, nil, nil))
				}
				return ended == len(refs)
			})
		check(t, err)
	})

	t.Run("recent", func(t *testing.T) {
		ctx, c := login(t)
		work := createTask(ctx, t, c, true)
		var manager mo.TaskManager
		ref := task.NewManager(c.Client).Reference()
		pc := property.DefaultCollector(c.Client)
		check(t, pc.RetrieveOne(ctx, ref, []string{"recentTask"}, &manager))
		last := manager.RecentTask[len(manager.RecentTask)-1]
		equal(t, "recent", last, work.Reference())
	})
}

// TestSlow needs a server started with -method-delay PowerOffVM:1500.
func TestSlow(t *testing.T) {
	ctx, c := login(t)
	_, other := login(t)
	vm := findVM(ctx, t, c, "DC0_H0_VM0")
	work, err := vm.PowerOff(ctx)
	check(t, err)

	// Another client reads the machine and watches a task that it did not start.
	theirs := findVM(ctx, t, other, "DC0_H0_VM0")
	state, err := theirs.PowerState(ctx)
	check(t, err)
	equal(t, "meanwhile", state, types.VirtualMachinePowerStatePoweredOn)
	sink, seen := reports()
	_, err = object.NewTask(other.Client, work.Reference()).WaitForResultEx(ctx, sink)
	check(t, err)
	state, err = theirs.PowerState(ctx)
	check(t, err)
	equal(t, "after", state, types.VirtualMachinePowerStatePoweredOff)

	last := float32(0)
	for report := range seen {
		if percent := report.Percentage(); percent != 0 {
			equal(t, "rising", percent >= last, true)
			last = percent
		}
	}
}
