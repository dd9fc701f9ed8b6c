//! Binary coverage data of Go: recorded files, damaged files, and what programs of the Go on this machine write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use goc_watchdog::profile::gocover::{
    CounterFile, DataFileName, DataHeader, Meta, MetaBuild, MetaCounts, find_meta, textfmt,
};
use goc_watchdog::profile::{Limits, parse};

use crate::harness::go::{Go, write_counted};

const COUNT_TAG: &str = "2580f4b65340bc2b63474139d103ae37";

/// Files by name.
type Files = Vec<(String, Vec<u8>)>;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gocover")
}

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Files = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The text of a folder, and the faults of its files.
#[derive(Debug)]
struct Said {
    text: Result<String, String>,
    faults: Vec<String>,
}

/// Reads a folder as one that takes GOCOVERDIR folders in has to: bad files are set aside by name, others count.
fn read(mut files: Files) -> Said {
    files.dedup();
    let mut faults = Vec::new();
    let mut metas = Vec::new();
    for (name, bytes) in &files {
        if let Some(DataFileName::Meta { tag }) = DataFileName::parse(name) {
            match Meta::from_bytes(bytes, Limits::default()) {
                Ok(meta) => metas.push((meta, tag)),
                Err(error) => faults.push(format!("{name}: {error}")),
            }
        }
    }
    let known: Vec<_> = metas.iter().map(|(meta, tag)| (meta.hash(), *tag)).collect();
    let mut programs: Vec<MetaCounts<'_>> = metas.iter().map(|(meta, _)| MetaCounts::new(meta)).collect();
    for (name, bytes) in &files {
        let Some(DataFileName::Counters { tag, .. }) = DataFileName::parse(name) else { continue };
        let added = CounterFile::from_bytes(bytes).map_err(|error| error.to_string()).and_then(|file| {
            let meta = find_meta(file.hash(), tag, &known).ok_or("no meta")?;
            programs[meta].add(&file).map_err(|error| error.to_string())
        });
        faults.extend(added.err().map(|error| format!("{name}: {error}")));
    }
    let text =
        textfmt(&programs).map(|text| String::from_utf8(text).unwrap()).map_err(|clash| clash.to_string());
    Said { text, faults }
}

#[test]
fn the_text_of_recorded_files_is_to_the_byte_that_of_go_tool_covdata() {
    let mut compared = 0;
    for entry in fs::read_dir(fixtures()).unwrap() {
        let folder = entry.unwrap().path();
        // Folders of recorded answers hold the text of their data, too.
        let has_files = folder.join("data").exists() || folder.ends_with("streamed");
        let Some(expected) = fs::read_to_string(folder.join("textfmt.txt")).ok().filter(|_| has_files) else {
            continue;
        };
        let files = if folder.ends_with("streamed") {
            let named = |name: &str, file: &str| (name.to_owned(), fs::read(folder.join(file)).unwrap());
            vec![named("covcounters.a.1.1", "counters.bin"), named("covmeta.a", "meta.bin")]
        } else {
            files(&folder.join("data"))
        };
        let said = read(files);
        assert_eq!((said.text, said.faults), (Ok(expected), vec![]), "{}", folder.display());
        compared += 1;
    }
    assert_eq!(compared, 25);
}

