//! The language of `get_all_records_where`: which objects somebody wants.
//!
//! ```text
//! expr  := expr "or" expr | expr "and" expr | "not" expr | "(" expr ")"
//!        | "true" | "false" | term "=" term
//! term  := "text" | field "column"
//! ```
//!
//! Columns have the names of the real product's database (`name__label`), and
//! what is compared are texts, in the form in which it stores them: a set is
//! `('a' 'b')`, a map `(('key' 'value'))`, a truth value `true`. Who asks for a
//! column that the class does not have is told so.

use thiserror::Error;

use super::class::{Class, Field};
use super::value::{Value, time_text};
use super::view::View;
use crate::value::{MoRef, Str};

/// How deep an expression may be nested, and how long a chain of `not` may be.
const DEEPEST: usize = 100;

/// How many words an expression may have: each is looked at for every object.
const LONGEST: usize = 10_000;

/// A condition on objects of a class.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Always, or never.
    Literal(bool),
    /// Unless the other holds.
    Not(Box<Filter>),
    /// If all of these hold.
    All(Vec<Filter>),
    /// If any of these holds.
    Any(Vec<Filter>),
    /// If both are the same text.
    Equal(Term, Term),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// This text.
    Text(Str),
    /// What the object has in this column.
    Column(Str),
}

/// Why a text is no filter.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FilterError {
    /// A word that does not belong where it is; the place is in bytes.
    #[error("unexpected {found} at {at}, where {wanted} should be")]
    Unexpected {
        /// What is there.
        found: String,
        /// Where it begins.
        at: usize,
        /// What could be there.
        wanted: &'static str,
    },
    /// A text without its end.
    #[error("the text that begins at {at} has no end")]
    Unclosed {
        /// Where it begins.
        at: usize,
    },
    /// More than anybody needs.
    #[error("the expression is nested too deeply or too long")]
    TooComplex,
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let words = words(text)?;
        let mut parser = Parser { words: &words, at: 0, depth: 0, end: text.len() };
        let filter = parser.any()?;
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.unexpected("the end")),
        }
    }

    /// The first column that the class does not have.
    pub fn unknown_column(&self, class: &Class) -> Option<&Str> {
        match self {
            Self::Literal(_) => None,
            Self::Not(inner) => inner.unknown_column(class),
            Self::All(all) | Self::Any(all) => all.iter().find_map(|one| one.unknown_column(class)),
            Self::Equal(left, right) => [left, right].into_iter().find_map(|term| match term {
                Term::Column(name) if name != REFERENCE && column(class, name).is_none() => {
                    Some(name)
                }
                _ => None,
            }),
        }
    }

    /// Whether an object is wanted. A column that its class does not have is empty.
    pub fn matches(&self, class: &Class, view: &View<'_>, mo: &MoRef) -> bool {
        match self {
            Self::Literal(literal) => *literal,
            Self::Not(inner) => !inner.matches(class, view, mo),
            Self::All(all) => all.iter().all(|one| one.matches(class, view, mo)),
            Self::Any(any) => any.iter().any(|one| one.matches(class, view, mo)),
            Self::Equal(left, right) => {
                left.text(class, view, mo).as_str() == right.text(class, view, mo).as_str()
            }
        }
    }
}

impl Term {
    fn text(&self, class: &Class, view: &View<'_>, mo: &MoRef) -> Str {
        match self {
            Self::Text(text) => text.clone(),
            Self::Column(name) if name == REFERENCE => view.reference(mo),
            Self::Column(name) => match column(class, name) {
                Some(field) => stored(&(field.read)(view, mo)),
                None => Str::new(),
            },
        }
    }
}

/// The column that every table has: the reference.
const REFERENCE: &str = "_ref";

/// The field that a column holds: the same name, but for two underscores where
/// the model has a group of fields.
fn column(class: &Class, name: &str) -> Option<&'static Field> {
    class.fields.iter().find(|field| match field.name {
        "name_label" => name == "name__label",
        "name_description" => name == "name__description",
        // Which of the others are in groups we do not know: both forms will do.
        plain => name == plain || name.replace("__", "_") == plain,
    })
}

/// A value as the database of the real product stores it.
fn stored(value: &Value) -> Str {
    let mut text = String::new();
    match value {
        Value::Void => {}
        Value::String(plain) => return plain.clone(),
        Value::Int(number) => text = number.to_string(),
        Value::Small(number) => text = number.to_string(),
        Value::Float(number) => text = general(*number),
        Value::Bool(flag) => text = flag.to_string(),
        Value::Time(time) => text = time_text(*time),
        Value::Set(_) | Value::Map(_) => nested(value, &mut text),
    }
    Str::from(text)
}

