// Peer starts vcsim, the simulator that vimsim is measured against, with the part of its command
// line that the benchmarks use: the same flags and the same ready line as vimsim.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	model := simulator.VPX()
	counts := map[string]*int{
		"dc": &model.Datacenter, "cluster": &model.Cluster, "host": &model.ClusterHost,
		"standalone-host": &model.Host, "pool": &model.Pool, "vm": &model.Machine,
		"ds": &model.Datastore, "pg": &model.Portgroup, "folder": &model.Folder,
		"app": &model.App, "pod": &model.Pod, "delay": &model.DelayConfig.Delay,
	}
	for name, count := range counts {
		flag.IntVar(count, name, *count, "")
	}
	listen := flag.String("l", "127.0.0.1:8989", "listen address")
	secure := flag.Bool("tls", true, "serve HTTPS")
	username := flag.String("username", "", "required user name")
	password := flag.String("password", "", "required password")
	delays := flag.String("method-delay", "", "method:milliseconds,…; names ending in _Task delay the call")
	flag.Parse()

	model.DelayConfig.MethodDelay = map[string]int{}
	simulator.TaskDelay.MethodDelay = map[string]int{}
	for _, delay := range strings.FieldsFunc(*delays, func(r rune) bool { return r == ',' }) {
		method, ms, _ := strings.Cut(delay, ":")
		n, err := strconv.Atoi(ms)
		check(err)
		model.DelayConfig.MethodDelay[method] = n
		simulator.TaskDelay.MethodDelay[method] = n
	}

	check(model.Create())
	model.Service.RegisterEndpoints = true
	model.Service.Listen = &url.URL{Host: *listen}
	if *username != "" {
		model.Service.Listen.User = url.UserPassword(*username, *password)
	}
	if *secure {
		model.Service.TLS = new(tls.Config)
	}
	server := model.Service.NewServer()
	fmt.Printf("export GOVC_URL=%s GOVC_SIM_PID=%d\n", server.URL, os.Getpid())

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	server.Close()
	model.Remove()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
