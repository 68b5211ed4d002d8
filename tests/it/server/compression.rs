//! gzip both ways, and what it must not be used for.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::client::{plain, start};
use super::echo;

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn large_replies_are_compressed_for_those_who_accept() {
    let server = start(plain(), echo()).await;
    let mut client = server.client().await;
    let whole = client.get("/large").await;
    assert_eq!(whole.header("content-encoding"), None);
    assert_eq!(whole.header("content-length"), Some("16384"));

    let zipped = client.get_with("/large", &["accept-encoding: gzip, deflate"]).await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert!(zipped.body.len() < 1000, "{} bytes", zipped.body.len());
    let mut unzipped = Vec::new();
    GzDecoder::new(&zipped.body[..]).read_to_end(&mut unzipped).unwrap();
    assert_eq!(unzipped, whole.body);
}

#[tokio::test]
async fn small_replies_and_unwilling_servers_send_plain() {
    let server = start(plain(), echo()).await;
    let accept = &["accept-encoding: gzip"];
    let small = server.client().await.get_with("/small", accept).await;
    assert_eq!((small.header("content-encoding"), small.text().as_str()), (None, "small"));

    let mut config = plain();
    config.gzip = false;
    let server = start(config, echo()).await;
    let large = server.client().await.get_with("/large", accept).await;
    assert_eq!((large.header("content-encoding"), large.body.len()), (None, 16384));
}

#[tokio::test]
async fn requests_may_be_compressed() {
    let server = start(plain(), echo()).await;
    let mut client = server.client().await;
    let body = "some text, again and again ".repeat(100);
    for coding in ["gzip", "GZIP", "x-gzip"] {
        let coding = format!("content-encoding: {coding}");
        let reply = client.post("/echo", &[&coding], &zip(body.as_bytes())).await;
        assert_eq!((reply.status, reply.text()), (200, body.clone()), "{coding}");
    }
    let reply = client.post("/echo", &["content-encoding: identity"], b"plain").await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "plain"));
}

#[tokio::test]
async fn what_cannot_be_decompressed_is_refused() {
    let server = start(plain(), echo()).await;
    let gzip = &["content-encoding: gzip"];
    let good = zip(&[b'x'; 5000]);
    let cut = &good[..good.len() / 2];
    for body in [b"not gzip at all, but long enough for a header".as_slice(), cut] {
        let reply = server.client().await.post("/echo", gzip, body).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
    let reply = server.client().await.post("/echo", &["content-encoding: br"], b"x").await;
    assert_eq!(reply.status, 415);
}

#[tokio::test]
async fn a_bomb_stops_at_the_limit() {
    let mut config = plain();
    config.limits.body = 1 << 20;
    let server = start(config, echo()).await;
    let gzip = &["content-encoding: gzip"];

    let fits = server.client().await.post("/length", gzip, &zip(&vec![0; 1 << 20])).await;
    assert_eq!((fits.status, fits.text()), (200, (1 << 20).to_string()));

    // A gigabyte in a megabyte: 16 members of 64 MB each.
    let bomb = zip(&vec![0; 64 << 20]).repeat(16);
    assert!(bomb.len() < 2 << 20);
    for body in [zip(&vec![0; (1 << 20) + 1]), bomb] {
        let reply = server.client().await.post("/length", gzip, &body).await;
        assert_eq!(reply.status, 413, "{}", reply.text());
    }
}
