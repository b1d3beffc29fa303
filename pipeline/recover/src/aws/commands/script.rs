//! What is run on an instance. Names come from people: only what can be nothing but a name is put into a command.

use forewarn_recovery::targets::Targets;

/// Lines of the journal that are kept of a unit.
const LINES: u32 = 50;

/// Says whether a text can be nothing but the name of a unit or a container.
pub(super) fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "@:._-".contains(c);
    !text.is_empty() && text.len() <= 255 && !text.starts_with('-') && text.chars().all(fits)
}

/// Collects what will be gone after a restart, each part bounded in time and length.
pub(super) fn diagnose(units: &[String]) -> Vec<String> {
    let parts = [
        "uptime".to_owned(),
        "df -h".to_owned(),
        "free -m".to_owned(),
        "dmesg | tail -n 50".to_owned(),
        "systemctl --failed --no-pager".to_owned(),
    ];
    let journal = |u: &String| format!("journalctl --no-pager -n {LINES} -u {u}");
    let journals = units.iter().filter(|u| is_name(u)).map(journal);
    let bounded = |part: String| format!("echo '== {part}'; timeout 5 sh -c '{part}' 2>&1 | tail -c 4000");
    parts.into_iter().chain(journals).map(bounded).chain(["exit 0".to_owned()]).collect()
}

/// Restarts units, and asks each whether it is active.
///
/// # Errors
/// When none is named, or one is no name.
pub(super) fn restart(units: &[String]) -> Result<Vec<String>, String> {
    if units.is_empty() {
        return Err("the policy names no unit that may be restarted".to_owned());
    }
    if let Some(bad) = units.iter().find(|u| !is_name(u)) {
        return Err(format!("{bad:?} is no name of a unit"));
    }
    let restarts = units.iter().map(|u| format!("systemctl restart {u}"));
    let asks = units.iter().map(|u| format!("systemctl is-active {u}"));
    Ok(std::iter::once("set -e".to_owned()).chain(restarts).chain(asks).collect())
}

/// Stops the application, as people say, else its container.
///
/// # Errors
/// When the container's name is no name.
pub(super) fn drain(targets: &Targets) -> Result<Vec<String>, String> {
    if let Some(command) = targets.drain_command.as_ref().filter(|c| !c.trim().is_empty()) {
        return Ok(vec![command.clone()]);
    }
    if !is_name(&targets.container) {
        return Err(format!("{:?} is no name of a container", targets.container));
    }
    Ok(vec![format!("docker stop -t 45 {}", targets.container)])
}

/// Asks an address on the instance itself.
///
/// # Errors
/// When it is no such address.
pub(super) fn curl(endpoint: &str) -> Result<Vec<String>, String> {
    let rest =
        ["http://localhost", "http://127.0.0.1", "http://[::1]"].iter().find_map(|own| endpoint.strip_prefix(own));
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with([':', '/', '?']);
    // Between single quotes the shell reads nothing but the closing quote.
    let is_plain = endpoint.len() <= 2_000 && endpoint.bytes().all(|b| b.is_ascii_graphic() && b != b'\'');
    if !rest.is_some_and(is_end) || !is_plain {
        return Err(format!("{endpoint:?} is no address on the instance itself"));
    }
    Ok(vec![format!("curl -gfsS -m 5 -o /dev/null '{endpoint}'")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_get_into_commands() {
        for name in ["web.service", "app@1.service", "a:b", "my_app-2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "a;b", "$(reboot)", "a'b", "a\nb", "-rf", "é", "../../etc"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(restart(&[]).unwrap_err().contains("names no unit"));
        assert!(restart(&["web".to_owned(), "a;reboot".to_owned()]).unwrap_err().contains("a;reboot"));
        let bad = Targets { container: "x; reboot".to_owned(), ..Targets::default() };
        assert!(drain(&bad).is_err());
        assert!(diagnose(&["a;reboot".to_owned()]).iter().all(|l| !l.contains("reboot")));
    }

    #[test]
    fn only_the_instances_own_addresses_are_asked() {
        for own in ["http://localhost", "http://localhost:80/health?a=b&c", "http://127.0.0.1/", "http://[::1]:8080/"] {
            assert!(curl(own).is_ok(), "{own}");
        }
        for other in [
            "http://localhost.example.com/",
            "https://example.com",
            "http://localhost/'; reboot '",
            "http://localhost/ x",
        ] {
            assert!(curl(other).is_err(), "{other}");
        }
    }
}