#[test]
fn counters_of_a_recorded_file_are_placed_as_its_text_is_parsed() {
    let mut compared = 0;
    for entry in fs::read_dir(fixtures()).unwrap() {
        let folder = entry.unwrap().path().join("data");
        let Ok(true) = folder.try_exists() else { continue };
        let files = files(&folder);
        for (_, bytes) in files.iter().filter(|(name, _)| name.starts_with("covmeta")) {
            let meta = Meta::from_bytes(bytes, Limits::default()).unwrap();
            let build = MetaBuild::from_meta(&meta);
            let mut counts = Vec::new();
            for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with("covcounters")) {
                let file = CounterFile::from_bytes(bytes).unwrap();
                if file.hash() != meta.hash() {
                    continue;
                }
                let mut program = MetaCounts::new(&meta);
                program.add(&file).unwrap();
                let parsed = parse(&textfmt(&[program]).unwrap(), Limits::default()).unwrap();
                build.counts_into(&file, &mut counts).unwrap();
                assert_eq!((build.build(), build.mode()), (&parsed.build, parsed.mode), "{name}");
                assert_eq!(counts, parsed.counts, "{name}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 50);
}

fn count_meta() -> Vec<u8> {
    fs::read(fixtures().join("count/data").join(format!("covmeta.{COUNT_TAG}"))).unwrap()
}

fn count_counters() -> Vec<u8> {
    let name = format!("covcounters.{COUNT_TAG}.15163.1795923341957589166");
    fs::read(fixtures().join("count/data").join(name)).unwrap()
}

fn meta_file(bytes: &[u8]) -> (String, Vec<u8>) {
    (format!("covmeta.{COUNT_TAG}"), bytes.to_vec())
}

fn counter_file(bytes: &[u8]) -> (String, Vec<u8>) {
    (format!("covcounters.{COUNT_TAG}.15163.1795923341957589166"), bytes.to_vec())
}

fn changed(bytes: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] = byte;
    bytes
}

/// An outcome: how many lines are there, how many of them with hits, and the start of each fault behind the name.
#[track_caller]
fn assert_outcome(case: &str, files: Files, lines: usize, hit: usize, faults: &[&str]) {
    let said = read(files);
    let text = said.text.unwrap_or_else(|clash| panic!("{case}: {clash}"));
    let counted: Vec<&str> = text.lines().skip(1).collect();
    let hits = counted.iter().filter(|line| !line.ends_with(" 0")).count();
    assert_eq!((counted.len(), hits), (lines, hit), "{case}: {:?}", said.faults);
    assert_eq!(said.faults.len(), faults.len(), "{case}: {:?}", said.faults);
    for (found, fault) in said.faults.iter().zip(faults) {
        let (_, found) = found.split_once(": ").unwrap();
        assert!(found.starts_with(fault), "{case}: {found}");
    }
}

/// Number of blocks of the program in `count`, and how many of them its first run has hit.
const BLOCKS: usize = 58;
const HIT: usize = 39;

#[test]
fn a_meta_that_is_damaged_is_named_and_its_counters_wait() {
    let (meta, counters) = (count_meta(), count_counters());
    let outcome = |case: &str, meta: &[u8], fault: &str| {
        assert_outcome(case, vec![counter_file(&counters), meta_file(meta)], 0, 0, &[fault, "no meta"]);
    };
    for end in [0, 3] {
        outcome(&format!("meta cut to {end}"), &meta[..end], &format!("cut short: {end} bytes"));
    }
    for end in [4, 20, 55] {
        outcome(&format!("meta cut to {end}"), &meta[..end], &format!("cut short: {end} bytes of covmeta"));
    }
    for end in [56, 60, 100, 150, 200, 400, 1345] {
        let fault = format!("cut short: {end} bytes of covmeta data that has 1346 or more");
        outcome(&format!("meta cut to {end}"), &meta[..end], &fault);
    }
    // Go's tool takes bytes behind the end, and version 0.
    let longer = [&meta[..], b"12345"].concat();
    outcome("meta + 5 trailing bytes", &longer, "1351 bytes of covmeta data where its header says 1346");
    outcome("bad meta magic", &changed(&meta, 1, b'x'), "no coverage data of Go");
    outcome("meta version 2", &changed(&meta, 4, 2), "covmeta data of version 2");
    outcome("meta version 0", &changed(&meta, 4, 0), "covmeta data of version 0");
}

#[test]
fn counters_that_are_damaged_are_named_and_the_others_count() {
    let (meta, counters) = (count_meta(), count_counters());
    let outcome = |case: &str, counters: &[u8], fault: &str| {
        assert_outcome(case, vec![counter_file(counters), meta_file(&meta)], BLOCKS, 0, &[fault]);
    };
    for end in [0, 3] {
        outcome(&format!("counters cut to {end}"), &counters[..end], &format!("cut short: {end} bytes"));
    }
    for end in [4, 16, 31] {
        let fault = format!("cut short: {end} bytes of covcounters data that has 32 or more");
        outcome(&format!("counters cut to {end}"), &counters[..end], &fault);
    }
    for end in [32, 40, 48, 60] {
        let fault = format!("cut short: {end} bytes of covcounters data that has 64 or more");
        outcome(&format!("counters cut to {end}"), &counters[..end], &fault);
    }
    for end in [100, 150, 222, 223, 238] {
        outcome(&format!("counters cut to {end}"), &counters[..end], "cut short, or changed");
    }
    let footer = counters.len() - 16;
    let in_payload = [&counters[..footer - 20], &counters[footer..]].concat();
    outcome("counters cut in payload, footer kept", &in_payload, "at byte ");
    // Go's tool takes junk before the footer, and reads the first of more segments alone.
    let junk = [&counters[..footer], b"junk", &counters[footer..]].concat();
    outcome("counters + trailing junk before footer", &junk, "at byte 223: 4 bytes are left over");
    let junk = [&counters[..], b"junk"].concat();
    outcome("counters trailing junk after footer", &junk, "cut short, or changed");
    outcome("counter version 2", &changed(&counters, 4, 2), "covcounters data of version 2");
    outcome("flavor 3", &changed(&counters, 24, 3), "counter flavour 3 in the header");
    outcome("segments 0", &changed(&counters, footer + 8, 0), "0 segments in the covcounters data");
    outcome("segments 2 claimed", &changed(&counters, footer + 8, 2), "2 segments in the covcounters data");

    let others = files(&fixtures().join("cgo/data"));
    let (_, others) = others.iter().find(|(name, _)| name.starts_with("covcounters")).unwrap();
    outcome("counters of another program under our tag", others, "at byte ");

    let other = format!("covcounters.{COUNT_TAG}.15172.1795923341962258725");
    let cut = (other, counters[..100].to_vec());
    assert_outcome(
        "one good counter file, one cut",
        vec![counter_file(&counters), cut, meta_file(&meta)],
        BLOCKS,
        HIT,
        &["cut short, or changed"],
    );
}

#[test]
fn names_and_hashes_of_foreign_tools_are_put_up_with() {
    let (meta, counters) = (count_meta(), count_counters());
    let whole = || vec![counter_file(&counters), meta_file(&meta)];
    let outcome = |case: &str, files: Files, hit: usize| assert_outcome(case, files, BLOCKS, hit, &[]);
    let named = |name: &str, bytes: &[u8]| (name.replace("TAG", COUNT_TAG), bytes.to_vec());
    outcome("good", whole(), HIT);
    outcome("meta only", vec![meta_file(&meta)], 0);
    assert_outcome("counters only (orphan)", vec![counter_file(&counters)], 0, 0, &["no meta"]);
    assert_outcome("empty dir", vec![], 0, 0, &[]);
    let other = counter_file(&changed(&counters, 8, 7));
    outcome("counter header hash differs from name", vec![other, meta_file(&meta)], HIT);
    let other = meta_file(&changed(&meta, 24, 7));
    outcome("meta header hash differs from name", vec![counter_file(&counters), other], HIT);
    let pair =
        |counters_name: &str, meta_name: &str| vec![named(counters_name, &counters), named(meta_name, &meta)];
    outcome("names with another tag", pair("covcounters.abc.1.1", "covmeta.abc"), HIT);
    outcome("name tag with dots", pair("covcounters.a.b.c.1.1", "covmeta.a.b.c"), HIT);
    let mut with_unfinished = whole();
    with_unfinished.push(named("tmp.covcounters.TAG.1.1", &counters[..50]));
    with_unfinished.push(named("tmp.covmeta.TAG1", &meta[..50]));
    outcome("tmp. names", with_unfinished, HIT);
    for (case, name) in [
        ("pid not a number", "covcounters.TAG.pid.1"),
        ("pid huge", "covcounters.TAG.99999999999999999999.1"),
        ("nanotime missing", "covcounters.TAG.1"),
    ] {
        outcome(case, vec![named(name, &counters), meta_file(&meta)], 0);
    }
    let twice = vec![counter_file(&counters), counter_file(&counters), meta_file(&meta), meta_file(&meta)];
    outcome("two dirs same files twice", twice, HIT);
    for order in [[0, 1], [1, 0]] {
        let metas = [meta_file(&meta), meta_file(&meta[..700])];
        let files =
            [vec![counter_file(&counters)], order.map(|index| metas[index].clone()).to_vec()].concat();
        assert_outcome("dup meta cut in one dir", files, BLOCKS, HIT, &["cut short: 700 bytes"]);
    }
    let set = files(&fixtures().join("set/data"));
    let (_, set_meta) = set.iter().find(|(name, _)| name.starts_with("covmeta")).unwrap();
    let renamed = vec![counter_file(&counters), meta_file(set_meta)];
    outcome("meta of set renamed as count tag", renamed, HIT);
}

#[test]
fn programs_of_different_modes_are_read_and_have_no_common_text() {
    let mixed = files(&fixtures().join("mixed-modes/data"));
    let said = read(mixed);
    assert_eq!(said.faults, [""; 0]);
    let clash = "the first program counts in mode \"count\", another in mode \"set\"";
    assert_eq!(said.text, Err(clash.to_owned()));
}

#[test]
fn headers_are_enough_to_pair_files() {
    for (name, bytes) in files(&fixtures().join("coverport-names/data")) {
        let hash = match DataHeader::from_bytes(&bytes[..56]).unwrap() {
            DataHeader::Meta(header) => header.hash,
            DataHeader::Counters(header) => header.hash,
        };
        assert_eq!(hash.to_string(), "2829394659209d7099c629defdecda73");
        assert!(!name.contains("2829394659209d7099c629defdecda73"), "{name}");
    }
}

/// Compares the text of data that a Go writes with that of its own tool.
fn compare_with(go: &Go) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("counted");
    write_counted(&source);
    for (mode, packages) in [("set", "./..."), ("count", "./..."), ("atomic", "strconv,./...")] {
        let data = folder.path().join(mode);
        fs::create_dir(&data).unwrap();
        let options = [format!("-covermode={mode}"), format!("-coverpkg={packages}")];
        go.run(&source, &["build", "-cover", &options[0], &options[1], "-o", "program", "."]);
        for orders in [&["sum"][..], &["max", "sum", "c", "odd"], &[]] {
            let mut program = Command::new(source.join("program"));
            program.args(orders).env("GOCOVERDIR", &data).output().unwrap();
        }
        let files = files(&data);
        assert_eq!(files.len(), 4, "three runs and a meta");
        let said = read(files);
        assert_eq!((said.text, said.faults), (Ok(go.textfmt(&data)), vec![]), "{mode}");
    }
}

#[test]
fn the_text_of_real_programs_is_to_the_byte_that_of_go_tool_covdata() {
    let untested = "no text was compared with that of the real go tool covdata";
    if let Some(go) = Go::installed(untested) {
        compare_with(&go);
    }
}

#[test]
fn the_text_of_programs_of_an_older_go_is_to_the_byte_that_of_its_go_tool_covdata() {
    let untested = "no text was compared with that of its go tool covdata";
    Go::older(untested).iter().for_each(compare_with);
}
