//! What arrives of replies that rules do not let arrive as they are.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use vimsim::config::Tls;
use vimsim::scenario::{Reply, ReplyFate, Rule, When};
use vimsim::{Config, Simulator};

const CONTENT: &str = "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body>\
    <RetrieveServiceContent xmlns=\"urn:vim25\"><_this type=\"ServiceInstance\">ServiceInstance\
    </_this></RetrieveServiceContent></Body></Envelope>";

/// All that comes back for a request on a connection of its own.
async fn all_of(address: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /sdk HTTP/1.1\r\nhost: vc\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        CONTENT.len()
    );
    stream.write_all((head + CONTENT).as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    // A connection that breaks off may do so in either way.
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8(reply).unwrap()
}

fn parts(reply: &str) -> (usize, &str) {
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {reply}"));
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    (length.unwrap().parse().unwrap(), body)
}

#[tokio::test]
async fn of_a_reply_that_is_cut_half_arrives() {
    let config =
        Config { listen: "127.0.0.1:0".parse().unwrap(), tls: Tls::Off, ..Config::default() };
    let simulator = Simulator::start(config).await.unwrap();
    let address = simulator.url().split('/').nth(2).unwrap().to_owned();
    let address = address.rsplit('@').next().unwrap().to_owned();
    let whole = all_of(&address).await;
    let (length, body) = parts(&whole);
    assert_eq!(body.len(), length);

    let reply = Reply { fate: Some(ReplyFate::Cut), ..Reply::default() };
    let rule = Rule::new("cut").when(When::default().nth(1)).reply(reply);
    simulator.service().rules().add(rule).unwrap();
    let cut = all_of(&address).await;
    assert_eq!(parts(&cut), (length, &body[..length / 2]));
    assert_eq!(parts(&all_of(&address).await), (length, body), "only one was to be cut");
    simulator.stop().await;
}