fn nested(value: &Value, out: &mut String) {
    let mut list = |items: &mut dyn Iterator<Item = String>| {
        let items: Vec<String> = items.collect();
        out.push('(');
        out.push_str(&items.join(" "));
        out.push(')');
    };
    match value {
        Value::Set(items) => list(&mut items.iter().map(quoted)),
        Value::Map(entries) => list(&mut entries.iter().map(|(key, value)| {
            format!("({} {})", quoted(&Value::String(key.clone())), quoted(value))
        })),
        other => out.push_str(&quoted(other)),
    }
}

fn quoted(value: &Value) -> String {
    if matches!(value, Value::Set(_) | Value::Map(_)) {
        let mut text = String::new();
        nested(value, &mut text);
        return text;
    }
    format!("'{}'", stored(value).replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A number with eighteen significant digits at the most, as C's `%.18g`.
fn general(number: f64) -> String {
    if !number.is_finite() {
        return super::value::float_text(number);
    }
    let scientific = format!("{number:.17e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-5..18).contains(&exponent) {
        let places = usize::try_from(17 - exponent).unwrap_or_default();
        return trim(&format!("{number:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(digits), exponent.abs())
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Name(String),
    Text(Str),
    Open,
    Close,
    Equals,
}

impl Word {
    fn shown(&self) -> String {
        match self {
            Self::Name(name) => format!("\u{201c}{name}\u{201d}"),
            Self::Text(_) => "a text".to_owned(),
            Self::Open => "\u{201c}(\u{201d}".to_owned(),
            Self::Close => "\u{201c})\u{201d}".to_owned(),
            Self::Equals => "\u{201c}=\u{201d}".to_owned(),
        }
    }
}

fn words(text: &str) -> Result<Vec<(usize, Word)>, FilterError> {
    let mut words = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let word = match c {
            c if c.is_whitespace() => continue,
            '(' => Word::Open,
            ')' => Word::Close,
            '=' => Word::Equals,
            '"' => {
                let mut literal = String::new();
                loop {
                    match chars.next() {
                        None => return Err(FilterError::Unclosed { at }),
                        Some((_, '"')) => break,
                        Some((_, '\\')) => match chars.next() {
                            None => return Err(FilterError::Unclosed { at }),
                            Some((_, escaped)) => literal.push(escaped),
                        },
                        Some((_, other)) => literal.push(other),
                    }
                }
                Word::Text(Str::from(literal))
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let mut name = c.to_string();
                while let Some((_, c)) =
                    chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || *c == '_')
                {
                    name.push(c);
                }
                Word::Name(name)
            }
            other => {
                let found = format!("\u{201c}{other}\u{201d}");
                return Err(FilterError::Unexpected { found, at, wanted: "a word or a text" });
            }
        };
        if words.len() == LONGEST {
            return Err(FilterError::TooComplex);
        }
        words.push((at, word));
    }
    Ok(words)
}

struct Parser<'a> {
    words: &'a [(usize, Word)],
    at: usize,
    depth: usize,
    end: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at).map(|(_, word)| word)
    }

    fn takes(&mut self, name: &str) -> bool {
        let is = matches!(self.peek(), Some(Word::Name(word)) if word.eq_ignore_ascii_case(name));
        self.at += usize::from(is);
        is
    }

    fn takes_word(&mut self, word: &Word) -> bool {
        let is = self.peek() == Some(word);
        self.at += usize::from(is);
        is
    }

    fn unexpected(&self, wanted: &'static str) -> FilterError {
        match self.words.get(self.at) {
            Some((at, word)) => FilterError::Unexpected { found: word.shown(), at: *at, wanted },
            None => FilterError::Unexpected { found: "the end".to_owned(), at: self.end, wanted },
        }
    }

    fn any(&mut self) -> Result<Filter, FilterError> {
        let first = self.all()?;
        let mut any = vec![first];
        while self.takes("or") {
            any.push(self.all()?);
        }
        Ok(one_or(any, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, FilterError> {
        let first = self.one()?;
        let mut all = vec![first];
        while self.takes("and") {
            all.push(self.one()?);
        }
        Ok(one_or(all, Filter::All))
    }

    fn one(&mut self) -> Result<Filter, FilterError> {
        if self.depth == DEEPEST {
            return Err(FilterError::TooComplex);
        }
        self.depth += 1;
        let one = self.plain();
        self.depth -= 1;
        one
    }

    fn plain(&mut self) -> Result<Filter, FilterError> {
        if self.takes("not") {
            return self.one().map(|inner| Filter::Not(Box::new(inner)));
        }
        if self.takes("true") {
            return Ok(Filter::Literal(true));
        }
        if self.takes("false") {
            return Ok(Filter::Literal(false));
        }
        if self.takes_word(&Word::Open) {
            let inner = self.any()?;
            return match self.takes_word(&Word::Close) {
                true => Ok(inner),
                false => Err(self.unexpected("\u{201c})\u{201d}")),
            };
        }
        let left = self.term()?;
        if !self.takes_word(&Word::Equals) {
            return Err(self.unexpected("\u{201c}=\u{201d}"));
        }
        Ok(Filter::Equal(left, self.term()?))
    }

    fn term(&mut self) -> Result<Term, FilterError> {
        let is_field = self.takes("field");
        let Some(Word::Text(text)) = self.peek() else {
            return Err(self.unexpected(if is_field {
                "the name of a field"
            } else {
                "a condition"
            }));
        };
        let text = text.clone();
        self.at += 1;
        Ok(if is_field { Term::Column(text) } else { Term::Text(text) })
    }
}

fn one_or(mut filters: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match (filters.len(), filters.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            filters.extend(last);
            join(filters)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(column: &str, text: &str) -> Filter {
        Filter::Equal(Term::Column(column.into()), Term::Text(text.into()))
    }

    #[test]
    fn not_binds_more_than_and_and_that_more_than_or() {
        let parsed = Filter::parse(
            r#"not field "status" = "pending" and true or (field "uuid"="x" or false)"#,
        );
        let expected = Filter::Any(vec![
            Filter::All(vec![
                Filter::Not(Box::new(equal("status", "pending"))),
                Filter::Literal(true),
            ]),
            Filter::Any(vec![equal("uuid", "x"), Filter::Literal(false)]),
        ]);
        assert_eq!(parsed, Ok(expected));
    }

    #[test]
    fn texts_may_have_quotes_in_them() {
        let parsed = Filter::parse(r#""a\"b\\" = field "name__label""#);
        let expected =
            Filter::Equal(Term::Text(r#"a"b\"#.into()), Term::Column("name__label".into()));
        assert_eq!(parsed, Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, said) in [
            ("", "unexpected the end at 0, where a condition should be"),
            ("true true", "unexpected “true” at 5, where the end should be"),
            ("(true", "unexpected the end at 5, where “)” should be"),
            (r#"field "a""#, "unexpected the end at 9, where “=” should be"),
            (r#"field = "a""#, "unexpected “=” at 6, where the name of a field should be"),
            (r#""a"#, "the text that begins at 0 has no end"),
            ("true ; false", "unexpected “;” at 5, where a word or a text should be"),
            ("status", "unexpected “status” at 0, where a condition should be"),
        ] {
            let error = Filter::parse(text).map_err(|error| error.to_string());
            assert_eq!(error, Err(said.to_owned()), "{text}");
        }
    }

    #[test]
    fn depth_and_length_have_limits() {
        let nested = |count: usize| format!("{}true{}", "(".repeat(count), ")".repeat(count));
        assert_eq!(Filter::parse(&nested(99)), Ok(Filter::Literal(true)));
        assert_eq!(Filter::parse(&nested(100)), Err(FilterError::TooComplex));
        assert_eq!(Filter::parse(&nested(100_000)), Err(FilterError::TooComplex));
        assert_eq!(Filter::parse(&"not ".repeat(5000)), Err(FilterError::TooComplex));
        let long = |count: usize| vec!["true"; count].join(" or ");
        assert!(Filter::parse(&long(5000)).is_ok());
        assert_eq!(Filter::parse(&long(6000)), Err(FilterError::TooComplex));
    }

    #[test]
    fn values_in_the_form_of_the_database() {
        for (value, text) in [
            (Value::text("it's"), "it's"),
            (Value::Float(0.4), "0.400000000000000022"),
            (Value::Float(1.0), "1"),
            (Value::Float(-2.5), "-2.5"),
            (Value::Float(1e20), "1e+20"),
            (Value::Bool(true), "true"),
            (Value::texts(["a", "it's"]), r"('a' 'it\'s')"),
            (Value::Set(Vec::new()), "()"),
            (Value::text_map([("k", "v"), ("l", "")]), "(('k' 'v') ('l' ''))"),
        ] {
            assert_eq!(stored(&value), text);
        }
    }
}
