//! A simulator inside a Rust program, such as a test: it starts on a free
//! port, is used over the wire, and is gone when it is dropped.
//!
//! Run it with `cargo run --example embed`.

use vimsim::config::{ListenAddress, Model, Tls};
use vimsim::{Config, Simulator};

#[tokio::main]
#[allow(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config {
        listen: ListenAddress { host: "127.0.0.1".to_owned(), port: 0 },
        tls: Tls::Off,
        model: Model { vm: 10, ..Model::default() },
        ..Config::default()
    };

    let simulator = Simulator::start(config).await?;
    println!("point any client at {}", simulator.url());

    // What is behind the wire can be looked at directly.
    let snapshot = simulator.service().engine().snapshot();
    println!("{} objects in the inventory", snapshot.len());

    simulator.stop().await;
    Ok(())
}
