//! Texts that match: names, paths and the like, with `*` and `?`.

use std::borrow::Cow;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::RuleError;

/// One pattern or several, of which one has to match; none match everything.
///
/// `*` stands for any text, `?` for one character, `{a,b}` for either. In paths
/// `*` stays within one name, and `**` stands for any number of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(pub Vec<String>);

impl Patterns {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns, ready to match; nothing if there are none.
    pub(super) fn compile(&self, paths: bool) -> Result<Option<GlobSet>, RuleError> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut set = GlobSetBuilder::new();
        for (index, pattern) in self.0.iter().enumerate() {
            let place = || if self.0.len() > 1 { format!("[{index}]") } else { String::new() };
            let glob = GlobBuilder::new(pattern).literal_separator(paths).build();
            set.add(glob.map_err(|error| RuleError::new(place(), error.kind()))?);
        }
        set.build().map(Some).map_err(|error| RuleError::new("", error))
    }
}

impl From<&str> for Patterns {
    fn from(pattern: &str) -> Self {
        Self(vec![pattern.to_owned()])
    }
}

impl From<String> for Patterns {
    fn from(pattern: String) -> Self {
        Self(vec![pattern])
    }
}

impl<const N: usize> From<[&str; N]> for Patterns {
    fn from(patterns: [&str; N]) -> Self {
        Self(patterns.map(str::to_owned).into())
    }
}

impl Serialize for Patterns {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => out.serialize_str(one),
            several => out.collect_seq(several),
        }
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(PatternsVisitor)
    }
}

struct PatternsVisitor;

impl<'de> Visitor<'de> for PatternsVisitor {
    type Value = Patterns;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a pattern or a list of patterns")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Patterns, E> {
        Ok(Patterns::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Patterns, A::Error> {
        let mut patterns = Vec::new();
        while let Some(pattern) = items.next_element()? {
            patterns.push(pattern);
        }
        Ok(Patterns(patterns))
    }
}

impl JsonSchema for Patterns {
    fn schema_name() -> Cow<'static, str> {
        "Patterns".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One pattern or several, of which one has to match. `*` stands for any text, `?` for one character, `{a,b}` for either; in paths `*` stays within one name, and `**` stands for any number of names.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}

/// One of something, or a list.
#[derive(Debug, JsonSchema, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

/// Lists in which one thing may stand by itself.
pub(super) mod one_or_many {
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
    use serde::de::{self, IntoDeserializer, MapAccess, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::scenario) fn serialize<T: Serialize, S: Serializer>(
        list: &[T],
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match list {
            [one] => one.serialize(out),
            several => several.serialize(out),
        }
    }

    pub(in crate::scenario) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        source: D,
    ) -> Result<Vec<T>, D::Error> {
        source.deserialize_any(Either(PhantomData))
    }

    /// Asks what there is, so that errors name their places.
    struct Either<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one of these, or a list")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vec<T>, E> {
            T::deserialize(number.into_deserializer()).map(|one| vec![one])
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Vec<T>, E> {
            T::deserialize(number.into_deserializer()).map(|one| vec![one])
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(items))
        }
    }
}
