package govmomi_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/session/cache"
	"github.com/vmware/govmomi/session/keepalive"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func TestSession(t *testing.T) {
	t.Run("about", func(t *testing.T) {
		_, c := login(t)
		equal(t, "IsVC", c.IsVC(), true)
		equal(t, "product", c.ServiceContent.About.ProductLineId, "vpx")
	})

	t.Run("active", func(t *testing.T) {
		ctx, c := login(t)
		active, err := c.SessionManager.SessionIsActive(ctx)
		check(t, err)
		equal(t, "active", active, true)
		user, err := c.SessionManager.UserSession(ctx)
		check(t, err)
		equal(t, "user", user.UserName, "user")
	})

	t.Run("logout", func(t *testing.T) {
		ctx, c := login(t)
		check(t, c.SessionManager.Logout(ctx))
		_, err := methods.GetCurrentTime(ctx, c)
		wantFault(t, err, new(types.NotAuthenticated))
		user, err := c.SessionManager.UserSession(ctx)
		if err != nil || user != nil {
			t.Errorf("a stranger's session: %v, %v", user, err)
		}
	})

	t.Run("login once", func(t *testing.T) {
		ctx, c := login(t)
		err := c.SessionManager.Login(ctx, url.UserPassword("user", "pass"))
		wantFault(t, err, new(types.InvalidLogin))
	})

	t.Run("no password", func(t *testing.T) {
		u := endpoint(t)
		u.User = url.UserPassword("user", "")
		_, err := govmomi.NewClient(context.Background(), u, true)
		wantFault(t, err, new(types.InvalidLogin))
	})

	t.Run("clone", func(t *testing.T) {
		ctx, c := login(t)
		ticket, err := c.SessionManager.AcquireCloneTicket(ctx)
		check(t, err)
		other, err := vim25.NewClient(ctx, soap.NewClient(endpoint(t), true))
		check(t, err)
		check(t, session.NewManager(other).CloneSession(ctx, ticket))
		_, err = methods.GetCurrentTime(ctx, other)
		check(t, err)
	})

	t.Run("terminate", func(t *testing.T) {
		ctx, c := login(t)
		_, other := login(t)
		user, err := other.SessionManager.UserSession(ctx)
		check(t, err)
		check(t, c.SessionManager.TerminateSession(ctx, []string{user.Key}))
		_, err = methods.GetCurrentTime(ctx, other)
		wantFault(t, err, new(types.NotAuthenticated))
	})

	t.Run("keep alive", func(t *testing.T) {
		ctx, c := login(t)
		beats := make(chan error, 1)
		handler := keepalive.NewHandlerSOAP(c.RoundTripper, time.Millisecond, func() error {
			_, err := methods.GetCurrentTime(ctx, c.Client)
			select {
			case beats <- err:
			default:
			}
			return err
		})
		handler.Start()
		defer handler.Stop()
		check(t, <-beats)
	})

	t.Run("kept on disk", func(t *testing.T) {
		ctx, dir := context.Background(), t.TempDir()
		var keys [2]string
		for i := range keys {
			s := cache.Session{URL: endpoint(t), Insecure: true, DirSOAP: dir}
			c := new(vim25.Client)
			check(t, s.Login(ctx, c, nil))
			user, err := session.NewManager(c).UserSession(ctx)
			check(t, err)
			keys[i] = user.Key
		}
		equal(t, "key", keys[1], keys[0])
	})
}

// TestLogin needs a server started with -username root -password secret.
func TestLogin(t *testing.T) {
	for _, user := range []*url.Userinfo{
		url.UserPassword("root", "wrong"),
		url.UserPassword("other", "secret"),
	} {
		u := endpoint(t)
		u.User = user
		_, err := govmomi.NewClient(context.Background(), u, true)
		wantFault(t, err, new(types.InvalidLogin))
	}
	_, _ = login(t)
}
