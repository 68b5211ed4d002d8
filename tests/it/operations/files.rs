//! What is on datastores: looking at it, and making, moving and deleting files.

use super::*;
use vimsim::object;

fn manager() -> MoRef {
    MoRef::new(ty::FileManager, "FileManager")
}

/// The names in a folder, as a search finds them.
fn listed(sim: &Sim, folder: &str, patterns: &[&str]) -> Vec<String> {
    let datastore = sim.find(ty::Datastore, "LocalDS_0");
    let snapshot = sim.snapshot();
    let browser = snapshot.moref(&datastore, path!(Datastore, "browser")).expect("a browser");
    let spec = object!(HostDatastoreBrowserSearchSpec { matchPattern: patterns.to_vec() });
    let args = args![datastorePath = folder.to_owned(), searchSpec = spec];
    let found = sim.done(browser, method::SearchDatastore_Task, args).result.expect("a result");
    let files =
        found.as_object().and_then(|it| it.at(path!(HostDatastoreBrowserSearchResults, "file")));
    let files = files.expect("files").items().iter().filter_map(Value::as_object);
    files.filter_map(|it| it.at(path!(FileInfo, "path"))?.as_str().map(ToOwned::to_owned)).collect()
}

#[test]
fn a_datastore_has_the_files_of_its_machines() {
    let sim = Sim::new();
    assert!(listed(&sim, "[LocalDS_0]", &[]).contains(&"DC0_H0_VM0".to_owned()));
    let files = listed(&sim, "[LocalDS_0] DC0_H0_VM0", &[]);
    for file in ["DC0_H0_VM0.vmx", "DC0_H0_VM0.vmdk", "vmware.log"] {
        assert!(files.contains(&file.to_owned()), "{file} in {files:?}");
    }
    assert_eq!(listed(&sim, "[LocalDS_0] DC0_H0_VM0/", &["*.v?x"]), ["DC0_H0_VM0.vmx"]);
    let datastore = sim.find(ty::Datastore, "LocalDS_0");
    let snapshot = sim.snapshot();
    let browser = snapshot.moref(&datastore, path!(Datastore, "browser")).expect("a browser");
    let args = args![datastorePath = "[LocalDS_0] nothing"];
    sim.fails(browser, method::SearchDatastore_Task, args, ty::FileNotFound);
    let args = args![datastorePath = "[other]"];
    sim.refused(browser, method::SearchDatastore_Task, args, ty::InvalidDatastore);
    let args = args![datastorePath = "[LocalDS_0]"];
    let all = sim.done(browser, method::SearchDatastoreSubFolders_Task, args).result;
    assert_eq!(all.expect("a result").items().len(), 5);
}

#[test]
fn folders_and_copies_are_made_and_deleted() {
    let sim = Sim::new();
    let datacenter = sim.find(ty::Datacenter, "DC0");
    let make = |name: &'static str, parents: bool| {
        let datacenter = datacenter.clone();
        let args = args![name = name, datacenter = datacenter, createParentDirectories = parents];
        sim.call(&manager(), method::MakeDirectory, args).map(drop).map_err(|fault| fault.ty())
    };
    assert_eq!(make("[LocalDS_0] a/b", false), Err(ty::FileNotFound));
    assert_eq!(make("[LocalDS_0] a/b", true), Ok(()));
    assert_eq!(make("[LocalDS_0] a/b", true), Err(ty::FileAlreadyExists));
    assert_eq!(make("[other] a", true), Err(ty::InvalidDatastore));
    let transfer = |from, to| args_of(from, to, datacenter.clone());
    let vmx = "[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0.vmx";
    let copy = transfer(vmx, "[LocalDS_0] a/b/c.vmx");
    sim.done(&manager(), method::CopyDatastoreFile_Task, &copy);
    assert_eq!(listed(&sim, "[LocalDS_0] a/b", &[]), ["c.vmx"]);
    let again = transfer(vmx, "[LocalDS_0] a/b/c.vmx");
    sim.fails(&manager(), method::CopyDatastoreFile_Task, &again, ty::FileAlreadyExists);
    let used = transfer(vmx, "[LocalDS_0] a/d.vmx");
    sim.fails(&manager(), method::MoveDatastoreFile_Task, &used, ty::FileLocked);
    let moved = transfer("[LocalDS_0] a/b", "[LocalDS_0] e");
    sim.done(&manager(), method::MoveDatastoreFile_Task, &moved);
    assert_eq!(listed(&sim, "[LocalDS_0] e", &[]), ["c.vmx"]);
    assert_eq!(listed(&sim, "[LocalDS_0] a", &[]), Vec::<String>::new());
    let args = args![name = "[LocalDS_0] e/", datacenter = datacenter.clone()];
    sim.done(&manager(), method::DeleteDatastoreFile_Task, args);
    let args = args![name = "[LocalDS_0] e", datacenter = datacenter.clone()];
    sim.fails(&manager(), method::DeleteDatastoreFile_Task, args, ty::FileNotFound);
    let args = args![name = "[LocalDS_0] DC0_H0_VM0", datacenter = datacenter];
    sim.fails(&manager(), method::DeleteDatastoreFile_Task, args, ty::FileLocked);
}

fn args_of(from: &'static str, to: &'static str, datacenter: MoRef) -> [Named; 3] {
    [
        ("sourceName", argument(from)),
        ("sourceDatacenter", argument(datacenter)),
        ("destinationName", argument(to)),
    ]
}
