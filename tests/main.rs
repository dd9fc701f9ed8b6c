//! Tests of the binary from outside: its output, its exit codes, and its files.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests are the world that the program meets"
)]

mod harness;
mod sim;

mod addresses;
mod bad_targets;
mod binary_agents;
mod carry;
mod carry_histories;
mod causes;
mod completions;
mod confined;
mod crash;
mod damages;
mod diff;
mod docs;
mod earlier_commits;
mod election;
mod examples;
mod files;
mod first_report;
mod folders;
mod forms;
mod gates;
mod goc;
mod goc_inbox;
mod goc_prune;
mod gocover;
mod groups;
mod hostile_text;
mod html;
mod html_carried;
mod html_changes;
mod html_edges;
mod html_file;
mod html_find;
mod html_map;
mod html_marked;
mod html_overview;
mod html_screens;
mod html_tabs;
mod html_with;
mod ignore_marks;
mod inbox;
mod layout;
mod limits;
mod linediff;
mod list;
mod marks;
mod mending;
mod mistakes;
mod modules;
mod named_processes;
mod odd_sources;
mod packages;
mod page_script;
mod pictures;
mod places;
mod prune;
mod pull;
mod readme;
mod real_cover;
mod rebuilds;
mod releases;
mod report;
mod repositories;
mod retention;
mod service_names;
mod setup_check;
mod simulation;
mod since;
mod site;
mod site_commits;
mod site_long;
mod site_view;
mod spellings;
mod static_binary;
mod storage;
mod target_names;
mod targets;
mod terminals;
mod threads;
mod three_commits;
mod timer;
mod tls;
mod unmeasured;
mod unmeasured_builds;
mod unused;
mod upgrades;
mod users;
mod with;
