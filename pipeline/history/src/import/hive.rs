//! Tables in folders as Hive, Spark and others lay them out: `COLUMN=VALUE` in the path says what all rows of a file have in common.

use super::columns::usual_name;
use super::series::{Constants, SERIES_COLUMNS};
use std::path::{Component, Path, PathBuf};

/// How a value that is null is written.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// Folders within folders that are looked into at most.
const DEEPEST: usize = 16;
/// Files that a folder may have.
const MOST_FILES: usize = 1_000_000;

/// Reads what the folders of a path say; fails with the fault.
pub(super) fn constants(path: &Path) -> Result<Constants, String> {
    let mut found = Constants::default();
    let folders = path.parent().into_iter().flat_map(Path::components);
    for folder in folders {
        let Component::Normal(name) = folder else { continue };
        let Some((column, value)) = name.to_str().and_then(|n| n.split_once('=')) else { continue };
        let Some(at) = SERIES_COLUMNS.iter().position(|c| usual_name(c, column)) else { continue };
        if value != NULL {
            let value = decoded(value).ok_or_else(|| format!("`{column}={value}` in its path is not UTF-8"))?;
            if value.split(['/', '\\']).any(|step| step == "..") {
                return Err(format!("`{column}={value}` in its path leads out of it, which no value of a column does"));
            }
            found[at] = Some(value);
        }
    }
    Ok(found)
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let (bytes, mut out) = (text.as_bytes(), Vec::with_capacity(text.len()));
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).ok()
}

/// Gives the files of a folder and those within it, in order of their paths; hidden ones and markers such as `_SUCCESS` are passed over,
/// and so are links.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut found = Vec::new();
    look_into(folder, 0, &mut found)?;
    found.sort_unstable();
    Ok(found)
}

fn look_into(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), std::io::Error> {
    let too = |what: &str| std::io::Error::other(format!("{}: {what}", folder.display()));
    if depth > DEEPEST {
        return Err(too("more than 16 folders deep"));
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if name.as_encoded_bytes().starts_with(b"_") || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() {
            look_into(&entry.path(), depth + 1, found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
        if found.len() > MOST_FILES {
            return Err(too("more than a million files"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_say_what_rows_have_in_common() {
        let path = Path::new(
            "../x/instance_id=i-1/MetricName=a%20b/date=2026-01-01/region=__HIVE_DEFAULT_PARTITION__/f.parquet",
        );
        let found = constants(path).unwrap();
        assert_eq!(found[..2], [Some("i-1".to_owned()), Some("a b".to_owned())]);
        assert!(found[2..].iter().all(Option::is_none));
        assert_eq!(decoded("100%").as_deref(), Some("100%"));
        assert!(constants(Path::new("metric=%ff/f.csv")).unwrap_err().contains("not UTF-8"));
        for out in ["instance_id=../f.csv", "instance_id=..%2F..%2Fetc/f.csv", "device=a%5C..%5Cb/f.csv"] {
            assert!(constants(Path::new(out)).unwrap_err().contains("leads out of it"), "{out}");
        }
        assert_eq!(constants(Path::new("device=..a/f.csv")).unwrap()[4].as_deref(), Some("..a"));
    }

    #[test]
    fn a_folder_is_read_in_order_without_markers() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b=1/y.csv", "b=1/_SUCCESS", ".x/z.csv", "a.csv"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let found = files(dir.path()).unwrap();
        let names: Vec<&Path> = found.iter().map(|p| p.strip_prefix(dir.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("a.csv"), Path::new("b=1/y.csv")]);
    }
}
