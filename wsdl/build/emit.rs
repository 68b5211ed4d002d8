//! Last pass: writes the tables. Rows are packed integers in one binary file each and all text is in
//! one pool, because the compiler takes 50,000 literals at every build but includes a file for free.
//! `src/schema/tables.rs` reads what is written here; the two must agree about the row layouts.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::hash::hash;
use super::resolve::{Model, PRIMITIVES};

const NONE: u16 = u16::MAX;

/// Writes the tables of `model` into `dir`.
pub fn emit(model: &Model, dir: &Path) -> io::Result<()> {
    let mut out = Emitter::default();
    let types = out.types(model);
    let fields = out.fields(model);
    let methods = out.methods(model);
    let names = model.types.iter().map(|row| row.name.as_str());
    let by_name = table(names.zip(0..));
    let by_vmodl = table(model.types.iter().map(|row| row.vmodl.as_str()).zip(0..));
    let by_method = table(model.methods.iter().map(|row| row.name.as_str()).zip(0..));

    std::fs::write(dir.join("pool.txt"), &out.pool)?;
    for (file, bytes) in [
        ("types.bin", types),
        ("fields.bin", fields),
        ("methods.bin", methods),
        ("field_lists.bin", bytes(&out.field_lists.items)),
        ("fault_lists.bin", bytes(&out.fault_lists.items)),
        ("by_name.bin", bytes(&by_name)),
        ("by_vmodl.bin", bytes(&by_vmodl)),
        ("by_method.bin", bytes(&by_method)),
    ] {
        std::fs::write(dir.join(file), bytes)?;
    }
    std::fs::write(dir.join("tables.rs"), out.source(model))?;
    std::fs::write(dir.join("ty.rs"), type_constants(model))?;
    std::fs::write(dir.join("method.rs"), method_constants(model))
}

#[derive(Default)]
struct Emitter {
    pool: String,
    pooled: HashMap<String, usize>,
    field_lists: Lists,
    fault_lists: Lists,
    values: Vec<String>,
    privileges: Vec<String>,
}

/// Lists of numbers laid end to end; equal lists are stored once.
#[derive(Default)]
struct Lists {
    items: Vec<u16>,
    known: HashMap<Vec<u16>, usize>,
}

impl Lists {
    fn add(&mut self, list: &[u16]) -> (usize, usize) {
        let items = &mut self.items;
        let start = *self.known.entry(list.to_vec()).or_insert_with(|| {
            let start = items.len();
            items.extend_from_slice(list);
            start
        });
        (start, list.len())
    }
}

/// One packed row, little-endian.
#[derive(Default)]
struct Row(Vec<u8>);

impl Row {
    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(mut self, value: usize) -> Self {
        self.0.extend(u32::try_from(value).expect("tables fit in 4 GiB").to_le_bytes());
        self
    }
}

fn short(value: usize) -> u16 {
    u16::try_from(value).expect("rows count to 65,535")
}

fn tiny(value: usize) -> u8 {
    u8::try_from(value).expect("names and lists of a row are shorter than 256")
}

impl Emitter {
    /// Offset of `text` in the pool.
    fn text(&mut self, text: &str) -> usize {
        if let Some(&at) = self.pooled.get(text) {
            return at;
        }
        let at = self.pool.len();
        self.pool.push_str(text);
        self.pooled.insert(text.to_owned(), at);
        at
    }

    fn privilege(&mut self, privilege: Option<&String>) -> u16 {
        let Some(privilege) = privilege else { return NONE };
        let known = self.privileges.iter().position(|known| known == privilege);
        short(known.unwrap_or_else(|| {
            self.privileges.push(privilege.clone());
            self.privileges.len() - 1
        }))
    }

    fn types(&mut self, model: &Model) -> Vec<u8> {
        let mut rows = Row::default();
        for row in &model.types {
            let (start, len) = if row.values.is_empty() {
                self.field_lists.add(&row.fields)
            } else {
                let start = self.values.len();
                self.values.extend(row.values.iter().cloned());
                (start, row.values.len())
            };
            let name = self.text(&row.name);
            let vmodl = self.text(&row.vmodl);
            rows = rows
                .u32(name)
                .u16(short(row.name.len()))
                .u16(short(row.vmodl.len()))
                .u32(vmodl)
                .u16(row.base.unwrap_or(NONE))
                .u16(row.last)
                .u32(start)
                .u16(short(len))
                .u16(row.element.or(row.array).unwrap_or(NONE))
                .u16(row.methods.0)
                .u16(row.methods.1)
                .u8(row.since)
                .u8(row.namespace)
                .u16(key_slot(model, &row.fields));
        }
        rows.0
    }

