package govmomi_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	watchers = 10
	tasks    = 100
)

// follow sees every task through to its end, in one session, and says what went wrong.
func follow(ctx context.Context, c *govmomi.Client, refs []types.ManagedObjectReference, ready func()) error {
	list, err := view.NewManager(c.Client).CreateListView(ctx, refs)
	if err != nil {
		return err
	}
	defer func() { _ = list.Destroy(context.Background()) }()
	filter := new(property.WaitFilter)
	filter.Add(list.Reference(), "Task", []string{"info"}, list.TraversalSpec())

	var started sync.Once
	rank := map[types.TaskInfoState]int{
		types.TaskInfoStateQueued: 0, types.TaskInfoStateRunning: 1, types.TaskInfoStateSuccess: 2,
	}
	at := map[types.ManagedObjectReference]types.TaskInfo{}
	ended := 0
	err = property.WaitForUpdates(ctx, property.DefaultCollector(c.Client), filter,
		func(updates []types.ObjectUpdate) bool {
			for _, update := range updates {
				for _, change := range update.ChangeSet {
					info, ok := change.Val.(types.TaskInfo)
					if !ok {
						err = fmt.Errorf("%s is %T", change.Name, change.Val)
						return true
					}
					before, known := at[update.Obj]
					if known && (rank[info.State] < rank[before.State] ||
						info.State == before.State && info.Progress < before.Progress) {
						err = fmt.Errorf("%s went from %s at %d to %s at %d", update.Obj.Value,
							before.State, before.Progress, info.State, info.Progress)
						return true
					}
					at[update.Obj] = info
					if info.State == types.TaskInfoStateSuccess {
						ended++
					}
				}
			}
			if len(at) == len(refs) {
				started.Do(ready)
			}
			return ended == len(refs)
		})
	return err
}

// TestWatchers has ten watchers follow a hundred tasks: each sees all of them end, and none move
// backwards.
func TestWatchers(t *testing.T) {
	ctx, owner := login(t)
	work := make([]*object.Task, tasks)
	refs := make([]types.ManagedObjectReference, tasks)
	for i := range work {
		work[i] = createTask(ctx, t, owner, true)
		refs[i] = work[i].Reference()
	}

	var ready, done sync.WaitGroup
	failures := make(chan error, watchers)
	for range watchers {
		ready.Add(1)
		done.Add(1)
		ctx, c := login(t)
		go func() {
			defer done.Done()
			var once sync.Once
			err := follow(ctx, c, refs, func() { once.Do(ready.Done) })
			if err != nil {
				once.Do(ready.Done)
				failures <- err
			}
		}()
	}
	ready.Wait()
	for _, task := range work {
		check(t, task.SetState(ctx, types.TaskInfoStateRunning, nil, nil))
		for percent := 20; percent < 100; percent += 20 {
			check(t, task.UpdateProgress(ctx, percent))
		}
		check(t, task.SetState(ctx, types.TaskInfoStateSuccess, nil, nil))
	}
	done.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
}
