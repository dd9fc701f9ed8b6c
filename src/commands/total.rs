//! `total`: the coverage of a service as one number.

mod source;

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::Format;
use crate::collect::fleet::stored_fleet;
use crate::collect::mending::stored_profile;
use crate::commands::before::{NamedState, StoredState, state_before};
use crate::commands::carry::CarryArgs;
use crate::commands::count_unmeasured::UnmeasuredArgs;
use crate::commands::counted::Counted;
use crate::commands::gate::{GateArgs, Judged, tell_verdicts};
use crate::commands::group::group_state;
use crate::commands::marks::MarkArgs;
use crate::commands::narrow::{NarrowArgs, among_stored, shown_commit};
use crate::commands::notices::told;
use crate::commands::report::notices;
use crate::commands::since::{Since, SinceArgs, combined_or_since};
use crate::commands::with::WithArgs;
use crate::commands::{Context, lock_wait, marks, show, since};
use crate::coverage::{ChangedLines, Coverage, shown_percent};
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::app_group::AppGroup;
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pick::{ServiceQuery, pick};
use crate::fleet::row::{Row, RowFilter};
use crate::fleet::services::Fleet;
use crate::gate::{Before, Gate, GateData, Verdict, delta};
use crate::io::signals::Signals;
use crate::io::store::Store;
use crate::io::workdir::ReadersLock;
use crate::names::{CommitChoice, in_message};
use crate::profile::Profile;
use crate::report::gate::judge_stale_marks;
use crate::report::{GroupFacts, GroupJson, SinceFacts};
use crate::source::{Compared, GroupState, MarkedProfile, SinceChoice, SourceReader, SourceSettings};

use self::source::before_without_marked;

/// Print the coverage of a service as one number.
///
/// The number is the percentage of all statements in the latest stored profile. No center is asked, and the service may
/// have ended long ago. The options below make the command a gate: the exit code is 5 if a requirement is not met.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  goc-watchdog total cart --fail-under 80")]
pub struct TotalArgs {
    /// Full name of the service, its app, any part of its name, or a group of the configuration. If several commits fit,
    /// the one that runs is meant, or else the newest.
    service: String,

    #[command(flatten)]
    narrow: NarrowArgs,

    /// Choose the commit that begins with this.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,

    #[command(flatten)]
    carry: CarryArgs,

    #[command(flatten)]
    with: WithArgs,

    #[command(flatten)]
    counting: UnmeasuredArgs,

    #[command(flatten)]
    since: SinceArgs,

    #[command(flatten)]
    marks: MarkArgs,

    /// With --ignore-marked: fail for this reason.
    #[arg(long, value_enum, value_name = "WHAT", requires = "ignore_marked")]
    fail_on: Option<FailOn>,

    #[command(flatten)]
    gate: GateArgs,

    /// With --max-drop: compare with the row of this number or this name of pull --mark, or with the latest row of this
    /// service, of the same app. A group is compared with itself, at the environment, region and commit of such a row
    /// (by its number) or service.
    #[arg(long, value_name = "ROW|MARK|SERVICE", requires = "max_drop")]
    against: Option<String>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A reason for which the command fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A mark whose code was executed, that gives no reason, or that takes out no statement.
    StaleMark,
}