    fn fields(&mut self, model: &Model) -> Vec<u8> {
        let mut rows = Row::default();
        for row in &model.fields {
            // Opening tag, name and closing tag are parts of one piece of text.
            let at = self.text(&format!("<{0}></{0}>", row.name));
            let flags = u8::from(row.array)
                | u8::from(row.optional) << 1
                | u8::from(row.secret) << 2
                | u8::from(row.link) << 3
                | u8::from(row.linkable) << 4;
            let privilege = self.privilege(row.privilege.as_ref());
            rows = rows
                .u32(at)
                .u8(tiny(row.name.len()))
                .u8(flags)
                .u16(row.ty)
                .u16(privilege)
                .u16(row.fault.unwrap_or(NONE))
                .u8(row.since)
                .u8(0)
                .u16(0);
        }
        rows.0
    }

    fn methods(&mut self, model: &Model) -> Vec<u8> {
        let mut rows = Row::default();
        for row in &model.methods {
            let name = self.text(&format!("{}Response", row.name));
            let vmodl = self.text(&row.vmodl);
            let privilege = self.privilege(row.privilege.as_ref());
            let (params, param_count) = self.field_lists.add(&row.params);
            let (faults, fault_count) = self.fault_lists.add(&row.faults);
            rows = rows
                .u32(name)
                .u32(vmodl)
                .u32(params)
                .u32(faults)
                .u16(row.owner)
                .u16(privilege)
                .u16(row.result.unwrap_or(NONE))
                .u16(row.task_result.unwrap_or(NONE))
                .u8(tiny(row.name.len()))
                .u8(tiny(row.vmodl.len()))
                .u8(tiny(param_count))
                .u8(tiny(fault_count))
                .u8(row.since)
                .u8(row.namespace)
                .u16(0);
        }
        rows.0
    }

    /// The part of the tables that is Rust: sizes and lists of text.
    fn source(&self, model: &Model) -> String {
        let mut out = String::from("// Written by wsdl/build/emit.rs.\n");
        let [enums, data, managed, arrays] = model.first;
        for (name, value) in [
            ("FIRST_ENUM", usize::from(enums)),
            ("FIRST_DATA", usize::from(data)),
            ("FIRST_MANAGED", usize::from(managed)),
            ("FIRST_ARRAY", usize::from(arrays)),
            ("TYPE_COUNT", model.types.len()),
            ("METHOD_COUNT", model.methods.len()),
        ] {
            let _ = writeln!(out, "pub(super) const {name}: u16 = {value};");
        }
        for (name, value) in [
            ("FIELD_LISTS_LEN", self.field_lists.items.len()),
            ("FAULT_LISTS_LEN", self.fault_lists.items.len()),
        ] {
            let _ = writeln!(out, "pub(super) const {name}: usize = {value};");
        }
        for (name, texts) in [
            ("VALUES", &self.values),
            ("PRIVILEGES", &self.privileges),
            ("VERSIONS", &model.versions),
        ] {
            let len = texts.len();
            let _ = writeln!(out, "pub(super) static {name}: [&str; {len}] = {texts:?};");
        }
        out
    }
}

/// The slot of the field that names an element of an array of this type in a property path: `key`, when
/// it is a whole number, text or a reference.
fn key_slot(model: &Model, fields: &[u16]) -> u16 {
    let slot = fields.iter().position(|&field| {
        let field = &model.fields[usize::from(field)];
        let name = model.types[usize::from(field.ty)].name.as_str();
        let [_, _, managed, arrays] = model.first;
        field.name == "key"
            && !field.array
            && (["int", "short", "long", "string", "anyURI"].contains(&name)
                || (managed..arrays).contains(&field.ty))
    });
    slot.map_or(NONE, short)
}

/// An open-addressed table from name to number, at most half full; after a miss comes the next slot.
fn table<'a>(names: impl Iterator<Item = (&'a str, usize)>) -> Vec<u16> {
    let names: Vec<_> = names.collect();
    let mut table = vec![NONE; (names.len() * 2).next_power_of_two()];
    let mask = table.len() - 1;
    for (name, index) in names {
        let mut slot = hash(name.as_bytes()) & mask;
        while table[slot] != NONE {
            slot = (slot + 1) & mask;
        }
        table[slot] = short(index);
    }
    table
}

fn bytes(items: &[u16]) -> Vec<u8> {
    items.iter().flat_map(|item| item.to_le_bytes()).collect()
}

fn type_constants(model: &Model) -> String {
    let mut out = String::new();
    for (index, row) in model.types.iter().enumerate() {
        let name = PRIMITIVES.get(index).map_or(row.name.as_str(), |(_, constant)| constant);
        let _ = writeln!(out, "pub const {name}: Type = Type({index});");
    }
    out
}

fn method_constants(model: &Model) -> String {
    let mut out = String::new();
    for (index, row) in model.methods.iter().enumerate() {
        let _ = writeln!(out, "pub const {}: Method = Method({index});", row.name);
    }
    out
}
