//! Tables for people: columns without lines, as govc and kubectl print them.

use comfy_table::{Table, presets};

/// A table with these columns and rows.
pub(super) fn render(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// A list of names with what belongs to them.
pub(super) fn pairs<'a>(rows: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let rows: Vec<_> = rows.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let lines = rows
        .iter()
        .map(|(name, text)| format!("{:width$}  {text}", format!("{name}:"), width = width + 1));
    lines.collect::<Vec<_>>().join("\n")
}

/// A text where there may be none.
pub(super) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}