/// Runs the command.
pub(crate) fn run(args: &TotalArgs, context: &Context) -> Result<ExitCode> {
    let signals = Signals::catch()?;
    let counts_more = args.carry.is_given() || args.with.is_given() || args.counting.count_unmeasured;
    let needs_profile = counts_more || args.marks.ignore_marked;
    // Sweeps are prevented before the rows are chosen, so that their files still exist when they are opened.
    let opens_files = needs_profile || args.since.is_given();
    let reading = opens_files.then(|| lock_wait::hold_off_sweeping(&signals, context)).transpose()?;
    let store = Store::open_read_only(&context.workdir.database())?;
    let fleet = stored_fleet(&store, &context.config.naming, context.now())?;
    let query = args.narrow.query(&args.service, args.commit.as_deref());
    let gate = args.gate.gate();
    let group = AppGroup::named(query.text, &context.config.groups, &fleet.entries);
    let rows = match gate.max_drop.is_some() || group.is_some() || opens_files {
        true => store.rows(&RowFilter { with_dropped: true, ..RowFilter::default() })?,
        false => Vec::new(),
    };
    let stored = (&fleet.entries[..], &rows[..]);
    let is_judged = gate != Gate::default() || args.fail_on.is_some();
    let mut total = match group_state(&query, context, stored, is_judged)? {
        Some(group) => {
            super::tell_damages(&store);
            Total::from_group(group, args.since.choice(), &rows, context)?
        }
        None => {
            let mut total = Total::from_service(&query, &store, &fleet, context)?;
            if let Some(choice) = args.since.choice() {
                total.count_since(choice, &rows, context)?;
            }
            total
        }
    };
    let (counted, marked) = match reading.as_ref().filter(|_| needs_profile) {
        Some(reading) => total.counted(args, &rows, reading, (context, &signals))?,
        None => (Counted::default(), None),
    };
    total.count(&counted);
    let mut verdicts = gate.judge(&total.data, context.now());
    counted.name_in(&mut verdicts);
    if total.since.is_some() {
        since::name_since(&mut verdicts);
    }
    if let Some(marked) = &marked {
        marks::name_marks(&mut verdicts);
        verdicts.extend(args.fail_on.map(|_| judge_stale_marks(marked.marks())));
    }
    let before = match gate.max_drop {
        Some(_) => {
            let against = args.against.as_deref();
            let reading = reading.as_ref().filter(|_| args.marks.ignore_marked);
            let before = total.state_before(against, stored, reading, (context, &signals))?;
            verdicts.extend(gate.judge_drop(&total.state().rows(), &total.data, &before));
            before.ok()
        }
        None => None,
    };
    let name = &total.name;
    match args.format {
        Format::Text => {
            writeln!(io::stdout(), "{}", shown_percent(total.data.percent))?;
            if let Some(words) = counted.words() {
                context.tell(format_args!("{name}: {words}"));
            }
            if let Some(unmeasured) = &counted.unmeasured {
                context.tell(format_args!("{name}: {}", unmeasured.words()));
            }
            if let Some(since) = &total.since {
                since::tell(name, since, (&fleet.entries[..], &total.rows()[..]), context);
            }
            if let Some(marked) = &marked {
                let left = total.data.coverage.unwrap_or_default();
                marks::tell(name, marked.ignored(), left, marked.marks(), context);
            }
            if let Some(diff) = &total.diff
                && context.has_spectator()
            {
                super::inform(format!("{name}: changed lines: {}", show::changed_lines(diff)));
            }
        }
        Format::Json => {
            let mut object = total.object;
            object["gates"] = json!(verdicts);
            object["before"] = json!(before);
            object["delta"] = json!(delta(&verdicts));
            counted.add_to(&mut object);
            object["since"] = json!(total.since.as_ref().map(SinceFacts::to_json));
            object["ignored"] = json!(marked.as_ref().map(|marked| marked.ignored().total));
            object["marks"] = json!(marked.as_ref().map(MarkedProfile::json));
            show::print_json(&object)?;
        }
    }
    args.gate.tell_doubts();
    let options = total.group.as_ref().map(|group| args.narrow.shown() + &shown_commit(&group.key.commit));
    let options = options.unwrap_or_default() + &args.carry.shown() + &args.with.shown();
    let options = options + args.counting.shown() + &args.since.shown() + args.marks.shown();
    let judged = Judged { name, is_group: total.group.is_some(), options: &options };
    tell_verdicts(&verdicts, judged, before.as_ref(), context);
    let is_unmet = verdicts.iter().any(Verdict::is_unmet);
    Ok(if is_unmet { ExitCode::BelowThreshold } else { ExitCode::Done })
}

/// The total of a service or of a group.
struct Total<'a> {
    /// The name in messages.
    name: String,
    data: GateData,
    /// The latest row; for a group, the newest of its rows under the name of the group.
    row: Row,
    group: Option<GroupState<'a>>,
    /// The profiles of a group as one, and what each app has of them; `None` for a service.
    combined: Option<(Profile, Arc<GroupFacts>)>,
    /// The profile of what was executed since a row; `None` for a group.
    grown: Option<Profile>,
    /// The two states, if only what was executed between them counts.
    since: Option<SinceFacts>,
    /// The coverage of changed lines, if a report computed it.
    diff: Option<ChangedLines>,
    /// The form for scripts, without verdicts.
    object: Value,
}

impl<'a> Total<'a> {
    /// Finds the total of a service, and prints how its commit was chosen.
    fn from_service(
        query: &ServiceQuery<'_>,
        store: &Store,
        fleet: &Fleet,
        context: &Context,
    ) -> Result<Self> {
        let picked =
            pick(query, &fleet.entries).map_err(|error| among_stored(error, &context.config.groups))?;
        let entry = picked.entry;
        context.tell_choice(picked.choice, &entry.key.commit);
        context.tell_namesakes(query, &entry.key, &fleet.entries);
        let name = in_message(&entry.newest_name().name).into_owned();
        let latest = store.latest(&entry.key)?;
        let diff = latest.as_ref().map(|row| store.diff(row.id)).transpose()?.flatten();
        super::tell_damages(store);
        if latest.is_none() && store.dropped_keys()?.contains(&entry.id) {
            bail!(
                "{name}: its data was dropped by prune --drop-keys-older-than (goc-watchdog history {name})"
            );
        }
        let row = latest.ok_or_else(|| anyhow!(entry.lack_of_data()))?;
        let data = GateData {
            coverage: row.stats.as_ref().map(|stats| stats.coverage),
            percent: row.cover_total,
            last_pull: entry.schedule.schedule.last_pull,
            replicas: entry.replicas_now(&row),
        };
        let mut object = object(&row, picked.choice, &data, context);
        object["service"] = json!(entry.newest_name().name);
        object["id"] = json!(row.id.0);
        object["cov_file_path"] = json!(row.cov_file_path);
        object["diff"] = json!(diff);
        Ok(Self { name, data, row, group: None, combined: None, grown: None, since: None, diff, object })
    }

