//! What one client can make the server hold, over the wire: what is over a
//! limit is refused, holds nothing, and harms nobody else.

use vimsim::config::{Config, Limits, Model, Tls};
use vimsim::{Simulator, StartError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

struct Client {
    stream: TcpStream,
    cookie: String,
}

async fn server(limits: Limits) -> Result<Simulator, StartError> {
    let model = Model { vm: 20, ..Model::default() };
    let listen = "127.0.0.1:0".parse().expect("an address");
    Simulator::start(Config { listen, tls: Tls::Off, model, limits, ..Config::default() }).await
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> &'t str {
    let rest = text.split_once(open).unwrap_or_else(|| panic!("no {open} in {text}")).1;
    rest.split(close).next().unwrap()
}

impl Client {
    async fn login(simulator: &Simulator) -> Self {
        let url = simulator.url();
        let address = url.trim_start_matches("http://").split('/').next().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut client = Self { stream, cookie: String::new() };
        let (status, reply) = client
            .call(
                "SessionManager",
                "SessionManager",
                "Login",
                "<userName>user</userName><password>pass</password>",
            )
            .await;
        assert_eq!(status, 200, "{reply}");
        client
    }

    /// The status and the text of the reply.
    async fn call(&mut self, ty: &str, mo: &str, method: &str, args: &str) -> (u16, String) {
        let body = format!(
            "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Body>\
             <{method} xmlns=\"urn:vim25\"><_this type=\"{ty}\">{mo}</_this>{args}</{method}>\
             </Body></Envelope>"
        );
        let head = format!(
            "POST /sdk HTTP/1.1\r\nhost: vc\r\ncontent-type: text/xml\r\n\
             cookie: {}\r\ncontent-length: {}\r\n\r\n",
            self.cookie,
            body.len()
        );
        self.stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        let text = loop {
            let mut chunk = vec![0; 65_536];
            let read = self.stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "the connection was closed");
            reply.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&reply).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = between(head, "content-length: ", "\r\n").parse::<usize>().unwrap();
            if body.len() == length {
                break text;
            }
        };
        if text.contains("set-cookie: ") {
            self.cookie = between(&text, "set-cookie: ", ";").to_owned();
        }
        (between(&text, " ", " ").parse().unwrap(), text)
    }

    async fn view(&mut self) -> String {
        let container = "<container type=\"Folder\">group-d1</container>\
            <type>VirtualMachine</type><recursive>true</recursive>";
        let (_, reply) =
            self.call("ViewManager", "ViewManager", "CreateContainerView", container).await;
        between(&reply, "ContainerView\">", "<").to_owned()
    }

    /// A filter over the names of what a view shows.
    async fn watch(&mut self, view: &str) -> String {
        let spec = format!(
            "<spec><propSet><type>VirtualMachine</type><pathSet>name</pathSet></propSet>\
             <objectSet><obj type=\"ContainerView\">{view}</obj><skip>true</skip>\
             <selectSet xsi:type=\"TraversalSpec\"><type>ContainerView</type><path>view</path>\
             </selectSet></objectSet></spec><partialUpdates>true</partialUpdates>"
        );
        let (status, reply) =
            self.call("PropertyCollector", "propertyCollector", "CreateFilter", &spec).await;
        assert_eq!(status, 200, "{reply}");
        between(&reply, "PropertyFilter\">", "<").to_owned()
    }

    async fn updates(&mut self, version: &str) -> (u16, String) {
        let args = format!(
            "<version>{version}</version><options><maxWaitSeconds>0</maxWaitSeconds></options>"
        );
        self.call("PropertyCollector", "propertyCollector", "WaitForUpdatesEx", &args).await
    }
}

/// Forty machines, twice for one client, are more than a hundred objects with
/// what belongs to them.
#[tokio::test(flavor = "multi_thread")]
async fn filters_over_more_than_a_session_may_hold_are_told_so() {
    let limits = Limits { objects: 100, ..Limits::default() };
    let simulator = server(limits).await.unwrap();
    let service = simulator.service().clone();
    let (mut client, mut other) =
        (Client::login(&simulator).await, Client::login(&simulator).await);
    let view = client.view().await;
    client.watch(&view).await;
    let (status, reply) = client.updates("").await;
    assert_eq!((status, reply.matches("<kind>enter</kind>").count()), (200, 80 / 2), "{reply}");
    let version = between(&reply, "<version>", "<").to_owned();
    let held = service.held_objects();
    assert!((40..=100).contains(&held), "{held}");

    let second = client.watch(&view).await;
    let (status, reply) = client.updates(&version).await;
    assert_eq!(status, 500, "{reply}");
    assert!(reply.contains("SystemErrorFault"), "{reply}");
    assert!(reply.contains("more than 100 objects"), "{reply}");
    // Another session has its own room.
    let other_view = other.view().await;
    other.watch(&other_view).await;
    assert_eq!(other.updates("").await.0, 200);
    let (_, logout) = other.call("SessionManager", "SessionManager", "Logout", "").await;
    assert!(logout.contains("LogoutResponse"), "{logout}");
    // Without the filter that was too much the client goes on.
    let (status, _) = client.call("PropertyFilter", &second, "DestroyPropertyFilter", "").await;
    assert_eq!(status, 200);
    let (status, reply) = client.updates(&version).await;
    assert_eq!(status, 200, "{reply}");
    assert!(!reply.contains("<returnval>"), "nothing is new: {reply}");
    assert_eq!(service.held_objects(), held);
    client.call("SessionManager", "SessionManager", "Logout", "").await;
    assert_eq!(service.held_objects(), 0);
    assert!(service.subscriptions().is_empty());
    simulator.stop().await;
}

/// What all sessions hold together has a limit as well; lists count, and what a
/// view would be too large for leaves it as it was.
#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_together_hold_only_so_much() {
    let limits = Limits { all_objects: 60, ..Limits::default() };
    let simulator = server(limits).await.unwrap();
    let service = simulator.service().clone();
    let (mut one, mut other) = (Client::login(&simulator).await, Client::login(&simulator).await);
    let view = one.view().await;
    let from_view = format!("<view type=\"ContainerView\">{view}</view>");
    let list = ("ViewManager", "ViewManager", "CreateListViewFromView");
    let (status, reply) = one.call(list.0, list.1, list.2, &from_view).await;
    assert_eq!(status, 200, "{reply}");
    let listed = between(&reply, "ListView\">", "<").to_owned();
    assert_eq!(service.held_objects(), 40);

    let other_view = other.view().await;
    let from_other = format!("<view type=\"ContainerView\">{other_view}</view>");
    let (status, reply) = other.call(list.0, list.1, list.2, &from_other).await;
    assert_eq!(status, 500);
    assert!(reply.contains("more than 60 objects"), "{reply}");
    let (_, reply) = other.call(list.0, list.1, "CreateListView", "").await;
    let empty = between(&reply, "ListView\">", "<").to_owned();
    let (status, _) = other.call("ListView", &empty, "ResetListViewFromView", &from_other).await;
    assert_eq!(status, 500);
    assert_eq!(service.held_objects(), 40);
    let (_, reply) = other.call("ListView", &empty, "Fetch", "<prop>view</prop>").await;
    assert!(!reply.contains("vm-"), "{reply}");
    let (status, _) = one.call("ListView", &listed, "DestroyView", "").await;
    assert_eq!(status, 200);
    let (status, _) = other.call("ListView", &empty, "ResetListViewFromView", &from_other).await;
    assert_eq!((status, service.held_objects()), (200, 40));
    simulator.stop().await;
}
