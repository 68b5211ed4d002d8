//! Replies that say much of many objects, written piece by piece.
//!
//! ```text
//!   reply ──► begin ──► rows … ──► end          a short one: all in one piece
//!                        │  ▲
//!                        ▼  └── when the client has taken the piece before
//!                      piece, at most a little more than PIECE
//! ```
//!
//! What was found is of one moment, and reading it cannot fail, so a reply that
//! has begun goes on to its end whatever happens meanwhile.

use std::sync::Arc;

use super::encode::Encoder;
use super::envelope;
use super::kept::{Kept, MANY, Table};
use crate::schema::{Field, Method, Version, ty};
use crate::value::Str;
use crate::vsphere::{Contents, Page};

/// How long a piece is.
pub(super) const PIECE: usize = 1 << 20;

/// A reply in the writing.
pub(crate) struct Writer {
    method: Method,
    version: Version,
    contents: Contents,
    /// What each object's element is.
    row: Field,
    /// The element around all rows, and the token that it begins with.
    page: Option<(Field, Option<Str>)>,
    kept: Arc<Kept>,
    /// The table of each plan, once it was looked for.
    tables: Vec<Option<Option<Arc<Table>>>>,
    /// How many rows are written.
    written: usize,
    begun: bool,
}

/// The field of a type with this name.
const fn field(ty: crate::schema::Type, name: &str) -> Field {
    #[allow(clippy::indexing_slicing, reason = "runs while compiling")]
    ty.fields()[ty.slot(name)]
}

impl Writer {
    /// The reply to `method`, whose result is an array of contents.
    pub(super) fn all(
        method: Method,
        version: Version,
        contents: Contents,
        kept: &Arc<Kept>,
    ) -> Option<Self> {
        let row = method.result()?;
        Some(Self::new(method, version, contents, (row, None), kept))
    }

    /// The reply to `method`, whose result is a page.
    pub(super) fn page(
        method: Method,
        version: Version,
        page: Page,
        kept: &Arc<Kept>,
    ) -> Option<Self> {
        let around = method.result()?;
        let row = const { field(ty::RetrieveResult, "objects") };
        let page_of = (row, Some((around, page.token)));
        Some(Self::new(method, version, page.contents, page_of, kept))
    }

    fn new(
        method: Method,
        version: Version,
        contents: Contents,
        (row, page): (Field, Option<(Field, Option<Str>)>),
        kept: &Arc<Kept>,
    ) -> Self {
        let (tables, kept) = (Vec::new(), Arc::clone(kept));
        Self { method, version, contents, row, page, kept, tables, written: 0, begun: false }
    }

    /// About how long the first piece will be.
    pub(super) fn length_of_first(&self) -> usize {
        PIECE.min(1024 + self.contents.len() * 256)
    }