    /// Adds up the profiles of a group.
    fn from_group(
        group: GroupState<'a>,
        choice: Option<&SinceChoice>,
        rows: &[Row],
        context: &Context,
    ) -> Result<Self> {
        let (profile, facts, since) = combined_or_since(choice, &group, rows, context)?;
        let coverage = profile.coverage();
        let (last_pull, replicas) = (group.last_pull(), group.replicas());
        let data = GateData { coverage: Some(coverage), percent: coverage.percent(), last_pull, replicas };
        let row = group.row();
        let mut object = object(&row, group.choice, &data, context);
        object["service"] = json!(group.group.name);
        object["group"] = json!(GroupJson::new(&facts, profile.build.files().map(|file| file.name)));
        let name = in_message(&group.group.name).into_owned();
        let combined = Some((profile, facts));
        Ok(Self { name, data, row, group: Some(group), combined, grown: None, since, diff: None, object })
    }

    /// Counts only what was executed since a row.
    fn count_since(&mut self, choice: &SinceChoice, rows: &[Row], context: &Context) -> Result<()> {
        let profile = told(stored_profile(&self.row, &context.workdir)?);
        let Since { profile, facts } = since::since(choice, (&self.row, &profile), rows, context)?;
        self.count_only(profile.coverage());
        self.grown = Some(profile);
        // The changed lines are those that were executed at any time.
        self.diff = None;
        self.object["diff"] = Value::Null;
        self.since = Some(facts);
        Ok(())
    }

    /// Returns its rows; of a group, that of each app.
    fn rows(&self) -> Vec<&Row> {
        match &self.group {
            None => vec![&self.row],
            Some(group) => group.member_rows(),
        }
    }

    fn state(&self) -> StoredState<'_> {
        match &self.group {
            None => StoredState::Service(&self.row),
            Some(group) => StoredState::of_group(group.clone()),
        }
    }

    /// Takes the coverage of all parts together, if there are several.
    fn count(&mut self, counted: &Counted) {
        if let Some(coverage) = counted.coverage() {
            self.count_only(coverage);
        }
    }

    /// Takes another coverage for the total.
    fn count_only(&mut self, coverage: Coverage) {
        (self.data.coverage, self.data.percent) = (Some(coverage), coverage.percent());
        self.object["percent"] = json!(coverage.percent());
        (self.object["covered"], self.object["total"]) = (json!(coverage.covered), json!(coverage.total));
    }

    /// Returns the app whose repository has the source.
    fn app(&self, settings: SourceSettings<'_>) -> &str {
        match &self.group {
            None => &self.row.key.app,
            Some(group) => group.source_app(settings),
        }
    }

    /// Returns the state with which `--max-drop` compares; `Err` in the result tells in words why there is none.
    fn state_before(
        &self,
        against: Option<&str>,
        stored: (&[KeyEntry], &[Row]),
        reading_marks: Option<&ReadersLock>,
        (context, signals): (&Context, &Signals),
    ) -> Result<Result<Before, String>> {
        let notify = |notice| notices::print(notice, context);
        let settings = notices::source_settings(context, signals, &notify);
        let reader = SourceReader { settings, app: self.app(settings), is_offline: true };
        let of = (&self.row, self.group.as_ref());
        let against =
            against.map(|query| NamedState::find(query, of, stored, Compared::Total)).transpose()?;
        let before = state_before(against, &self.state(), stored, &reader)?;
        if let Some(signal) = signals.received() {
            bail!(EarlyEnd::Signal(signal));
        }
        Ok(match before {
            Ok((state, how)) => {
                let before = state.before(how, context)?;
                match reading_marks {
                    Some(reading) => before_without_marked((&state, before), &reader, reading, context)?,
                    None => Ok(before),
                }
            }
            Err(lack) => Err(lack),
        })
    }
}

/// Returns the form for scripts, without what only a service or only a group has.
fn object(row: &Row, choice: Option<CommitChoice>, data: &GateData, context: &Context) -> Value {
    let GateData { coverage, percent, last_pull, replicas } = data;
    json!({
        "service": null,
        "env": row.key.env,
        "region": row.key.region,
        "app": row.key.app,
        "branch": row.branch,
        "commit": row.key.commit,
        "commit_choice": choice,
        "percent": percent,
        "covered": coverage.map(|coverage| coverage.covered),
        "total": coverage.map(|coverage| coverage.total),
        "replicas": {
            "answered": replicas.map(|(answered, _)| answered),
            "known": replicas.map(|(_, listed)| listed),
        },
        "id": null,
        "group": null,
        "stored_at": show::iso(row.created_at),
        "last_pull": last_pull.map(show::iso),
        "age_seconds": last_pull.map(|at| (context.now() - at).num_seconds()),
        "cov_file_path": null,
        "diff": null,
    })
}
