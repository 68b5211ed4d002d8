//! Power states in the terms of XenAPI.

/// What XenAPI calls a power state of vSphere, in the lower case of failures.
pub fn of_vsphere(state: &str) -> &'static str {
    match state {
        "poweredOn" => "running",
        "suspended" => "suspended",
        _ => "halted",
    }
}
