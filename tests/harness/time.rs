//! Time that passes for what is stored: a test moves stored times into the past and waits for nothing.

use super::World;

impl World {
    /// Lets minutes pass for what `prune` remembers of addresses.
    pub(crate) fn let_minutes_pass(&self, minutes: u32) {
        let earlier = |column: &str| {
            format!("{column} = strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '-{minutes} minutes')")
        };
        let columns = ["since", "plain_since", "witnessed_since", "last_failed_at"].map(earlier).join(", ");
        self.execute(&format!(
            "UPDATE suspicion SET {columns}; UPDATE tombstone SET {}; UPDATE address SET {};",
            earlier("removed_at"),
            earlier("last_answer_at"),
        ));
    }

    /// Lets days pass for rows, listings, targets, answers, pulls and lives.
    pub(crate) fn let_days_pass(&self, days: u32) {
        let earlier = |table: &str, columns: &[&str]| {
            let set = |column: &&str| {
                format!("{column} = strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '-{days} days')")
            };
            format!("UPDATE {table} SET {};", columns.iter().map(set).collect::<Vec<_>>().join(", "))
        };
        let sql = [
            earlier("goc_o_staging_service_cover", &["created_at"]),
            earlier("listing", &["listed_at", "unlisted_at"]),
            earlier("target", &["listed_at", "unlisted_at"]),
            earlier("center", &["last_listed_at"]),
            earlier("address", &["last_answer_at"]),
            earlier("schedule", &["last_pull_at", "last_change_at"]),
            earlier("generation", &["pulled_at", "closed_at"]),
        ];
        self.execute(&sql.concat());
    }
}
