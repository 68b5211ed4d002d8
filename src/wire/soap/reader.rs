//! The stream of elements that decoding works on: quick-xml's events with
//! namespaces resolved, text put together, limits kept, and everything refused
//! that a SOAP message must not have.

use std::borrow::Cow;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, Event};
use smallvec::SmallVec;

use super::error::{DecodeError, Problem, Result};

/// How much of a document is read before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Elements inside each other.
    pub depth: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Elements in all.
    pub elements: usize,
    /// Bytes of one element's text.
    pub text: usize,
    /// Fields of all data objects, set or not: what a small element can make
    /// the server allocate.
    pub fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, attributes: 64, elements: 1_000_000, text: 16 << 20, fields: 4_000_000 }
    }
}

/// A namespace, as far as the codec tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ns<'a> {
    /// No namespace.
    None,
    /// SOAP 1.1 or 1.2 envelopes.
    Soap,
    /// XML schema instance: `type`, `nil`.
    Xsi,
    /// XML schema: the simple types.
    Xsd,
    /// The API: `urn:vim25`, its internal part and its predecessor, `urn:reflect`.
    Api,
    /// Anything else.
    Other(&'a str),
}

impl<'a> Ns<'a> {
    fn of(uri: &'a str) -> Self {
        match uri {
            "" => Self::None,
            "http://schemas.xmlsoap.org/soap/envelope/"
            | "http://www.w3.org/2003/05/soap-envelope" => Self::Soap,
            "http://www.w3.org/2001/XMLSchema-instance" => Self::Xsi,
            "http://www.w3.org/2001/XMLSchema" => Self::Xsd,
            "urn:vim25" | "urn:internalvim25" | "urn:vim2" | "urn:reflect" => Self::Api,
            _ => Self::Other(uri),
        }
    }

    /// Whether a field of the API may stand in this namespace; clients that do
    /// not qualify their elements are understood.
    pub(super) fn holds_fields(self) -> bool {
        matches!(self, Self::Api | Self::None)
    }
}

/// The start of an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'a> {
    /// The name as written, with its prefix.
    pub qualified: &'a str,
    /// The name without its prefix.
    pub name: &'a str,
    /// The element's namespace.
    pub ns: Ns<'a>,
    /// Where its `<` stands, in bytes.
    pub at: usize,
    /// Whether [`Reader::take_attrs`] has something to give.
    pub has_attrs: bool,
}

/// The attributes that mean something to the codec.
#[derive(Clone, Debug, Default)]
pub(super) struct Attrs<'a> {
    /// `xsi:type`, as written.
    pub xsi_type: Option<Cow<'a, str>>,
    /// `xsi:nil` is true.
    pub nil: bool,
    /// `type`: the managed object type of a reference.
    pub mo_type: Option<Cow<'a, str>>,
    /// `versionId`: the API version, which pyVmomi repeats here.
    pub version: Option<Cow<'a, str>>,
}

/// What a prefix means, from the element at `depth` inwards.
struct Binding<'a> {
    prefix: &'a str,
    ns: Ns<'a>,
    depth: usize,
}

/// The stream. Lifetime `'a` is that of the document.
pub(super) struct Reader<'a> {
    xml: quick_xml::Reader<&'a [u8]>,
    text: &'a str,
    /// What was cut off in front: the byte order mark.
    cut: usize,
    pub(super) limits: Limits,
    depth: usize,
    elements: usize,
    /// The element that was entered last is `<like/>` this: its end comes next.
    empty: bool,
    bindings: Vec<Binding<'a>>,
    default: Ns<'a>,
    attrs: Attrs<'a>,
}

const BOM: &str = "\u{feff}";

impl<'a> Reader<'a> {
    /// A reader of `body`, which must be UTF-8 without forbidden characters.
    pub(super) fn new(body: &'a [u8], limits: Limits) -> Result<Self> {
        let text = std::str::from_utf8(body)
            .map_err(|error| DecodeError::new(Problem::NotUtf8, error.valid_up_to()))?;
        if let Some(at) = find_forbidden(text) {
            return Err(DecodeError::new(Problem::Malformed("invalid token".into()), at));
        }
        let cut = if text.starts_with(BOM) { BOM.len() } else { 0 };
        let text = text.get(cut..).unwrap_or_default();
        let mut xml = quick_xml::Reader::from_str(text);
        let config = xml.config_mut();
        config.check_comments = true;
        config.allow_dangling_amp = false;
        Ok(Self {
            xml,
            text,
            cut,
            limits,
            depth: 0,
            elements: 0,
            empty: false,
            bindings: Vec::new(),
            default: Ns::None,
            attrs: Attrs::default(),
        })
    }

