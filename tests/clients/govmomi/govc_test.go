package govmomi_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vmware/govmomi/cli"
	_ "vimsim.test/govmomi/commands"
)

// TestMain lets the test binary be govc too, for the scripts to run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"govc": func() { os.Exit(cli.Run(os.Args[1:])) },
	})
}

// TestGovc runs the scripts in testdata: what people type, and what they must see.
func TestGovc(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("GOVC_URL", os.Getenv("GOVC_URL"))
			env.Setenv("GOVC_INSECURE", "1")
			env.Setenv("GOVMOMI_HOME", filepath.Join(env.WorkDir, "home"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// json: the last output is one JSON document.
			"json": func(ts *testscript.TestScript, neg bool, args []string) {
				if json.Valid([]byte(ts.ReadFile("stdout"))) == neg {
					ts.Fatalf("unexpected output for -json")
				}
			},
			// capture NAME: the last output becomes a variable.
			"capture": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
			},
		},
	})
}
