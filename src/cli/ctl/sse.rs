//! Server-sent events, read as they come.

use std::io::{BufRead, BufReader, Read};

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// What kind of event it is.
    pub(super) name: String,
    /// The place to go on from.
    pub(super) id: Option<String>,
    /// What it says.
    pub(super) data: String,
}

/// The events in a stream.
#[derive(Debug)]
pub(super) struct Events<R> {
    lines: BufReader<R>,
}

impl<R: Read> Events<R> {
    /// The events that `stream` brings.
    pub(super) fn new(stream: R) -> Self {
        Self { lines: BufReader::new(stream) }
    }
}

impl<R: Read> Iterator for Events<R> {
    type Item = std::io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut event = Event::default();
        let mut line = String::new();
        loop {
            line.clear();
            match self.lines.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            let text = line.trim_end_matches(['\r', '\n']);
            let (field, value) = text.split_once(':').unwrap_or((text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if text.is_empty() && !event.data.is_empty() => return Some(Ok(event)),
                "event" => value.clone_into(&mut event.name),
                "id" => event.id = Some(value.to_owned()),
                "data" => {
                    if !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                }
                // Comments keep the connection alive.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_out_of_a_stream() {
        let text = ":\n\nevent: task\nid: a-1\ndata: {\ndata: }\n\ndata:x\r\n\r\nevent: cut";
        let events: Vec<Event> = Events::new(text.as_bytes()).map(Result::unwrap).collect();
        let event = |name: &str, id: Option<&str>, data: &str| Event {
            name: name.to_owned(),
            id: id.map(str::to_owned),
            data: data.to_owned(),
        };
        assert_eq!(events, [event("task", Some("a-1"), "{\n}"), event("", None, "x")]);
    }
}
