//! Reads the file of accounts: `[[account]]` with `role`, `external_id`, `id`, `regions`.

use forewarn_runtime::settings::nearest;
use toml::de::{DeTable, DeValue};

/// Keys of an account.
const KEYS: [&str; 4] = ["role", "external_id", "id", "regions"];

/// One account to observe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The role to take on there; none for the own account.
    pub role: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// The account id, where it is said.
    pub id: Option<String>,
    /// Its regions; none for those that are observed anyway.
    pub regions: Vec<String>,
}

/// Explains what is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct AccountsError {
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
}

/// Reads the accounts of a file's text.
///
/// # Errors
/// When it is not TOML, has an unknown key, or a value is none that its key takes.
pub fn parse(file: &str, text: &str) -> Result<Vec<Account>, AccountsError> {
    let line_at = |byte: usize| text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1;
    let error = |byte: usize, what: String| AccountsError { file: file.to_owned(), line: line_at(byte), what };
    let table = DeTable::parse(text)
        .map_err(|e| error(e.span().map_or(0, |s| s.start), format!("not TOML: {}", e.message())))?;
    let mut accounts = Vec::new();
    for (key, value) in table.get_ref() {
        let at = key.span().start;
        if key.get_ref() != "account" {
            return Err(error(at, format!("unknown key {:?}; did you mean [[account]]?", key.get_ref())));
        }
        let DeValue::Array(entries) = value.get_ref() else {
            return Err(error(at, "write [[account]], with two brackets, for each account".to_owned()));
        };
        for entry in entries {
            let DeValue::Table(entry_table) = entry.get_ref() else {
                return Err(error(entry.span().start, "write [[account]] for each account".to_owned()));
            };
            let account = account(entry_table).map_err(|(at, what)| error(at, what))?;
            if account.role.is_none() && account.external_id.is_some() {
                return Err(error(entry.span().start, "external_id goes with a role".to_owned()));
            }
            accounts.push(account);
        }
    }
    if accounts.is_empty() {
        return Err(error(0, "no [[account]] in it".to_owned()));
    }
    Ok(accounts)
}

fn account(table: &DeTable<'_>) -> Result<Account, (usize, String)> {
    let mut account = Account::default();
    for (key, value) in table {
        let at = key.span().start;
        let name: &str = key.get_ref();
        let text = |value: &DeValue<'_>| match value.as_str() {
            Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
            Some(_) | None => Err((at, format!("{name} is {}, expected some text", value.type_str()))),
        };
        match name {
            "role" => {
                let role = text(value.get_ref())?;
                if !is_role(&role) {
                    let what = "is no role, such as arn:aws:iam::123456789012:role/forewarn-read";
                    return Err((at, format!("{role:?} {what}")));
                }
                account.role = Some(role);
            }
            "external_id" => account.external_id = Some(text(value.get_ref())?),
            "id" => {
                let id = text(value.get_ref())?;
                if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()) {
                    return Err((at, format!("{id:?} is no account id of twelve digits")));
                }
                account.id = Some(id);
            }
            "regions" => {
                let DeValue::Array(regions) = value.get_ref() else {
                    return Err((at, "regions is a list, such as [\"eu-central-1\"]".to_owned()));
                };
                account.regions = regions.iter().map(|r| text(r.get_ref())).collect::<Result<_, _>>()?;
                if let Some(bad) = account.regions.iter().find(|r| !is_region(r)) {
                    return Err((at, format!("{bad:?} is no region, such as eu-central-1")));
                }
            }
            _ => {
                let near = nearest(name, KEYS).unwrap_or_default();
                return Err((at, format!("unknown key {name:?}; did you mean {near:?}?")));
            }
        }
    }
    Ok(account)
}

fn is_role(text: &str) -> bool {
    let mut parts = text.split(':');
    let (arn, account, what) = (parts.next(), parts.nth(3), parts.next());
    arn == Some("arn")
        && account.is_some_and(|a| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit()))
        && what.is_some_and(|w| w.starts_with("role/"))
}

/// Says whether a text has the form of a region's name.
pub fn is_region(text: &str) -> bool {
    let parts = text.split('-').count();
    (3..=5).contains(&parts)
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.bytes().last().is_some_and(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/forewarn-read";

    #[test]
    fn accounts_are_read_in_order() {
        let text = format!(
            "[[account]]\nrole = \"{ROLE}\"\nexternal_id = \"x\"\nregions = [\"eu-central-1\", \"us-gov-west-1\"]\n\n[[account]]\nid = \"210987654321\"\n"
        );
        let accounts = parse("a.toml", &text).unwrap();
        assert_eq!(accounts[0].role.as_deref(), Some(ROLE));
        assert_eq!(accounts[0].regions, ["eu-central-1", "us-gov-west-1"]);
        assert_eq!(accounts[1], Account { id: Some("210987654321".to_owned()), ..Account::default() });
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, said) in [
            ("[[account]]\nrol = \"x\"\n", "a.toml:2: unknown key \"rol\"; did you mean \"role\"?"),
            ("\n[account]\nrole = \"x\"\n", "a.toml:2: write [[account]], with two brackets, for each account"),
            ("[[account]]\n\nrole = \"read\"\n", "a.toml:3: \"read\" is no role"),
            ("[[account]]\nregions = \"eu-central-1\"\n", "a.toml:2: regions is a list"),
            ("[[account]]\nregions = [\"Frankfurt\"]\n", "a.toml:2: \"Frankfurt\" is no region"),
            ("[[account]]\nid = 12\n", "a.toml:2: id is integer, expected some text"),
            ("[[account]]\nexternal_id = \"x\"\n", "a.toml:1: external_id goes with a role"),
            ("accounts = 1\n", "a.toml:1: unknown key \"accounts\"; did you mean [[account]]?"),
            ("", "a.toml:1: no [[account]] in it"),
            ("x = = 1", "a.toml:1: not TOML"),
        ] {
            let e = parse("a.toml", text).unwrap_err().to_string();
            assert!(e.starts_with(said), "{e}");
        }
    }
}