    /// Appends a piece of the reply, until `out` is about as long as `until`;
    /// whether that was the last.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, until: usize) -> bool {
        if !self.begun {
            self.begun = true;
            envelope::begin(self.method, out);
            if let Some((around, token)) = &self.page {
                out.extend_from_slice(around.open().as_bytes());
                if let Some(token) = token {
                    let token_field = const { field(ty::RetrieveResult, "token") };
                    self.encoder(out).field(token_field, &token.clone().into());
                }
            }
        }
        while self.written < self.contents.len() && out.len() < until {
            self.run(out, until);
        }
        let whole = self.written >= self.contents.len();
        if whole {
            if let Some((around, _)) = &self.page {
                out.extend_from_slice(around.close().as_bytes());
            }
            envelope::end(self.method, out);
        }
        whole
    }

    fn encoder<'o>(&self, out: &'o mut Vec<u8>) -> Encoder<'o> {
        Encoder::new(out, self.version, self.method.namespace())
    }

    /// Appends rows that are read by one plan.
    fn run(&mut self, out: &mut Vec<u8>, until: usize) {
        let Some(first) = self.contents.rows(self.written).next() else {
            self.written = self.contents.len();
            return;
        };
        let plan = first.plan() as usize;
        if self.tables.len() <= plan {
            self.tables.resize(plan + 1, None);
        }
        let (kept, version, field) = (&self.kept, self.version, self.row);
        let whole = self.contents.is_whole();
        let table = self.tables.get_mut(plan).and_then(|place| {
            place
                .get_or_insert_with(|| whole.then(|| kept.table(version, field, first)).flatten())
                .clone()
        });
        let rows = self.contents.rows(self.written).take_while(|row| row.plan() as usize == plan);
        let mut encoder = self.encoder(out);
        match table {
            Some(table) => {
                let (start, left) = (encoder.out.len(), self.contents.len() - self.written);
                let all = || self.contents.rows(self.written);
                let many = left >= MANY;
                if many && table.write_whole(first.plan(), all(), encoder.out) {
                    self.written = self.contents.len();
                    return;
                }
                let (written, new) = table.write(rows, &mut encoder, until);
                let text = encoder.out.get(start..).unwrap_or_default();
                if many && written == left && new.is_empty() && text.len() <= PIECE {
                    table.keep_whole(all(), text);
                    kept.make_room(Some(&table));
                }
                kept.keep(&table, new);
                self.written += written;
            }
            None => {
                let mut written = 0;
                for row in rows {
                    encoder.content(field, row);
                    written += 1;
                    if encoder.out.len() >= until {
                        break;
                    }
                }
                self.written += written;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::super::encode_response;
    use super::*;
    use crate::collector::Request;
    use crate::config::{ClockMode, Config, Model};
    use crate::fault::Fault;
    use crate::schema::{Type, method};
    use crate::value::{MoRef, Object, Value};
    use crate::vsphere::{Call, Caller, Service, Session, SessionSource};
    use crate::{object, path};

    struct World {
        service: Arc<Service>,
        session: Arc<Session>,
        kept: Arc<Kept>,
    }

    impl World {
        fn new() -> Self {
            let model = Model { vm: 10, ..Model::default() };
            let config =
                Config { clock: ClockMode::Stepped, seed: Some(7), model, ..Config::default() };
            let service = Service::new(config).unwrap();
            let words = (Str::from("127.0.0.1"), Str::from("test"));
            let session = service.login("user", "pass", &words.0, &words.1, Duration::MAX).unwrap();
            Self { service, session, kept: Arc::default() }
        }

        fn contents(&self, spec: &Object, version: Version) -> Contents {
            let source = SessionSource::new(&self.service, Some(&self.session));
            Request::compile([spec]).unwrap().known_to(version).retrieve(&source).unwrap()
        }

        /// All entities of a type by name, each with some of its properties.
        fn everything(&self, of: Type, all: bool, paths: &[&str]) -> Object {
            let snapshot = self.service.engine().snapshot();
            let mut found: Vec<MoRef> = snapshot.of_type(of).map(|(mo, _)| mo.clone()).collect();
            found.sort();
            let objects: Vec<Object> =
                found.into_iter().map(|mo| object!(ObjectSpec { obj: mo })).collect();
            object!(PropertyFilterSpec {
                propSet: vec![object!(PropertySpec {
                    type: "ManagedEntity",
                    all: all,
                    pathSet: paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>(),
                })],
                objectSet: objects,
            })
        }

        /// What is written, in pieces.
        fn written(&self, contents: Contents, version: Version, until: usize) -> Vec<u8> {
            let method = method::RetrieveProperties;
            let writer = Writer::all(method, version, contents, &self.kept);
            pieces(writer.unwrap(), until)
        }

        fn machine(&self, place: usize) -> MoRef {
            let snapshot = self.service.engine().snapshot();
            let mut found: Vec<MoRef> =
                snapshot.of_type(ty::VirtualMachine).map(|(mo, _)| mo.clone()).collect();
            found.sort();
            found[place % found.len()].clone()
        }

        /// Makes a task, which `recentTask` of its machine names.
        fn make_task(&self, place: usize) {
            let mut caller = Caller::anonymous(Version::NEWEST);
            caller.session = Some(self.session.clone());
            let args = method::CreateTask.params().iter().map(|param| match param.name() {
                "obj" => Some(self.machine(place).into()),
                "taskTypeId" => Some("com.vmware.govmomi.simulator.test".into()),
                "cancelable" => Some(true.into()),
                _ => None,
            });
            let this = self.service.content().task_manager.clone();
            let call = Call { this, method: method::CreateTask, args: args.collect(), caller };
            self.service.call(&call).now_or_never().unwrap().unwrap();
        }

        fn rename(&self, place: usize, name: &str) {
            let mo = self.machine(place);
            let renamed = self.service.engine().store().commit(|tx| {
                tx.set(&mo, path!(ManagedEntity, "name"), name)?;
                Ok::<_, Fault>(())
            });
            renamed.unwrap();
        }
    }

    fn pieces(mut writer: Writer, until: usize) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let mut piece = Vec::new();
            let last = writer.write(&mut piece, until);
            assert!(last || piece.len() >= until);
            whole.extend(piece);
            if last {
                return whole;
            }
        }
    }

    fn as_value(contents: Contents, version: Version) -> Vec<u8> {
        let mut out = Vec::new();
        let value = contents.into_value();
        encode_response(method::RetrieveProperties, Some(&value), version, &mut out);
        out
    }

    #[test]
    fn what_is_written_in_pieces_is_what_the_value_is() {
        let world = World::new();
        let spec = world.everything(ty::ManagedEntity, true, &[]);
        for version in [Version::NEWEST, Version::at_most("5.5").unwrap()] {
            let contents = world.contents(&spec, version);
            let expected = as_value(contents.clone(), version);
            // The first asks, the second keeps, the third has what is kept.
            for until in [usize::MAX, 1, 10_000] {
                assert!(world.written(contents.clone(), version, until) == expected, "{until}");
            }
        }
    }

    #[test]
    fn a_page_is_written_with_its_token() {
        let world = World::new();
        let spec = world.everything(ty::ManagedEntity, false, &["name", "overallStatus"]);
        for token in [None, Some(Str::from("<1>"))] {
            let contents = world.contents(&spec, Version::NEWEST);
            let page = Page { token, contents };
            let (method, mut expected) = (method::RetrievePropertiesEx, Vec::new());
            let value = Value::from(page.clone().into_object());
            encode_response(method, Some(&value), Version::NEWEST, &mut expected);
            let writer = Writer::page(method, Version::NEWEST, page, &world.kept).unwrap();
            assert!(pieces(writer, 100) == expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Whatever changes between the replies, a kept row is never another
        /// than the one that would be written.
        #[test]
        fn kept_rows_are_those_of_now(
            steps in prop::collection::vec((0..9_usize, 0..9_u8, any::<bool>()), 1..40),
            room in prop_oneof![Just(0), Just(15_000), Just(1 << 20)],
        ) {
            let mut world = World::new();
            world.kept = Arc::new(Kept::within(room));
            let some = world.everything(ty::VirtualMachine, false, &["name", "recentTask"]);
            let all = world.everything(ty::ManagedEntity, true, &[]);
            for (place, what, whole) in steps {
                match what {
                    0 => world.rename(place, "a < b"),
                    1 => world.rename(place, "c"),
                    // Computed when it is read, and not stored.
                    2 => world.make_task(place),
                    _ => {}
                }
                let contents = world.contents(if whole { &all } else { &some }, Version::NEWEST);
                let expected = as_value(contents.clone(), Version::NEWEST);
                let until = if place == 0 { 3000 } else { usize::MAX };
                prop_assert!(world.written(contents, Version::NEWEST, until) == expected);
                prop_assert!(world.kept.bytes() <= room);
            }
        }
    }
}
