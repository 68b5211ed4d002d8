// Package govmomi_test holds the suites that use govmomi as its users do, against the server that
// GOVC_URL names.
package govmomi_test

import (
	"context"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// patience is what no step of any suite should need.
const patience = 20 * time.Second

func endpoint(t *testing.T) *url.URL {
	t.Helper()
	u, err := soap.ParseURL(os.Getenv("GOVC_URL"))
	if err != nil || u == nil {
		t.Fatalf("GOVC_URL: %v", err)
	}
	return u
}

// login gives a session of the test's own, and a context that ends with it.
func login(t *testing.T) (context.Context, *govmomi.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c, err := govmomi.NewClient(ctx, endpoint(t), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Logout(context.Background())
		cancel()
	})
	return ctx, c
}

// createTask makes a task that this client drives, like a plug-in of vCenter does.
func createTask(ctx context.Context, t *testing.T, c *govmomi.Client, cancelable bool) *object.Task {
	t.Helper()
	res, err := methods.CreateTask(ctx, c, &types.CreateTask{
		This:       *c.ServiceContent.TaskManager,
		Obj:        c.ServiceContent.RootFolder,
		TaskTypeId: "com.vmware.govmomi.simulator.test",
		Cancelable: cancelable,
	})
	if err != nil {
		t.Fatal(err)
	}
	return object.NewTask(c.Client, res.Returnval.Task)
}

func findVM(ctx context.Context, t *testing.T, c *govmomi.Client, name string) *object.VirtualMachine {
	t.Helper()
	vm, err := find.NewFinder(c.Client).VirtualMachine(ctx, "/DC0/vm/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// finish waits for the task of a call like vm.PowerOn(ctx).
func finish(ctx context.Context, t *testing.T) func(*object.Task, error) *types.TaskInfo {
	return func(task *object.Task, err error) *types.TaskInfo {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		info, err := task.WaitForResultEx(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantFault(t *testing.T, err error, want types.BaseMethodFault) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("got %v, want %T", err, want)
	}
}
