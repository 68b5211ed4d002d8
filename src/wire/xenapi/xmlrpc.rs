//! XML-RPC: requests as any client writes them, answers as XenServer does.

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use super::Malformed;
use crate::value::Str;
use crate::xenapi::value::{parse_time, write_xml};
use crate::xenapi::{Failure, Value};

/// A method's name and its arguments.
pub type Call = (String, Vec<Value>);

/// How many values one request may have.
const VALUES: usize = 100_000;

/// Reads a request; `depth` bounds the elements inside each other.
pub fn decode(body: &[u8], depth: usize) -> Result<Call, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut xml = quick_xml::Reader::from_str(text);
    xml.config_mut().allow_dangling_amp = false;
    let mut reader = Reader { xml, open: Vec::new(), empty: false, depth, values: 0 };
    reader.expect("methodCall")?;
    reader.expect("methodName")?;
    let name = reader.text()?.trim().to_owned();
    let mut params = Vec::new();
    // A request without parameters may leave the list out.
    while let Some(list) = reader.child()? {
        known(list == "params")?;
        while let Some(param) = reader.child()? {
            known(param == "param")?;
            reader.expect("value")?;
            params.push(reader.value()?);
            reader.close()?;
        }
    }
    reader.finish()?;
    Ok((name, params))
}

fn known(holds: bool) -> Result<(), Malformed> {
    if holds { Ok(()) } else { Err(Malformed::NoRequest("an element does not belong there")) }
}

struct Reader<'a> {
    xml: quick_xml::Reader<&'a [u8]>,
    /// The elements that are open.
    open: Vec<String>,
    /// The element that was opened last is closed already.
    empty: bool,
    depth: usize,
    values: usize,
}

enum Token {
    Open(String),
    Close,
    Text(String),
    End,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Token, Malformed> {
        if std::mem::take(&mut self.empty) {
            self.open.pop();
            return Ok(Token::Close);
        }
        loop {
            let event = self.xml.read_event();
            let event = event.map_err(|error| Malformed::Document(error.to_string()))?;
            match event {
                Event::Start(tag) => return self.enter(tag.name().0, false),
                Event::Empty(tag) => return self.enter(tag.name().0, true),
                Event::End(_) => {
                    self.open.pop();
                    return Ok(Token::Close);
                }
                Event::Text(text) => {
                    let text = text.xml_content(quick_xml::XmlVersion::Implicit1_0);
                    return Ok(Token::Text(text.into_owned()));
                }
                Event::CData(text) => {
                    let text = text.xml_content(quick_xml::XmlVersion::Implicit1_0);
                    return Ok(Token::Text(text.into_owned()));
                }
                Event::GeneralRef(reference) => {
                    let number = reference.resolve_char_ref();
                    let number = number.map_err(|error| Malformed::Document(error.to_string()))?;
                    let text = match number {
                        Some(c) => c.to_string(),
                        None => {
                            let name = reference.as_ref();
                            let known = resolve_xml_entity(name);
                            known.ok_or(Malformed::NoRequest("an unknown entity"))?.to_owned()
                        }
                    };
                    return Ok(Token::Text(text));
                }
                Event::DocType(_) => return Err(Malformed::NoRequest("a document type")),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if self.open.is_empty() => return Ok(Token::End),
                Event::Eof => return Err(Malformed::NoRequest("the document ends too early")),
            }
        }
    }

    fn enter(&mut self, name: &str, empty: bool) -> Result<Token, Malformed> {
        if self.open.len() >= self.depth {
            return Err(Malformed::Limit("elements inside each other"));
        }
        self.open.push(name.to_owned());
        self.empty = empty;
        Ok(Token::Open(name.to_owned()))
    }

    /// The next element inside the current one, or nothing at its end.
    fn child(&mut self) -> Result<Option<String>, Malformed> {
        loop {
            match self.next()? {
                Token::Open(name) => return Ok(Some(name)),
                Token::Close => return Ok(None),
                Token::Text(text) if is_blank(&text) => {}
                Token::Text(_) => return Err(Malformed::NoRequest("text between elements")),
                Token::End => return Err(Malformed::NoRequest("the document has no element")),
            }
        }
    }

