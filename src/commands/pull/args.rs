//! The arguments of `pull`, and what follows from them and the configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser as _};
use clap::{Args, ValueEnum};

use crate::address::typed_address;
use crate::cli::Format;
use crate::collect::pull::PullRequest;
use crate::commands::Context;
use crate::commands::lock_wait::FOREVER;
use crate::commands::narrow::NarrowArgs;
use crate::commands::ping::PingUrlParser;
use crate::commands::row_name::parse_mark;
use crate::commands::targets::TargetArgs;
use crate::config::{parse_duration, parse_size};
use crate::fleet::pick::ServiceQuery;
use crate::fleet::pull_rules::{ChangeRule, PullRules};
use crate::io::center::RequestOptions;
use crate::ping::PingUrl;
use crate::profile::Limits;

/// Pull, merge and store the coverage of running services.
///
/// Without SERVICE, every due service is pulled. A service is due 15 minutes after its last pull, then after 60
/// minutes, 2 hours and 4 hours while its coverage does not change. It is due at once when it is new, when its
/// addresses changed, or when a peek (one small request for each address) shows that its coverage changed. With
/// SERVICE, only that service is pulled, at once. SERVICE is a full name, an app, or any part of a name, and means all
/// commits that run. --env, --region, --branch and --commit narrow the services that are pulled, with SERVICE or
/// without.
///
/// Data of ended processes stays in the totals. Pulling a process again replaces its counters. An address that fails or
/// serves another build never stops the others: a message and `list` name it, and the exit code is 3.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  goc-watchdog pull\n  goc-watchdog pull cart --center http://center:7777"
)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct PullArgs {
    /// Services to pull now, due or not.
    #[arg(value_name = "SERVICE")]
    pub(super) services: Vec<String>,

    #[command(flatten)]
    pub(super) narrow: NarrowArgs,

    /// Pull only the commit that begins with this.
    #[arg(long, value_name = "COMMIT")]
    pub(super) commit: Option<String>,

    /// Pull every service, due or not.
    #[arg(short, long)]
    pub(super) force: bool,

    #[command(flatten)]
    pub(super) targets: TargetArgs,

    /// Pull only this address and store its data under SERVICE, even if it is not listed there; with --to-inbox, save
    /// its data.
    #[arg(long, value_name = "URL|HOST:PORT",
        value_parser = StringValueParser::new().map(|address| typed_address(&address)))]
    pub(super) address: Option<String>,

    /// Print the unchanged profile of one process; nothing is stored.
    #[arg(long, conflicts_with_all = ["force", "dry_run", "adopt", "jitter"])]
    pub(super) raw: bool,

    /// Save the profile of the process on this host in DIR, for a later pull; a hook for the end of a pod.
    ///
    /// The command writes only to DIR, and without --strict the exit code is always 0. The process is the one for
    /// which goc wrote a `*_profile_listen_addr`, or that of --address.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "services", "force", "raw", "output", "adopt", "dry_run", "no_peek", "change", "jitter", "wait", "ping",
        "concurrency", "format", "targets", "env", "region", "branch", "commit", "mark",
    ])]
    pub(super) to_inbox: Option<PathBuf>,

    /// With --to-inbox: the registered name of the process [default: `GOC_SERVICE_NAME`, in this environment or in that
    /// of the process; else made of `POD_NAMESPACE`, `POD_APP` and what its agent tells].
    #[arg(long, value_name = "NAME", requires = "to_inbox", conflicts_with_all = ["services", "force", "raw", "adopt", "dry_run"])]
    pub(super) service: Option<String>,

    /// With --to-inbox: end with exit code 1 if nothing was saved.
    #[arg(long, requires = "to_inbox", conflicts_with_all = ["services", "force", "raw", "adopt", "dry_run"])]
    pub(super) strict: bool,

    /// With --raw: write to this file, which is replaced as a whole.
    #[arg(short, long, value_name = "FILE", requires = "raw")]
    pub(super) output: Option<PathBuf>,

    /// Adopt the build with this fingerprint: SERVICE shows its coverage from now on.
    #[arg(long, value_name = "FINGERPRINT", requires = "services")]
    pub(super) adopt: Option<String>,

    /// Store a row of now under this name, even if nothing moved, for --since and --id of `report`: mark, test, mark,
    /// report. An app has each name once.
    #[arg(long, value_name = "NAME", value_parser = parse_mark, requires = "services")]
    #[arg(conflicts_with_all = ["raw", "dry_run", "address"])]
    pub(super) mark: Option<String>,

    /// Show the services that would be pulled, with the reasons; nothing is pulled or stored.
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// Do not peek at services that are not due.
    #[arg(long)]
    pub(super) no_peek: bool,

    /// Kind of change that stores a new row.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) change: Option<ChangeRule>,

    /// Wait a random time up to this before the run, so that many machines do not pull at the same moment.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) jitter: Option<Duration>,

    /// Wait while another run holds the lock, up to this time, or without a limit if no time is given; without --wait
    /// the run ends with exit code 4.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, num_args = 0..=1)]
    #[arg(default_missing_value = FOREVER, conflicts_with_all = ["raw", "dry_run"])]
    pub(super) wait: Option<Duration>,

    /// Ping a dead-man's switch: URL/start at the start, URL at the end, URL/CODE after another exit code than 0.
    #[arg(long, value_name = "URL", value_parser = PingUrlParser, conflicts_with_all = ["raw", "dry_run"])]
    pub(super) ping: Option<PingUrl>,

    /// Number of requests at the same time [default: 16].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) concurrency: Option<u16>,

    /// Time limit of a request with its whole answer [default: 2m].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) timeout: Option<Duration>,

    /// Time limit for making a connection [default: 5s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) connect_timeout: Option<Duration>,

    /// Longest silence within an answer [default: 20s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) read_timeout: Option<Duration>,

    /// Time limit of the whole run; services that it cuts off stay due [default with --to-inbox: 5s].
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) deadline: Option<Duration>,

    /// Largest size of a decoded answer [default: 256MiB].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) max_body: Option<u64>,

    /// Proxy for all requests; proxies of the environment are never used.
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,

    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

