//! A property of `--carry` over random histories: functions are edited, moved between files and folders, renamed and back,
//! given comments, or put in another order, and each commit executes some of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use proptest::prelude::*;
use serde_json::Value;

use crate::harness::World;
use crate::harness::source::Source;

/// Number of functions. The statements of each are twice those of the one before, so that a sum tells which of them count.
const FUNCTIONS: usize = 6;

/// A step between two commits; numbers of functions are taken modulo their count.
#[derive(Clone, Debug)]
enum Step {
    Edit(usize),
    MoveToFile(usize, usize),
    MoveToFolder(usize, usize),
    Rename(usize),
    Comment(usize),
    Swap(usize, usize),
}

#[derive(Clone, Debug)]
struct Function {
    number: usize,
    is_renamed: bool,
    folder: usize,
    file: usize,
    version: u32,
    comments: usize,
}

/// What makes two functions the same: folder, name and tokens.
type Text = (usize, String, u32);

impl Function {
    fn name(&self) -> String {
        format!("F{}{}", self.number, if self.is_renamed { "b" } else { "a" })
    }

    fn statements(&self) -> u64 {
        1 << self.number
    }

    fn text(&self) -> Text {
        (self.folder, self.name(), self.version)
    }
}

fn apply(functions: &mut [Function], step: &Step) {
    let of = |number: &usize| functions.iter().position(|it| it.number == number % FUNCTIONS).unwrap();
    match step {
        Step::Edit(it) => functions[of(it)].version += 1,
        Step::MoveToFile(it, file) => functions[of(it)].file = *file,
        Step::MoveToFolder(it, folder) => functions[of(it)].folder = *folder,
        Step::Rename(it) => functions[of(it)].is_renamed ^= true,
        Step::Comment(it) => functions[of(it)].comments += 1,
        Step::Swap(one, other) => functions.swap(one % FUNCTIONS, other % FUNCTIONS),
    }
}

/// Writes the files of a commit, and returns their profile. `executed` has a bit for each function.
fn write_commit(source: &mut Source, functions: &[Function], executed: u8, turn: usize) -> String {
    let root = source.folder.path().to_owned();
    let mut profile = String::new();
    for folder in 0..2 {
        let _ = fs::remove_dir_all(root.join(format!("p{folder}")));
        for file in 0..2 {
            let mut text = format!("package p{folder}\n\n");
            let here = || functions.iter().filter(|it| (it.folder, it.file) == (folder, file));
            for function in here() {
                text += &"// A comment.\n".repeat(function.comments);
                let head = format!("func {}() {{", function.name());
                let line = 1 + text.matches('\n').count();
                let statements = function.statements();
                let _ = write!(text, "{head}\n\tcall({})\n", function.version);
                text += &"\tcall()\n".repeat(usize::try_from(statements).unwrap() - 1);
                text += "}\n\n";
                let count = u8::from(executed & (1 << function.number) != 0);
                let end = u64::try_from(line).unwrap() + statements + 1;
                let _ = writeln!(
                    profile,
                    "example.com/shop/p{folder}/f{file}.go:{line}.{},{end}.2 {statements} {count}",
                    head.len()
                );
            }
            if here().next().is_some() {
                fs::create_dir_all(root.join(format!("p{folder}"))).unwrap();
                fs::write(root.join(format!("p{folder}/f{file}.go")), text).unwrap();
            }
        }
    }
    fs::write(root.join("turn"), turn.to_string()).unwrap();
    source.commit_all();
    profile
}

fn step() -> impl Strategy<Value = Step> {
    let of = || 0..FUNCTIONS;
    prop_oneof![
        of().prop_map(Step::Edit),
        (of(), 0..2usize).prop_map(|(it, file)| Step::MoveToFile(it, file)),
        (of(), 0..2usize).prop_map(|(it, folder)| Step::MoveToFolder(it, folder)),
        of().prop_map(Step::Rename),
        of().prop_map(Step::Comment),
        (of(), of()).prop_map(|(one, other)| Step::Swap(one, other)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn what_is_fresh_and_carried_is_what_any_commit_executed_in_the_text_of_now(
        commits in prop::collection::vec((prop::collection::vec(step(), 0..4), any::<u8>()), 2..6),
    ) {
        let (world, mut agents) = (World::new(), Vec::new());
        let mut source = Source::from_files(&[("go.mod", b"module example.com/shop\n")]);
        let mut functions: Vec<Function> = (0..FUNCTIONS)
            .map(|number| Function {
                number, is_renamed: false, folder: number % 2, file: number / 2 % 2, version: 0, comments: 0,
            })
            .collect();
        let mut ever: BTreeSet<Text> = BTreeSet::new();
        let mut fresh = 0;
        for (turn, (steps, executed)) in commits.iter().enumerate() {
            for step in steps {
                apply(&mut functions, step);
            }
            let profile = write_commit(&mut source, &functions, *executed, turn);
            let name = format!("staging_th_shop_master_{}", &source.commit[..10]);
            agents.push(world.start_counted(&name, &profile));
            world.run(&["-q", "pull", &name]).assert_code(0);
            let covered = || functions.iter().filter(|it| executed & (1 << it.number) != 0);
            ever.extend(covered().map(Function::text));
            fresh = covered().map(Function::statements).sum();
        }
        source.clone_for("shop", &world, &["--bare"]);

        let total = ["total", "shop", "--commit", &source.commit[..10], "--format", "json", "--carry"];
        let total: Value = serde_json::from_str(&world.run(&total).assert_code(0).stdout).unwrap();
        let known = functions.iter().filter(|it| ever.contains(&it.text()));
        let wanted: u64 = known.map(Function::statements).sum();
        prop_assert_eq!(total["covered"].as_u64(), Some(wanted), "{} {:?}", total, ever);
        let carried = total["carried_from"].as_array().unwrap();
        let carried: u64 = carried.iter().map(|from| from["statements"].as_u64().unwrap()).sum();
        prop_assert_eq!(carried, wanted - fresh);
    }
}
