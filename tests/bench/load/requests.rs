//! Requests that only these rows need, as the real clients write them.

use crate::driver::{Client, between, retrieve, view};

/// The virtual machines that there are, by the values of their references.
pub(crate) fn machines(client: &mut Client) -> Vec<String> {
    let view = view(client);
    let reply = client.call(&retrieve(&view, &["name"]));
    let objects = reply.split("<obj type=\"VirtualMachine\">").skip(1);
    objects.map(|rest| rest.split('<').next().unwrap_or_default().to_owned()).collect()
}

/// One property of one virtual machine.
pub(crate) fn one_machine(machine: &str, property: &str) -> String {
    format!(
        "<RetrievePropertiesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">\
         propertyCollector</_this><specSet><propSet><type>VirtualMachine</type>\
         <pathSet>{property}</pathSet></propSet><objectSet><obj type=\"VirtualMachine\">{machine}\
         </obj></objectSet></specSet><options/></RetrievePropertiesEx>"
    )
}

/// `UpdateProgress` of a task.
pub(crate) fn progress(task: &str, percent: u64) -> String {
    format!(
        "<UpdateProgress xmlns=\"urn:vim25\"><_this type=\"Task\">{task}</_this>\
         <percentDone>{percent}</percentDone></UpdateProgress>"
    )
}

/// A filter on one property of one object, in the session's collector `collector`.
pub(crate) fn object_filter(collector: &str, ty: &str, object: &str, property: &str) -> String {
    format!(
        "<CreateFilter xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">{collector}</_this>\
         <spec><propSet><type>{ty}</type><pathSet>{property}</pathSet></propSet>\
         <objectSet><obj type=\"{ty}\">{object}</obj></objectSet></spec>\
         <partialUpdates>false</partialUpdates></CreateFilter>"
    )
}

/// A filter on properties of all virtual machines of a view.
pub(crate) fn view_filter(view: &str, properties: &[&str]) -> String {
    let paths: String = properties.iter().map(|p| format!("<pathSet>{p}</pathSet>")).collect();
    format!(
        "<CreateFilter xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">propertyCollector\
         </_this><spec><propSet><type>VirtualMachine</type>{paths}</propSet>\
         <objectSet><obj type=\"ContainerView\">{view}</obj><skip>true</skip>\
         <selectSet xsi:type=\"TraversalSpec\"><type>ContainerView</type><path>view</path>\
         </selectSet></objectSet></spec><partialUpdates>false</partialUpdates></CreateFilter>"
    )
}

/// The next updates of a collector, at once or when there are some.
pub(crate) fn wait(collector: &str, version: &str) -> String {
    format!(
        "<WaitForUpdatesEx xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">{collector}\
         </_this><version>{version}</version></WaitForUpdatesEx>"
    )
}

/// Reads all that there is and gives the version to wait from.
pub(crate) fn settle(client: &mut Client) -> String {
    let mut version = String::new();
    loop {
        let reply = client.call(&wait("propertyCollector", &version));
        version = between(&reply, "<version>", "<");
        if !reply.contains("<truncated>true</truncated>") {
            return version;
        }
    }
}
