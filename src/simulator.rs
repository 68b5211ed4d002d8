//! A simulator: a simulated server behind a real one. A process can hold many.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinHandle;

use crate::config::{Config, ControlApi};
use crate::connection::Shutdown;
use crate::control::{Clock, Control, Counters, Tasks};
use crate::scenario::{self, Rules, Scenario};
use crate::server::{Routes, Server, ServerError};
use crate::vsphere::Service;
use crate::{wire, xenapi};

/// Why a simulator does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port or the certificate.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The saved inventory.
    #[error("cannot load the inventory: {0}")]
    Load(#[from] wire::soap::LoadError),
    /// The scenario.
    #[error("cannot use the scenario {}: {error}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: scenario::LoadError,
    },
    /// The inventory that was asked for.
    #[error("cannot make the inventory: {0}")]
    Inventory(String),
}

/// A simulator with its port taken, not serving yet.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) server: Server,
    /// Where the control API is served if it has an address of its own.
    pub(crate) control: Option<Server>,
    service: Arc<Service>,
    xenapi: Arc<xenapi::Server>,
    /// The listener that XenAPI has for itself.
    apart: Option<Server>,
}

impl Bound {
    /// Makes the inventory and takes the port.
    pub(crate) async fn new(config: Config) -> Result<Self, StartError> {
        let scenario = match &config.scenario {
            None => Scenario::default(),
            Some(path) => Scenario::load(path)
                .map_err(|error| StartError::Scenario { path: path.clone(), error })?,
        };
        let config = scenario.apply(config);
        let service = match &config.load {
            None => Service::new(config.clone()),
            Some(folder) => {
                let contents = wire::soap::saved::read(folder)?;
                Service::with_saved(config.clone(), &contents)
            }
        };
        let service = service.map_err(|fault| StartError::Inventory(fault.to_string()))?;
        // They were checked when the file was read.
        let added = scenario.add_to(service.rules());
        added.map_err(|error| StartError::Inventory(error.to_string()))?;
        for timer in &scenario.timers {
            service.arrange(
                timer.after.map_or(Duration::ZERO, |time| time.draw(service.ids())),
                timer.clone(),
            );
        }
        let xenapi = xenapi::Server::new(service.clone());
        let beside = Some(&xenapi).filter(|_| config.xenapi.listen.is_none());
        let vim = wire::Vim::new(&service);
        let routes = Routes::from(wire::router(&vim, beside))
            .with_calls(wire::soap::PATHS, wire::soap::calls(&vim));
        let server = Server::bind(&config, routes).await?;
        let elsewhere = |listen| Config { listen, tunnel: None, ..config.clone() };
        let apart = match config.xenapi.listen.clone() {
            Some(listen) => {
                Some(Server::bind(&elsewhere(listen), wire::xenapi_router(&xenapi)).await?)
            }
            None => None,
        };
        let control = match config.control.clone() {
            ControlApi { on: true, listen: Some(listen) } => {
                Some(Server::bind(&elsewhere(listen), wire::control::router(&service)).await?)
            }
            _ => None,
        };
        Ok(Self { server, control, service, xenapi, apart })
    }

    /// The URL of XenAPI.
    pub(crate) fn xenapi_url(&self) -> String {
        self.apart.as_ref().unwrap_or(&self.server).base_url()
    }

    /// The URL of the control API, if it is served.
    pub(crate) fn control_url(&self) -> Option<String> {
        let server = self.control.as_ref().unwrap_or(&self.server);
        let base = server.base_url();
        self.service.config().control.on.then(|| format!("{base}{}", wire::control::BASE))
    }

    /// Serves until `stop` is ready or the server is told to shut down; who
    /// waits for changes is answered then.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) {
        let shutdown = self.server.shutdown();
        let service = self.service;
        let others = [&self.apart, &self.control].map(|it| it.as_ref().map(Server::shutdown));
        let closing = async move {
            shutdown.begun().await;
            service.close();
            others.iter().flatten().for_each(Shutdown::begin);
            std::future::pending::<()>().await;
        };
        let apart = [self.apart, self.control].map(|server| async {
            if let Some(server) = server {
                server.serve(std::future::pending()).await;
            }
        });
        let [xenapi, control] = apart;
        let serving = async {
            tokio::join!(self.server.serve(stop), xenapi, control);
        };
        tokio::select! {
            () = serving => {}
            () = closing => {}
        }
    }
}

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    control: Control,
    control_url: Option<String>,
    service: Arc<Service>,
    xenapi: Arc<xenapi::Server>,
    url: String,
    xenapi_url: String,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
}

impl Simulator {
    /// Starts a simulator on the address that `config` names.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let bound = Bound::new(config).await?;
        let service = bound.service.clone();
        let xenapi = bound.xenapi.clone();
        let (url, shutdown) = (bound.server.url(), bound.server.shutdown());
        let xenapi_url = bound.xenapi_url();
        let control_url = bound.control_url();
        let serving = tokio::spawn(bound.serve(std::future::pending()));
        let control = Control::new(service.clone());
        Ok(Self { control, control_url, service, xenapi, url, xenapi_url, shutdown, serving })
    }

    /// The URL of the SDK.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the control API, if it is served.
    pub fn control_url(&self) -> Option<&str> {
        self.control_url.as_deref()
    }

    /// The URL of XenAPI.
    pub fn xenapi_url(&self) -> &str {
        &self.xenapi_url
    }

    /// The front end that speaks XenAPI.
    pub fn xenapi(&self) -> &Arc<xenapi::Server> {
        &self.xenapi
    }

    /// The simulated server behind the wire.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Everything about the simulator that can be directed.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Its tasks, to look at and to direct.
    pub fn tasks(&self) -> Tasks<'_> {
        self.control.tasks()
    }

    /// Its time, to stop and to move.
    pub fn clock(&self) -> Clock<'_> {
        self.control.clock()
    }

    /// What became of calls.
    pub fn counters(&self) -> Counters {
        self.control.counters()
    }

    /// The rules by which tasks and calls go their ways; they may be changed at
    /// any time.
    pub fn rules(&self) -> &Arc<Rules> {
        self.service.rules()
    }

    /// Stops accepting, lets requests in flight end, and returns.
    pub async fn stop(mut self) {
        self.shutdown.begin();
        // A server task that panicked has stopped as well.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shutdown.force();
        self.serving.abort();
    }
}