    /// The attributes of `tag`, which must be the one that was read last.
    pub(super) fn take_attrs(&mut self, tag: &Tag<'a>) -> Attrs<'a> {
        if tag.has_attrs { std::mem::take(&mut self.attrs) } else { Attrs::default() }
    }

    /// Where reading stands, in bytes.
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.xml.buffer_position()).unwrap_or(usize::MAX).saturating_add(self.cut)
    }

    /// The one element at the top.
    pub(super) fn root(&mut self) -> Result<Tag<'a>> {
        loop {
            let (event, start, end) = self.event()?;
            match event {
                Event::Start(tag) => return self.enter(tag.name().0.len(), start, end, false),
                Event::Empty(tag) => return self.enter(tag.name().0.len(), start, end, true),
                Event::Decl(declaration) => {
                    if start != 0 {
                        return Err(self.malformed("XML declaration not at the start", start));
                    }
                    if let Some(encoding) = declaration.encoding() {
                        let encoding = encoding.unwrap_or_default();
                        if !["utf-8", "utf8", "us-ascii", "ascii"]
                            .iter()
                            .any(|known| encoding.eq_ignore_ascii_case(known))
                        {
                            return Err(self.malformed("unknown encoding", start));
                        }
                    }
                }
                Event::Text(_) if self.is_blank(start, end) => {}
                Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => {
                    return Err(DecodeError::new(Problem::DocType, start + self.cut));
                }
                Event::Eof => return Err(self.malformed("no element found", start)),
                _ => return Err(self.malformed("not well-formed (invalid token)", start)),
            }
        }
    }

    /// Reads to the end of the document, which must have nothing more to say.
    pub(super) fn finish(&mut self) -> Result<()> {
        loop {
            let (event, start, end) = self.event()?;
            match event {
                Event::Eof => return Ok(()),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(_) if self.is_blank(start, end) => {}
                _ => return Err(self.malformed("junk after document element", start)),
            }
        }
    }

    /// The next element inside the current one, or nothing at its end. Text
    /// other than whitespace is refused.
    pub(super) fn child(&mut self) -> Result<Option<Tag<'a>>> {
        if self.empty {
            self.leave();
            return Ok(None);
        }
        loop {
            let (event, start, end) = self.event()?;
            match event {
                Event::Start(tag) => {
                    return self.enter(tag.name().0.len(), start, end, false).map(Some);
                }
                Event::Empty(tag) => {
                    return self.enter(tag.name().0.len(), start, end, true).map(Some);
                }
                Event::End(_) => {
                    self.leave();
                    return Ok(None);
                }
                Event::Text(_) if self.is_blank(start, end) => {}
                Event::Comment(_) | Event::PI(_) => {}
                Event::CData(_) | Event::Text(_) | Event::GeneralRef(_) => {
                    return Err(DecodeError::new(Problem::UnexpectedText, start + self.cut));
                }
                other => return Err(self.misplaced(&other, start)),
            }
        }
    }

    /// The text of the current element up to its end. An element inside is refused.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>> {
        if self.empty {
            self.leave();
            return Ok(Cow::Borrowed(""));
        }
        let mut text = Cow::Borrowed("");
        loop {
            let (event, start, end) = self.event()?;
            match event {
                Event::End(_) => {
                    self.leave();
                    return Ok(text);
                }
                Event::Text(_) => append(&mut text, self.slice(start, end)),
                Event::CData(_) => {
                    let whole = self.slice(start, end);
                    let inner = whole
                        .strip_prefix("<![CDATA[")
                        .and_then(|rest| rest.strip_suffix("]]>"))
                        .unwrap_or_default();
                    append(&mut text, inner);
                }
                Event::GeneralRef(reference) => {
                    text.to_mut().push_str(&self.resolve(&reference, start)?);
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Start(tag) | Event::Empty(tag) => {
                    let name = tag.name().0.to_owned();
                    return Err(DecodeError::new(
                        Problem::UnexpectedElement(name),
                        start + self.cut,
                    ));
                }
                other => return Err(self.misplaced(&other, start)),
            }
            if text.len() > self.limits.text {
                return Err(DecodeError::new(Problem::Limit("text"), start + self.cut));
            }
        }
    }

    /// Passes over the rest of the current element.
    pub(super) fn skip(&mut self) -> Result<()> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if self.empty {
                self.leave();
                continue;
            }
            let (event, start, end) = self.event()?;
            match event {
                Event::Start(tag) => drop(self.enter(tag.name().0.len(), start, end, false)?),
                Event::Empty(tag) => drop(self.enter(tag.name().0.len(), start, end, true)?),
                Event::End(_) => self.leave(),
                Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::GeneralRef(reference) => drop(self.resolve(&reference, start)?),
                other => return Err(self.misplaced(&other, start)),
            }
        }
        Ok(())
    }

    /// The namespace and the local part of a qualified name in content, as
    /// `xsi:type` has it.
    pub(super) fn qname<'n>(&self, name: &'n str) -> Option<(Ns<'a>, &'n str)> {
        match name.split_once(':') {
            None => Some((self.default, name)),
            // govmomi writes `xsi:type="xsd:string"` without binding the prefix.
            Some(("xsd", local)) => Some((self.lookup("xsd").unwrap_or(Ns::Xsd), local)),
            Some((prefix, local)) => Some((self.lookup(prefix)?, local)),
        }
    }

    fn event(&mut self) -> Result<(Event<'a>, usize, usize)> {
        let start = self.xml.buffer_position() as usize;
        match self.xml.read_event() {
            Ok(event) => Ok((event, start, self.xml.buffer_position() as usize)),
            Err(error) => {
                let at = self.xml.error_position() as usize;
                Err(self.malformed(&error.to_string(), at))
            }
        }
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn is_blank(&self, start: usize, end: usize) -> bool {
        self.slice(start, end).bytes().all(is_space)
    }

    /// Goes into the element whose tag stands from `start` to `end`.
    fn enter(&mut self, name_len: usize, start: usize, end: usize, empty: bool) -> Result<Tag<'a>> {
        self.depth += 1;
        self.elements += 1;
        self.empty = empty;
        let at = start + self.cut;
        if self.depth > self.limits.depth {
            return Err(DecodeError::new(Problem::Limit("depth"), at));
        }
        if self.elements > self.limits.elements {
            return Err(DecodeError::new(Problem::Limit("elements"), at));
        }
        let inside = self.slice(start + 1, end - if empty { 2 } else { 1 });
        let (qualified, rest) = inside.split_at_checked(name_len).unwrap_or((inside, ""));
        let has_attrs = !rest.is_empty() && self.attributes(inside, name_len, at)?;
        let (prefix, name) = qualified.split_once(':').unwrap_or(("", qualified));
        let ns = if prefix.is_empty() {
            self.default
        } else {
            self.lookup(prefix)
                .ok_or_else(|| DecodeError::new(Problem::UnboundPrefix(prefix.to_owned()), at))?
        };
        Ok(Tag { qualified, name, ns, at, has_attrs })
    }

    fn leave(&mut self) {
        self.empty = false;
        let mut undo = false;
        while self.bindings.last().is_some_and(|binding| binding.depth == self.depth) {
            undo |= self.bindings.pop().is_some_and(|binding| binding.prefix.is_empty());
        }
        if undo {
            let outer = self.bindings.iter().rev().find(|binding| binding.prefix.is_empty());
            self.default = outer.map_or(Ns::None, |binding| binding.ns);
        }
        self.depth -= 1;
    }

    fn lookup(&self, prefix: &str) -> Option<Ns<'a>> {
        let bound = self.bindings.iter().rev().find(|binding| binding.prefix == prefix);
        bound.map(|binding| binding.ns).filter(|ns| *ns != Ns::None)
    }

    /// Reads the attributes; true if there is one that the codec wants.
    fn attributes(&mut self, tag: &'a str, name_len: usize, at: usize) -> Result<bool> {
        let mut others = SmallVec::<[(&'a str, &'a str); 8]>::new();
        for (count, attribute) in Attributes::new(tag, name_len).enumerate() {
            if count >= self.limits.attributes {
                return Err(DecodeError::new(Problem::Limit("attributes"), at));
            }
            let attribute = attribute
                .map_err(|error| DecodeError::new(Problem::Malformed(error.to_string()), at))?;
            let (name, value) = (attribute.key.0, attribute.value);
            let Cow::Borrowed(value) = value else { continue };
            if name == "xmlns" {
                self.default = Ns::of(value);
                self.bindings.push(Binding { prefix: "", ns: self.default, depth: self.depth });
            } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                self.bindings.push(Binding { prefix, ns: Ns::of(value), depth: self.depth });
            } else {
                others.push((name, value));
            }
        }
        if others.is_empty() {
            return Ok(false);
        }
        let mut attrs = Attrs::default();
        for (name, value) in others {
            match name.split_once(':') {
                None if name == "type" => attrs.mo_type = Some(unescape(value, at)?),
                None if name == "versionId" => attrs.version = Some(unescape(value, at)?),
                None => {}
                Some(("xml", _)) => {}
                Some((prefix, local)) => match (self.lookup(prefix), local) {
                    (Some(Ns::Xsi), "type") => attrs.xsi_type = Some(unescape(value, at)?),
                    (Some(Ns::Api), "type") => attrs.mo_type = Some(unescape(value, at)?),
                    (Some(Ns::Xsi), "nil") => attrs.nil = matches!(value.trim(), "true" | "1"),
                    (Some(_), _) => {}
                    (None, _) => {
                        return Err(DecodeError::new(
                            Problem::UnboundPrefix(prefix.to_owned()),
                            at,
                        ));
                    }
                },
            }
        }
        self.attrs = attrs;
        Ok(true)
    }

    fn resolve(&self, reference: &BytesRef<'_>, start: usize) -> Result<String> {
        resolve(reference).map_err(|problem| DecodeError::new(problem, start + self.cut))
    }

    fn malformed(&self, message: &str, at: usize) -> DecodeError {
        DecodeError::new(Problem::Malformed(message.to_owned()), at + self.cut)
    }

    fn misplaced(&self, event: &Event<'_>, start: usize) -> DecodeError {
        match event {
            Event::DocType(_) => DecodeError::new(Problem::DocType, start + self.cut),
            Event::Eof => self.malformed("no element end before the end of the document", start),
            _ => self.malformed("not well-formed (invalid token)", start),
        }
    }
}