    /// Enters the element `name`, which must come next.
    fn expect(&mut self, name: &str) -> Result<(), Malformed> {
        known(self.child()?.as_deref() == Some(name))
    }

    /// The end of the current element, which must come next.
    fn close(&mut self) -> Result<(), Malformed> {
        known(self.child()?.is_none())
    }

    /// The end of the document.
    fn finish(&mut self) -> Result<(), Malformed> {
        loop {
            match self.next()? {
                Token::End => return Ok(()),
                Token::Text(text) if is_blank(&text) => {}
                _ => return Err(Malformed::NoRequest("something after the request")),
            }
        }
    }

    /// The text of the current element, up to its end.
    fn text(&mut self) -> Result<String, Malformed> {
        let mut whole = String::new();
        loop {
            match self.next()? {
                Token::Text(text) => whole.push_str(&text),
                Token::Close => return Ok(whole),
                Token::Open(_) | Token::End => {
                    return Err(Malformed::NoRequest("an element inside a text"));
                }
            }
        }
    }

    /// The value whose element has been entered, up to its end.
    fn value(&mut self) -> Result<Value, Malformed> {
        self.values += 1;
        if self.values > VALUES {
            return Err(Malformed::Limit("values"));
        }
        let mut untyped = String::new();
        loop {
            match self.next()? {
                Token::Text(text) => untyped.push_str(&text),
                Token::Close => return Ok(Value::text(untyped)),
                Token::Open(kind) if is_blank(&untyped) => {
                    let value = self.typed(&kind)?;
                    self.close()?;
                    return Ok(value);
                }
                Token::Open(_) | Token::End => {
                    return Err(Malformed::NoRequest("an element beside a text"));
                }
            }
        }
    }

    fn typed(&mut self, kind: &str) -> Result<Value, Malformed> {
        Ok(match kind {
            "string" | "base64" => Value::text(self.text()?),
            "int" | "i4" | "i8" => {
                let text = self.text()?;
                Value::Int(text.trim().parse().map_err(|_| Malformed::NoRequest("no number"))?)
            }
            "double" => {
                let text = self.text()?;
                Value::Float(text.trim().parse().map_err(|_| Malformed::NoRequest("no number"))?)
            }
            "boolean" => match self.text()?.trim() {
                "1" | "true" => Value::Bool(true),
                "0" | "false" => Value::Bool(false),
                _ => return Err(Malformed::NoRequest("no truth value")),
            },
            "dateTime.iso8601" => {
                let text = self.text()?;
                parse_time(&text).map(Value::Time).ok_or(Malformed::NoRequest("no time"))?
            }
            "nil" => {
                self.close()?;
                Value::Void
            }
            "array" => {
                let mut items = Vec::new();
                while let Some(data) = self.child()? {
                    known(data == "data")?;
                    while let Some(item) = self.child()? {
                        known(item == "value")?;
                        items.push(self.value()?);
                    }
                }
                Value::Set(items)
            }
            "struct" => {
                let mut entries = Vec::new();
                while let Some(member) = self.child()? {
                    known(member == "member")?;
                    self.expect("name")?;
                    let name = Str::from(self.text()?);
                    self.expect("value")?;
                    entries.push((name, self.value()?));
                    self.close()?;
                }
                Value::Map(entries)
            }
            _ => return Err(Malformed::NoRequest("an unknown type")),
        })
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// An answer as XenServer writes it; `bare` leaves the envelope out.
pub fn encode(answer: &Result<Value, Failure>, bare: bool) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("<?xml version=\"1.0\"?><methodResponse><params><param>");
    match answer {
        Ok(value) if bare => write_xml(value, &mut out),
        Ok(value) => {
            out.push_str(
                "<value><struct><member><name>Status</name><value>Success</value></member>",
            );
            out.push_str("<member><name>Value</name>");
            write_xml(value, &mut out);
            out.push_str("</member></struct></value>");
        }
        Err(failure) => {
            out.push_str(
                "<value><struct><member><name>Status</name><value>Failure</value></member>",
            );
            out.push_str("<member><name>ErrorDescription</name>");
            write_xml(&Value::texts(failure.description().cloned()), &mut out);
            out.push_str("</member></struct></value>");
        }
    }
    out.push_str("</param></params></methodResponse>");
    out
}