impl ValueEnum for ChangeRule {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Covered => "A block became covered",
            Self::Counts => "Any counter moved",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

impl PullArgs {
    /// Returns the options of requests: those in `base`, replaced by those of the command line.
    pub(super) fn options(&self, base: RequestOptions) -> RequestOptions {
        RequestOptions {
            connect_timeout: self.connect_timeout.unwrap_or(base.connect_timeout),
            read_timeout: self.read_timeout.unwrap_or(base.read_timeout),
            timeout: self.timeout.unwrap_or(base.timeout),
            limits: Limits { max_bytes: self.max_body.unwrap_or(base.limits.max_bytes), ..base.limits },
            proxy: self.proxy.clone().or(base.proxy.clone()),
            concurrency: self.concurrency.map_or(base.concurrency, usize::from),
            ..base
        }
    }

    fn rules(&self, context: &Context) -> PullRules {
        let config = &context.config.pull;
        PullRules {
            change: self.change.unwrap_or(config.change),
            adopt_by_hand: self.adopt.clone(),
            mark: self.mark.clone(),
            are_details_read: context.is_verbose,
            ..config.rules()
        }
    }

    /// Returns the random wait before the run, which is zero if a person named services.
    pub(super) fn jitter(&self, context: &Context) -> Duration {
        let named = !self.services.is_empty() || self.dry_run;
        let longest = if named { None } else { self.jitter.or(context.config.pull.jitter) };
        longest.unwrap_or_default().mul_f64(fastrand::f64())
    }
}

impl PullArgs {
    /// Returns the folder of `--to-inbox`, which needs neither root nor configuration.
    pub(crate) fn inbox(&self) -> Option<&Path> {
        self.to_inbox.as_deref()
    }

    pub(super) fn query<'a>(&'a self, service: &'a str) -> ServiceQuery<'a> {
        self.narrow.query(service, self.commit.as_deref())
    }

    /// Returns the fields by which all services are narrowed; `None` if none was given.
    pub(super) fn fields(&self) -> Option<ServiceQuery<'_>> {
        Some(self.query("")).filter(|fields| !fields.is_everything())
    }

    pub(super) fn request<'a>(&'a self, context: &'a Context, options: &RequestOptions) -> PullRequest<'a> {
        PullRequest {
            groups: &context.config.groups,
            services: self.services.iter().map(|service| self.query(service)).collect(),
            fields: self.fields(),
            address: self.address.as_deref(),
            is_forced: self.force,
            may_peek: context.config.pull.peek && !self.no_peek,
            rules: self.rules(context),
            limits: options.limits,
            concurrency: options.concurrency,
        }
    }
}
