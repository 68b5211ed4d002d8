//! What a very large inventory costs: `cargo bench --bench scale`.
//!
//! Starts vimsim with 100,000 machines and with a million and measures the
//! start, the memory, and what a client waits for a change, a search, a page of
//! a view, and for a cancel while others read everything; then what 10,000
//! sessions cost, half of which wait. Parts can be picked:
//! `cargo bench --bench scale -- memory`.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark measures real time, prints for a person, and stops where it stumbles"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

mod crowd;
mod driver;

use driver::{Client, Server, between, retrieve, view};

/// How often a small thing is measured.
const TIMES: usize = 200;

/// How many filters watch all machines while some are changed.
const WATCHERS: usize = 8;

fn row(name: &str, value: f64, unit: &str) {
    println!("{name:<64} {value:>10.2} {unit}");
}

/// The median and the 99th percentile of `TIMES` calls, in milliseconds.
fn times(name: &str, mut call: impl FnMut(usize)) {
    let mut taken: Vec<f64> = (0..TIMES)
        .map(|number| {
            let begin = Instant::now();
            call(number);
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    row(name, taken[TIMES / 2], "ms");
    row("    99th percentile", taken[TIMES * 99 / 100], "ms");
}

/// Start and memory; the inventory has two pools, so half the machines each.
fn memory(program: &Path) {
    let empty = Server::start(program, &["-vm", "0"]).resident().unwrap_or_default();
    row("memory, no VMs", empty as f64 / 1e6, "MB");
    for (machines, flag) in [(100_000, "50000"), (1_000_000, "500000")] {
        let server = Server::start(program, &["-vm", flag]);
        let resident = server.resident().unwrap_or_default();
        row(&format!("start, {machines} VMs"), server.ready_after.as_secs_f64(), "s");
        row(&format!("memory, {machines} VMs"), resident as f64 / 1e6, "MB");
        row("    for each VM", (resident - empty) as f64 / f64::from(machines), "B");
    }
}

fn call_on(ty: &str, mo: &str, method: &str, arguments: &str) -> String {
    format!("<{method} xmlns=\"urn:vim25\"><_this type=\"{ty}\">{mo}</_this>{arguments}</{method}>")
}

/// The machine called `name`, by its inventory path.
fn machine(client: &mut Client, name: &str) -> String {
    let path = format!("<inventoryPath>/DC0/vm/{name}</inventoryPath>");
    let reply = client.call(&call_on("SearchIndex", "SearchIndex", "FindByInventoryPath", &path));
    between(&reply, "VirtualMachine\">", "<")
}

/// Starts a task and asks until it is over.
fn run(client: &mut Client, call: &str) -> String {
    let reply = client.call(call);
    let task = between(&reply, "Task\">", "<");
    let state = format!(
        "<RetrieveProperties xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">\
         propertyCollector</_this><specSet><propSet><type>Task</type><pathSet>info</pathSet>\
         </propSet><objectSet><obj type=\"Task\">{task}</obj></objectSet></specSet>\
         </RetrieveProperties>"
    );
    loop {
        let reply = client.call(&state);
        assert!(!reply.contains("<state>error"), "{reply}");
        if reply.contains("<state>success") {
            return reply;
        }
    }
}

fn changes(client: &mut Client, vms: &[String], what: &str) {
    let on = |vm: &str, method| call_on("VirtualMachine", vm, method, "");
    let off = format!("PowerOffVM_Task until it is over, {what}");
    times(&off, |number| drop(run(client, &on(&vms[number], "PowerOffVM_Task"))));
    let rename = format!("Rename_Task until it is over, {what}");
    times(&rename, |number| {
        let name = format!("<newName>renamed {number} {what}</newName>");
        run(client, &call_on("VirtualMachine", &vms[number], "Rename_Task", &name));
    });
    let folder = {
        let reply = client.call(&call_on(
            "SearchIndex",
            "SearchIndex",
            "FindByInventoryPath",
            "<inventoryPath>/DC0/vm</inventoryPath>",
        ));
        between(&reply, "Folder\">", "<")
    };
    let clone = format!("CloneVM_Task until it is over, {what}");
    let mut made = Vec::new();
    times(&clone, |number| {
        let spec = format!(
            "<folder type=\"Folder\">{folder}</folder><name>copy {number} {what}</name>\
             <spec><location/><powerOn>false</powerOn><template>false</template></spec>"
        );
        let reply = run(client, &call_on("VirtualMachine", &vms[number], "CloneVM_Task", &spec));
        let result = &reply[reply.find("<result").expect("a result")..];
        made.push(between(result, "\">", "<"));
    });
    let destroy = format!("Destroy_Task until it is over, {what}");
    times(&destroy, |number| {
        run(client, &on(&made[number], "Destroy_Task"));
    });
    for vm in vms {
        run(client, &on(vm, "PowerOnVM_Task"));
    }
}

/// A client that waits for changes of all machines' names and states, until it
/// is told to stop; `started` is told when it has seen all of them.
fn watch(address: &str, stop: &AtomicBool, started: &AtomicBool) -> u64 {
    let mut client = Client::login(address);
    let view = view(&mut client);
    let filter = retrieve(&view, &["name", "runtime.powerState"]);
    let filter = filter.replace("RetrieveProperties", "CreateFilter").replace("specSet", "spec");
    let filter =
        filter.replace("</CreateFilter>", "<partialUpdates>true</partialUpdates></CreateFilter>");
    let reply = client.call(&filter);
    assert!(reply.contains("CreateFilterResponse"), "{reply}");
    let mut version = String::new();
    let mut told = 0;
    while !stop.load(Ordering::Relaxed) {
        let options = "<options><maxWaitSeconds>1</maxWaitSeconds>\
            <maxObjectUpdates>100000</maxObjectUpdates></options>";
        let reply = client.call(&call_on(
            "PropertyCollector",
            "propertyCollector",
            "WaitForUpdatesEx",
            &format!("<version>{version}</version>{options}"),
        ));
        if reply.contains("<version>") {
            version = between(&reply, "<version>", "<");
            told += 1;
            started.store(!reply.contains("<truncated>true"), Ordering::Relaxed);
        }
    }
    told
}

fn wait_for(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn large(program: &Path) {
    let server = Server::start(program, &["-vm", "50000"]);
    let address = server.address.as_str();
    let client = &mut Client::login(address);
    searches(client);
    let names = (0..TIMES).map(|number| format!("DC0_H0_VM{}", number * 7));
    let vms: Vec<String> = names.map(|name| machine(client, &name)).collect();
    changes(client, &vms, "100,000 VMs beside it");
    pages(client);
    let stop = AtomicBool::new(false);
    let ready: Vec<AtomicBool> = (0..WATCHERS).map(|_| AtomicBool::new(false)).collect();
    std::thread::scope(|scope| {
        let begin = Instant::now();
        for ready in &ready {
            scope.spawn(|| watch(address, &stop, ready));
        }
        ready.iter().for_each(wait_for);
        row(
            &format!("{WATCHERS} filters over 100,000 VMs: until all are told"),
            begin.elapsed().as_secs_f64(),
            "s",
        );
        changes(client, &vms, &format!("watched by {WATCHERS} filters"));
        stop.store(true, Ordering::Relaxed);
    });
    row("memory after that", server.resident().unwrap_or_default() as f64 / 1e6, "MB");
}

fn searches(client: &mut Client) {
    let vm = machine(client, "DC0_H0_VM70");
    let mut find = |method: &str, arguments: &str| {
        let call = call_on("SearchIndex", "SearchIndex", method, arguments);
        times(&format!("{method} among 100,000 VMs"), |_| {
            assert!(client.call(&call).contains(&vm), "{method}");
        });
    };
    find("FindByInventoryPath", "<inventoryPath>/DC0/vm/DC0_H0_VM70</inventoryPath>");
    find("FindByDnsName", "<dnsName>dc0-h0-vm70</dnsName><vmSearch>true</vmSearch>");
    find(
        "FindByDatastorePath",
        "<datacenter type=\"Datacenter\">datacenter-2</datacenter>\
        <path>[LocalDS_0] DC0_H0_VM70/DC0_H0_VM70.vmx</path>",
    );
}

/// All machines of a view, page by page.
fn pages(client: &mut Client) {
    let begin = Instant::now();
    let view = view(client);
    let call = retrieve(&view, &["name", "runtime.powerState"])
        .replace("RetrieveProperties", "RetrievePropertiesEx")
        .replace("</RetrievePropertiesEx>", "<options/></RetrievePropertiesEx>");
    let mut reply = client.call(&call);
    row("first page of a new view of 100,000 VMs", begin.elapsed().as_secs_f64() * 1e3, "ms");
    let mut pages = 1;
    while reply.contains("<token>") {
        let token = format!("<token>{}</token>", between(&reply, "<token>", "<"));
        let (ty, mo) = ("PropertyCollector", "propertyCollector");
        reply = client.call(&call_on(ty, mo, "ContinueRetrievePropertiesEx", &token));
        pages += 1;
    }
    row(&format!("all {pages} pages"), begin.elapsed().as_secs_f64() * 1e3, "ms");
}

/// How long a cancel takes while others read everything of all machines.
fn fair(program: &Path) {
    let server = Server::start(program, &["-vm", "50000"]);
    let address = server.address.as_str();
    let stop = AtomicBool::new(false);
    let cancel = |name: &str| {
        let client = &mut Client::login(address);
        let tasks: Vec<String> = (0..TIMES).map(|_| driver::task(client)).collect();
        times(name, |number| {
            let reply = client.call(&call_on("Task", &tasks[number], "CancelTask", ""));
            assert!(reply.contains("CancelTaskResponse"), "{reply}");
        });
    };
    cancel("CancelTask, nobody else there");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = &mut Client::login(address);
                let view = view(client);
                let call = retrieve(&view, &[])
                    .replace(
                        "<type>VirtualMachine</type>",
                        "<type>VirtualMachine</type><all>true</all>",
                    )
                    .replace("RetrieveProperties", "RetrievePropertiesEx")
                    .replace("</RetrievePropertiesEx>", "<options/></RetrievePropertiesEx>");
                while !stop.load(Ordering::Relaxed) {
                    let reply = client.call(&call);
                    assert!(reply.contains("<token>"), "the first of many pages");
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        cancel("CancelTask while 4 clients read everything of 100,000 VMs");
        stop.store(true, Ordering::Relaxed);
    });
}

/// A part of the benchmark, by name.
type Part = (&'static str, fn(&Path));

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vimsim"));
    let parts: [Part; 4] =
        [("memory", memory), ("large", large), ("fair", fair), ("crowd", crowd::crowd)];
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            part(&program);
        }
    }
}
