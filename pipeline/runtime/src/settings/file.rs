//! Reads the settings file, with the place of everything that is wrong in it.

use super::{KEYS, Origin, SettingsError};
use toml::de::DeTable;

/// A key with its value and where that stands.
type Entry = (&'static str, (String, Origin));

/// Reads the keys of a settings file.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Entry>, SettingsError> {
    let line_at = |byte: usize| text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1;
    let table = DeTable::parse(text).map_err(|e| SettingsError::Syntax {
        file: file.to_owned(),
        line: e.span().map_or(1, |s| line_at(s.start)),
        message: e.message().to_owned(),
    })?;
    let mut entries = Vec::new();
    for (name, value) in table.get_ref() {
        let line = line_at(name.span().start);
        let name: &str = name.get_ref();
        let Some(key) = KEYS.iter().find(|k| k.name == name) else {
            return Err(SettingsError::UnknownKey {
                file: file.to_owned(),
                line,
                key: name.to_owned(),
                nearest: nearest(name, KEYS.iter().map(|k| k.name)).unwrap_or_default(),
            });
        };
        let expected = if key.name == "emit" { "a boolean" } else { "a string" };
        let text = if key.name == "emit" {
            value.get_ref().as_bool().map(|b| b.to_string())
        } else {
            value.get_ref().as_str().map(str::to_owned)
        };
        let text = text.ok_or_else(|| SettingsError::Kind {
            file: file.to_owned(),
            line,
            key: name.to_owned(),
            found: value.get_ref().type_str(),
            expected,
        })?;
        entries.push((key.name, (text, Origin::File(format!("{file}:{line}")))));
    }
    Ok(entries)
}

/// Gives the candidate that takes the fewest edits to become `name` (Levenshtein 1966); the first one on a tie.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates.into_iter().min_by_key(|c| distance(name, c))
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
        assert_eq!(nearest("histroy", KEYS.iter().map(|k| k.name)), Some("history"));
    }
}