/// The characters that `reference` stands for: predefined entities and
/// character references; there are no others without a DTD.
fn resolve(reference: &BytesRef<'_>) -> std::result::Result<String, Problem> {
    match reference.resolve_char_ref() {
        Ok(Some(char)) if is_char(char) => Ok(char.to_string()),
        Ok(Some(_)) | Err(_) => Err(Problem::Malformed("invalid character reference".to_owned())),
        Ok(None) => {
            let name = reference.xml10_content();
            resolve_xml_entity(&name)
                .map(str::to_owned)
                .ok_or_else(|| Problem::UndefinedEntity(name.into_owned()))
        }
    }
}

/// An attribute's value with references resolved and whitespace as blanks.
fn unescape(value: &str, at: usize) -> Result<Cow<'_, str>> {
    if !value.bytes().any(|b| matches!(b, b'&' | b'\t' | b'\n' | b'\r' | b'<')) {
        return Ok(Cow::Borrowed(value));
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(found) = rest.find(['&', '\t', '\n', '\r', '<']) {
        let (head, tail) = rest.split_at(found);
        out.push_str(head);
        rest = match tail.as_bytes().first() {
            Some(b'&') => {
                let invalid = || Problem::Malformed("reference without end".to_owned());
                let (name, after) =
                    tail.split_once(';').ok_or_else(|| DecodeError::new(invalid(), at))?;
                let reference = BytesRef::new(name.get(1..).unwrap_or_default());
                out.push_str(&resolve(&reference).map_err(|p| DecodeError::new(p, at))?);
                after
            }
            Some(b'<') => {
                let problem = Problem::Malformed("'<' in an attribute".to_owned());
                return Err(DecodeError::new(problem, at));
            }
            _ => {
                out.push(' ');
                tail.get(1..).unwrap_or_default()
            }
        };
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// Appends a piece of text, with line ends as XML wants them read.
fn append<'a>(text: &mut Cow<'a, str>, piece: &'a str) {
    if piece.as_bytes().contains(&b'\r') {
        text.to_mut().push_str(&piece.replace("\r\n", "\n").replace('\r', "\n"));
    } else if text.is_empty() {
        *text = Cow::Borrowed(piece);
    } else {
        text.to_mut().push_str(piece);
    }
}

/// XML's whitespace.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where a character stands that XML 1.0 cannot hold.
fn find_forbidden(text: &str) -> Option<usize> {
    let is_control = |byte: &u8| *byte < b' ' && !is_space(*byte);
    // Whole pieces at once first, which the compiler can do many bytes at a time.
    let piece = 512;
    let pieces = text.as_bytes().chunks(piece).enumerate();
    let control = pieces
        .filter(|(_, bytes)| bytes.iter().fold(false, |any, byte| any | is_control(byte)))
        .find_map(|(at, bytes)| Some(at * piece + bytes.iter().position(is_control)?));
    // The others are U+FFFE and U+FFFF, whose first byte is rare.
    if control.is_none() && text.as_bytes().contains(&0xef) {
        return text.find(|char| !is_char(char));
    }
    control
}

/// Whether XML 1.0 can hold the character at all.
pub(super) fn is_char(char: char) -> bool {
    match char {
        '\t' | '\n' | '\r' => true,
        _ => char >= ' ' && !matches!(char, '\u{fffe}' | '\u{ffff}'),
    }
}
