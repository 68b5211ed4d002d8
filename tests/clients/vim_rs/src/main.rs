//! What vim_rs, a client of VI/JSON, makes of the server that `GOVC_URL` names.
//! The argument is the suite to run.

use std::env;
use std::error::Error;
use std::sync::Arc;

use vim_rs::core::ClientBuilder;
use vim_rs::core::client::{Client, Error as VimError};
use vim_rs::core::error::ErrorKind;
use vim_rs::core::pc_retrieve::ObjectRetriever;
use vim_rs::core::tasks::TaskTracker;
use vim_rs::mo::{
    PropertyCollector, SearchIndex, SessionManager, Task, ViewManager, VirtualMachine,
};
use vim_rs::types::enums::{TaskInfoStateEnum, VirtualMachinePowerStateEnum};
use vim_rs::types::struct_enum::StructType;
use vim_rs::types::structs::{ManagedObjectReference, MethodFault, PropertyFilterSpec};
use vim_rs::vim_retrievable;

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

vim_retrievable!(
    struct Machine: VirtualMachine {
        name = "name",
        power_state = "runtime.power_state",
        cpus = "config.hardware.num_cpu",
        guest = "config.guest_id",
    }
);

#[tokio::main]
async fn main() -> Result {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "two providers")?;
    match env::args().nth(1).as_deref() {
        Some("session") => session().await,
        Some("inventory") => inventory().await,
        Some("tasks") => tasks().await,
        Some("updates") => updates().await,
        Some("cancel") => cancel().await,
        other => Err(format!("no suite {other:?}").into()),
    }
}

/// A client of the server, logged in if the password is the right one.
async fn connect(password: Option<&str>) -> Result<Arc<Client>, VimError> {
    let url = env::var("GOVC_URL").expect("GOVC_URL");
    let rest = url.trim_start_matches("https://").trim_end_matches("/sdk");
    let (login, host) = rest.split_once('@').unwrap_or(("user:pass", rest));
    let (user, own) = login.split_once(':').expect("a login");
    let http = reqwest::Client::builder().danger_accept_invalid_certs(true).no_proxy().build()?;
    ClientBuilder::new(host, http)
        .basic_authn(user, password.unwrap_or(own))
        .app_details("vimsim-tests", "1")
        .build()
        .await
}

/// A request in the form in which the wire has it: the structures have a hundred fields.
fn parsed<T: miniserde::Deserialize>(json: &str) -> T {
    miniserde::json::from_str(json).unwrap_or_else(|_| panic!("{json}"))
}

async fn machine(client: &Arc<Client>) -> Result<VirtualMachine> {
    let index = client.service_content().search_index.as_ref().expect("a search index");
    let index = SearchIndex::new(client.clone(), &index.value);
    let found = index.find_by_inventory_path("/DC0/vm/DC0_H0_VM0").await?.expect("the machine");
    Ok(VirtualMachine::new(client.clone(), &found.value))
}

#[track_caller]
fn fault(error: VimError, expected: StructType) -> Arc<MethodFault> {
    match error {
        VimError::MethodFault(fault) => {
            assert_eq!(fault.type_, Some(expected), "{fault:?}");
            fault
        }
        other => panic!("{other}"),
    }
}

async fn session() -> Result {
    let client = connect(None).await?;
    assert_eq!(client.api_release(), "8.0.3.0");
    assert_eq!(client.service_content().about.api_type, "VirtualCenter");
    let manager = client.service_content().session_manager.as_ref().expect("a session manager");
    let manager = SessionManager::new(client.clone(), &manager.value);
    let current = manager.current_session().await?.expect("a session");
    assert!(current.user_agent.contains("vimsim-tests"), "{}", current.user_agent);
    let index = client.service_content().search_index.as_ref().expect("a search index");
    let index = SearchIndex::new(client.clone(), &index.value);
    assert!(index.find_by_inventory_path("/nowhere").await?.is_none());
    assert!(index.find_all_by_dns_name(None, "nowhere.example", true).await?.is_empty());
    client.close().await?;
    let error = manager.session_list().await.expect_err("no session");
    fault(error, StructType::NotAuthenticated);
    let Err(error) = connect(Some("")).await else { panic!("a login without a password") };
    let fault = fault(error, StructType::InvalidLogin);
    let message = format!("{fault:?}");
    assert!(message.contains("incorrect user name or password"), "{message}");
    Ok(())
}

