//! Any bytes are a request or an error, never a panic; and a request that was
//! read is the same after being written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vimsim::fault::Fault;
use vimsim::wire::soap::{Limits, decode_request, encode_fault, encode_request};

/// Newer than all, so that nothing is left out in between.
const ACTION: &str = "urn:vim25/999";

fuzz_target!(|document: &[u8]| {
    let limits = Limits::default();
    match decode_request(document, Some(ACTION), limits) {
        Err(error) => {
            let _ = (error.path(), error.place());
            let fault = Fault::from(error);
            encode_fault(&fault, vimsim::schema::Version::OLDEST, &mut Vec::new());
        }
        Ok(request) => {
            let mut written = Vec::new();
            encode_request(&request, &mut written);
            let again = decode_request(&written, Some(ACTION), limits);
            let again = again.unwrap_or_else(|error| {
                panic!("{error}\n{}", String::from_utf8_lossy(&written));
            });
            // Text decides, because a float that is no number differs from itself.
            assert_eq!(format!("{again:?}"), format!("{request:?}"));
        }
    }
});
