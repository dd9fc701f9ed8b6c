//! Settings of the shipped systemd units.

use std::fs;

use super::source::project_path;

/// Returns the values of a key in a shipped unit, in order.
pub(crate) fn unit_values(unit: &str, key: &str) -> Vec<String> {
    let lines = unit_text(unit);
    let values = lines.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(ToOwned::to_owned).collect()
}

/// Returns the settings of a shipped unit's service, in order.
pub(crate) fn service_settings(unit: &str) -> Vec<(String, String)> {
    let text = unit_text(unit);
    let (_, service) = text.split_once("[Service]\n").unwrap();
    let lines =
        service.lines().take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect()
}

/// The path at which the services expect their environment.
pub(crate) const ENVIRONMENT_FILE: &str = "/etc/goc-watchdog/env";

/// Returns the shipped environment of the services.
pub(crate) fn unit_environment() -> String {
    fs::read_to_string(project_path("examples/systemd/env")).unwrap()
}

/// Returns the variables that systemd reads from an environment file.
pub(crate) fn variables_of(environment: &str) -> impl Iterator<Item = &str> {
    environment.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn unit_text(unit: &str) -> String {
    fs::read_to_string(project_path(&format!("examples/systemd/{unit}"))).unwrap()
}
