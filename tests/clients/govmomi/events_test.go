package govmomi_test

import (
	"context"
	"testing"

	"github.com/vmware/govmomi/event"
	"github.com/vmware/govmomi/vim25/types"
)

// happened is what is known of an object, the newest first.
func happened(ctx context.Context, t *testing.T, m *event.Manager, of types.ManagedObjectReference, kinds ...string) []types.BaseEvent {
	t.Helper()
	events, err := m.QueryEvents(ctx, types.EventFilterSpec{
		Entity: &types.EventFilterSpecByEntity{
			Entity:    of,
			Recursion: types.EventFilterSpecRecursionOptionAll,
		},
		EventTypeId: kinds,
	})
	check(t, err)
	return events
}

func TestEvents(t *testing.T) {
	ctx, c := login(t)
	m := event.NewManager(c.Client)

	t.Run("the chain of a task", func(t *testing.T) {
		vm := findVM(ctx, t, c, "DC0_H0_VM0")
		info := finish(ctx, t)(vm.PowerOff(ctx))
		events, err := m.QueryEvents(ctx, types.EventFilterSpec{EventChainId: info.EventChainId})
		check(t, err)
		event.Sort(events)
		equal(t, "events", len(events), 3)
		begin, ok := events[0].(*types.TaskEvent)
		if !ok {
			t.Fatalf("the chain begins with %T", events[0])
		}
		equal(t, "key", begin.Key, info.EventChainId)
		equal(t, "state", begin.Info.State, types.TaskInfoStateQueued)
		if _, ok := events[2].(*types.VmPoweredOffEvent); !ok {
			t.Errorf("the chain ends with %T", events[2])
		}
		equal(t, "machine", events[2].GetEvent().Vm.Vm, vm.Reference())
		category, err := m.EventCategory(ctx, events[2])
		check(t, err)
		equal(t, "category", category, "info")
	})

	t.Run("read page by page", func(t *testing.T) {
		all := happened(ctx, t, m, c.ServiceContent.RootFolder, "VmEvent")
		collector, err := m.CreateCollectorForEvents(ctx, types.EventFilterSpec{
			EventTypeId: []string{"VmEvent"},
		})
		check(t, err)
		defer func() { check(t, collector.Destroy(ctx)) }()
		check(t, collector.SetPageSize(ctx, 5))
		latest, err := collector.LatestPage(ctx)
		check(t, err)
		equal(t, "latest page", len(latest), 5)
		equal(t, "newest", latest[0].GetEvent().Key, all[0].GetEvent().Key)
		read := 0
		for {
			page, err := collector.ReadNextEvents(ctx, 7)
			check(t, err)
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				read++
				equal(t, "in order", e.GetEvent().Key, all[len(all)-read].GetEvent().Key)
			}
		}
		equal(t, "read", read, len(all))
		check(t, collector.Reset(ctx))
		page, err := collector.ReadPreviousEvents(ctx, 1)
		check(t, err)
		equal(t, "before the latest page", page[0].GetEvent().Key, all[5].GetEvent().Key)
	})

	t.Run("followed", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		_, other := login(t)
		vm := findVM(ctx, t, other, "DC0_H0_VM1")
		seen := make(chan types.BaseEvent)
		first := make(chan bool)
		go func() {
			started := false
			_ = m.Events(ctx, []types.ManagedObjectReference{vm.Reference()}, 10, true, false,
				func(_ types.ManagedObjectReference, events []types.BaseEvent) error {
					if !started {
						started = true
						close(first)
						return nil
					}
					event.Sort(events)
					for _, e := range events {
						seen <- e
					}
					return nil
				})
		}()
		<-first
		if _, err := vm.PowerOff(ctx); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"TaskEvent", "VmStoppingEvent", "VmPoweredOffEvent"} {
			select {
			case e := <-seen:
				equal(t, "next", kind(e), want)
			case <-ctx.Done():
				t.Fatalf("no %s", want)
			}
		}
	})

	t.Run("posted", func(t *testing.T) {
		vm := findVM(ctx, t, c, "DC0_H0_VM0")
		check(t, m.LogUserEvent(ctx, vm.Reference(), "look here"))
		check(t, m.PostEvent(ctx, &types.EventEx{
			EventTypeId: "com.example.done",
			Severity:    string(types.EventEventSeverityWarning),
			Message:     "it is done",
			ObjectType:  vm.Reference().Type,
			ObjectId:    vm.Reference().Value,
		}))
		posted := happened(ctx, t, m, vm.Reference(), "GeneralUserEvent", "com.example.done")
		equal(t, "posted", len(posted), 2)
		equal(t, "message", posted[0].GetEvent().FullFormattedMessage, "it is done")
		equal(t, "user", posted[1].GetEvent().UserName, "user")
		arguments, err := m.RetrieveArgumentDescription(ctx, "VmRenamedEvent")
		check(t, err)
		found := false
		for _, argument := range arguments {
			found = found || argument.Name == "newName" && argument.Type == "string"
		}
		equal(t, "described", found, true)
	})
}

// kind is the name of an event's type.
func kind(e types.BaseEvent) string {
	switch e.(type) {
	case *types.TaskEvent:
		return "TaskEvent"
	case *types.VmStoppingEvent:
		return "VmStoppingEvent"
	case *types.VmPoweredOffEvent:
		return "VmPoweredOffEvent"
	}
	return "another"
}
