//! Requests over HTTP, beside the conversation in `tests/golden/vijson`.

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vimsim::config::{ClockMode, Config, ListenAddress, Tls};
use vimsim::inventory::Read;
use vimsim::schema::{Version, ty};
use vimsim::value::Value;
use vimsim::wire::vijson::{Limits, decode_value};
use vimsim::{Simulator, path};

const BASE: &str = "/sdk/vim25/8.0.3.0";

struct Client {
    simulator: Simulator,
    session: String,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Client {
    async fn login(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: ListenAddress { host: "127.0.0.1".to_owned(), port: 0 },
            tls: Tls::Off,
            clock: ClockMode::Stepped,
            seed: Some(1),
            ..Config::default()
        };
        change(&mut config);
        let simulator = Simulator::start(config).await.expect("a simulator");
        let mut client = Self { simulator, session: String::new() };
        let login = json!({ "userName": "user", "password": "pass" });
        let reply = client.post("SessionManager/SessionManager/Login", &login).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let line = reply.head.lines().find(|line| line.starts_with("vmware-api-session-id"));
        client.session = line.expect("a session").to_owned();
        client
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let address = self.simulator.url().trim_start_matches("http://").trim_end_matches("/sdk");
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let session =
            if self.session.is_empty() { String::new() } else { self.session.clone() + "\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: vimsim\r\n{session}{headers}Connection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("the request is sent");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.expect("a reply");
        let reply = String::from_utf8(reply).expect("a reply in UTF-8");
        let (head, body) = reply.split_once("\r\n\r\n").expect("headers and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Reply { status: status.expect("a status"), head: head.to_owned(), body: body.to_owned() }
    }

    async fn post(&self, path: &str, body: &Json) -> Reply {
        self.send("POST", &format!("{BASE}/{path}"), "", &body.to_string()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send("GET", &format!("{BASE}/{path}"), "", "").await
    }
}

/// All objects with all their properties, as one reply.
fn everything() -> Json {
    let walk = |name: &str, of: &str, path: &str, then: &[&str]| {
        let then: Vec<Json> = then.iter().map(|name| json!({ "name": name })).collect();
        json!({ "_typeName": "TraversalSpec", "name": name, "type": of, "path": path, "selectSet": then })
    };
    let all = ["folders", "vms", "hosts", "stores", "networks", "compute", "host", "vm"];
    json!({
        "specSet": [{
            "propSet": [{ "type": "ManagedEntity", "all": true }],
            "objectSet": [{
                "obj": { "type": "Folder", "value": "group-d1" },
                "selectSet": [
                    walk("folders", "Folder", "childEntity", &all),
                    walk("vms", "Datacenter", "vmFolder", &all),
                    walk("hosts", "Datacenter", "hostFolder", &all),
                    walk("stores", "Datacenter", "datastoreFolder", &all),
                    walk("networks", "Datacenter", "networkFolder", &all),
                    walk("compute", "ComputeResource", "resourcePool", &[]),
                    walk("host", "ComputeResource", "host", &all),
                    walk("vm", "HostSystem", "vm", &[]),
                ],
            }],
        }],
        "options": { "maxObjects": 1000 },
    })
}

#[tokio::test]
async fn the_whole_inventory_at_once() {
    let client = Client::login(|_| {}).await;
    let retrieve = "PropertyCollector/propertyCollector/RetrievePropertiesEx";
    let reply = client.post(retrieve, &everything()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let of = Version::parse("8.0.3.0").unwrap();
    let read = decode_value(ty::RetrieveResult, reply.body.as_bytes(), of, Limits::default());
    let read = read.unwrap_or_else(|error| panic!("{error}")).unwrap();
    let objects = read.as_object().unwrap().field("objects").map(Value::items).unwrap();
    let snapshot = client.simulator.service().engine().snapshot();
    let entities = snapshot.of_type(ty::ManagedEntity).count();
    assert_eq!(objects.len(), entities);
    let mut values = 0;
    for content in objects {
        let content = content.as_object().unwrap();
        let mo = content.at(path!(ObjectContent, "obj")).and_then(Value::as_moref).unwrap();
        for property in content.field("propSet").map(Value::items).unwrap() {
            let property = property.as_object().unwrap();
            let name = property.at(path!(DynamicProperty, "name")).and_then(Value::as_str).unwrap();
            let value = property.at(path!(DynamicProperty, "val")).unwrap();
            // Some properties are computed when they are read; most are as they are stored.
            let stored = snapshot.get(mo).and_then(|object| object.field(name));
            if stored.is_some_and(|stored| stored == value) {
                values += 1;
            }
        }
    }
    assert!(values > 20 * entities, "{values} values of {entities} entities are as they are");
    client.simulator.stop().await;
}

#[tokio::test]
async fn a_change_wakes_who_waits() {
    let client = Client::login(|_| {}).await;
    let found = json!({ "inventoryPath": "/DC0/vm/DC0_H0_VM0" });
    let vm = client.post("SearchIndex/SearchIndex/FindByInventoryPath", &found).await.json();
    let spec = json!({
        "spec": {
            "propSet": [{ "type": "VirtualMachine", "pathSet": ["runtime.powerState"] }],
            "objectSet": [{ "obj": vm }],
        },
        "partialUpdates": true,
    });
    let filter = client.post("PropertyCollector/propertyCollector/CreateFilter", &spec).await;
    assert_eq!(filter.json()["type"], "PropertyFilter");
    let wait = "PropertyCollector/propertyCollector/WaitForUpdatesEx";
    let first = client.post(wait, &json!({ "version": "" })).await.json();
    let change = &first["filterSet"][0]["objectSet"][0]["changeSet"][0];
    assert_eq!(
        change["val"],
        json!({ "_typeName": "VirtualMachinePowerState", "_value": "poweredOn" })
    );
    let id = vm["value"].as_str().unwrap();
    let version = json!({ "version": first["version"] });
    let off = async {
        // The wait is on its way; whichever comes first, it ends by the change.
        tokio::task::yield_now().await;
        client.post(&format!("VirtualMachine/{id}/PowerOffVM_Task"), &json!({})).await
    };
    let (second, task) = tokio::join!(client.post(wait, &version), off);
    assert_eq!(task.json()["type"], "Task");
    let change = &second.json()["filterSet"][0]["objectSet"][0]["changeSet"][0];
    assert_eq!(change["val"]["_value"], "poweredOff");
    client.simulator.stop().await;
}

#[tokio::test]
async fn the_header_says_who_and_what_for() {
    let client = Client::login(|_| {}).await;
    let found = json!({ "inventoryPath": "/DC0/vm/DC0_H0_VM0" });
    let vm = client.post("SearchIndex/SearchIndex/FindByInventoryPath", &found).await.json();
    let off = format!("{BASE}/VirtualMachine/{}/PowerOffVM_Task", vm["value"].as_str().unwrap());
    let marks = "vapi-ctx-actid: deploy-7\r\nchangeTag: ticket 9\r\n";
    let task = client.send("POST", &off, marks, "").await.json();
    let info = client.get(&format!("Task/{}/info", task["value"].as_str().unwrap())).await.json();
    assert_eq!(
        (&info["activationId"], &info["changeTag"]),
        (&json!("deploy-7"), &json!("ticket 9"))
    );
    // A session of another server, or one that is over, is no session.
    let own = client.session.clone();
    let stranger = Client { session: "vmware-api-session-id: 0123".to_owned(), ..client };
    let time = "ServiceInstance/ServiceInstance/CurrentTime";
    assert_eq!(stranger.post(time, &json!({})).await.json()["_typeName"], "NotAuthenticated");
    let client = Client { session: own, ..stranger };
    assert_eq!(client.post(time, &json!({})).await.status, 200);
    client.simulator.stop().await;
}

#[tokio::test]
async fn an_older_server_has_no_json() {
    let config = Config {
        listen: ListenAddress { host: "127.0.0.1".to_owned(), port: 0 },
        tls: Tls::Off,
        api_version: "8.0.0.1".to_owned(),
        ..Config::default()
    };
    let simulator = Simulator::start(config).await.expect("a simulator");
    let client = Client { simulator, session: String::new() };
    for release in ["8.0.0.1", "8.0.1.0", "8.0.3.0"] {
        let path = format!("/sdk/vim25/{release}/ServiceInstance/ServiceInstance/content");
        assert_eq!(client.send("GET", &path, "", "").await.status, 404, "{release}");
    }
    let hello = json!({ "api_releases": ["8.0.3.0", "8.0.1.0", "8.0.0.1"] }).to_string();
    let hello = client.send("POST", "/api/vcenter/system?action=hello", "", &hello).await;
    assert_eq!(hello.json()["api_release"], "");
    client.simulator.stop().await;
}

#[tokio::test]
async fn arrays_by_themselves() {
    let client = Client::login(|_| {}).await;
    let named = json!({ "dnsName": "nowhere.example", "vmSearch": true });
    let reply = client.post("SearchIndex/SearchIndex/FindAllByDnsName", &named).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "[]"));
    let children = client.get("Folder/group-d1/childEntity").await.json();
    assert_eq!(children[0]["type"], "Datacenter");
    let none = client.get("TaskManager/TaskManager/recentTask").await;
    assert_eq!((none.status, none.body.as_str()), (204, ""));
    let wrong = client.send("DELETE", &format!("{BASE}/Folder/group-d1/name"), "", "").await;
    assert_eq!(wrong.status, 405);
    client.simulator.stop().await;
}
