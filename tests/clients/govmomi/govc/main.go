// Govc is the commands under test as a program, for trying by hand: go run ./govc ls
package main

import (
	"os"

	"github.com/vmware/govmomi/cli"
	_ "vimsim.test/govmomi/commands"
)

func main() {
	os.Exit(cli.Run(os.Args[1:]))
}