async fn inventory() -> Result {
    let client = connect(None).await?;
    let root = &client.service_content().root_folder;
    let retriever = ObjectRetriever::new(client.clone())?;
    let machines: Vec<Machine> = retriever.retrieve_objects_from_container(root).await?;
    let mut names: Vec<&str> = machines.iter().map(|machine| machine.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1", "DC0_H0_VM0", "DC0_H0_VM1"]);
    for machine in &machines {
        assert_eq!(machine.power_state, VirtualMachinePowerStateEnum::PoweredOn);
        assert!(machine.cpus.is_some_and(|cpus| cpus > 0) && machine.guest.is_some());
    }
    let config = machine(&client).await?.config().await?.expect("a configuration");
    let devices = config.hardware.device.expect("devices");
    assert!(devices.len() > 5, "{} devices", devices.len());
    // All properties of all entities: each type is read by a decoder that is not ours.
    let views = client.service_content().view_manager.as_ref().expect("a view manager");
    let views = ViewManager::new(client.clone(), &views.value);
    let view = views.create_container_view(root, None, true).await?;
    let spec: PropertyFilterSpec = parsed(&format!(
        r#"{{
            "propSet": [{{ "type": "ManagedEntity", "all": true }}],
            "objectSet": [{{
                "obj": {{ "type": "ContainerView", "value": "{}" }},
                "skip": true,
                "selectSet": [{{ "_typeName": "TraversalSpec", "type": "ContainerView",
                                 "path": "view", "skip": false }}]
            }}]
        }}"#,
        view.value
    ));
    let collector = &client.service_content().property_collector.value;
    let collector = PropertyCollector::new(client.clone(), collector);
    let mut page =
        collector.retrieve_properties_ex(&[spec], &parsed(r#"{"maxObjects": 7}"#)).await?;
    let (mut objects, mut values) = (0, 0);
    while let Some(result) = page.take() {
        objects += result.objects.len();
        for object in &result.objects {
            assert!(object.missing_set.is_none(), "{:?}", object.missing_set);
            values += object.prop_set.as_ref().map_or(0, Vec::len);
        }
        if let Some(token) = result.token {
            page = Some(collector.continue_retrieve_properties_ex(&token).await?);
        }
    }
    assert!(objects > 20 && values > 20 * objects, "{values} values of {objects} objects");
    client.close().await?;
    Ok(())
}

async fn tasks() -> Result {
    let client = connect(None).await?;
    let machine = machine(&client).await?;
    let tracker = TaskTracker::new(client.clone());
    tracker.wait_any(machine.power_off_vm_task().await?).await?;
    let power = machine.runtime().await?.power_state;
    assert_eq!(power, VirtualMachinePowerStateEnum::PoweredOff);
    let again = machine.power_off_vm_task().await?;
    let error = tracker.wait_any(again.clone()).await.expect_err("it is off");
    assert_eq!(error.kind(), ErrorKind::TaskFailed, "{error}");
    let info = Task::new(client.clone(), &again.value).info().await?;
    assert_eq!(info.state, TaskInfoStateEnum::Error);
    let fault = info.error.expect("an error");
    assert_eq!(fault.type_, Some(StructType::InvalidPowerState));
    let shown = format!("{fault:?}");
    for part in ["existingState", "poweredOff", "faultstring", "current state"] {
        assert!(shown.contains(part), "{shown}");
    }
    tracker.wait_any(machine.rename_task("renamed \"täsk\"\n").await?).await?;
    assert_eq!(machine.name().await?, "renamed \"täsk\"\n");
    tracker.shutdown().await;
    client.close().await?;
    Ok(())
}

async fn updates() -> Result {
    let client = connect(None).await?;
    let machine = machine(&client).await?;
    let index = &client.service_content().property_collector.value;
    let collector = PropertyCollector::new(client.clone(), index);
    let found = machine.runtime().await?.host.expect("a host");
    assert!(found.value.starts_with("host"));
    let reference = machine_reference(&client).await?;
    let spec: PropertyFilterSpec = parsed(&format!(
        r#"{{
            "propSet": [{{ "type": "VirtualMachine", "pathSet": ["runtime.powerState"] }}],
            "objectSet": [{{ "obj": {{ "type": "VirtualMachine", "value": "{}" }} }}]
        }}"#,
        reference.value
    ));
    collector.create_filter(&spec, true).await?;
    let first = collector.wait_for_updates_ex(Some(""), None).await?.expect("the state");
    machine.power_off_vm_task().await?;
    let options = parsed(r#"{"maxWaitSeconds": 20}"#);
    let second = collector.wait_for_updates_ex(Some(&first.version), Some(&options)).await?;
    let shown = format!("{:?}", second.expect("a change"));
    assert!(shown.contains("poweredOff"), "{shown}");
    client.close().await?;
    Ok(())
}

async fn machine_reference(client: &Arc<Client>) -> Result<ManagedObjectReference> {
    let index = client.service_content().search_index.as_ref().expect("a search index");
    let index = SearchIndex::new(client.clone(), &index.value);
    Ok(index.find_by_inventory_path("/DC0/vm/DC0_H0_VM0").await?.expect("the machine"))
}

async fn cancel() -> Result {
    let client = connect(None).await?;
    let machine = machine(&client).await?;
    let spec = parsed(r#"{"location": {}, "powerOn": false, "template": false}"#);
    let index = client.service_content().search_index.as_ref().expect("a search index");
    let index = SearchIndex::new(client.clone(), &index.value);
    let folder = index.find_by_inventory_path("/DC0/vm").await?.expect("the folder");
    let reference = machine.clone_vm_task(&folder, "copy", &spec).await?;
    let task = Task::new(client.clone(), &reference.value);
    task.cancel_task().await?;
    let tracker = TaskTracker::new(client.clone());
    let error = tracker.wait_any(reference).await.expect_err("it was cancelled");
    assert!([ErrorKind::TaskCancelled, ErrorKind::TaskFailed].contains(&error.kind()), "{error}");
    let info = task.info().await?;
    assert!(info.cancelled);
    assert_eq!(info.error.and_then(|fault| fault.type_), Some(StructType::RequestCanceled));
    assert!(index.find_by_inventory_path("/DC0/vm/copy").await?.is_none());
    tracker.shutdown().await;
    client.close().await?;
    Ok(())
}
