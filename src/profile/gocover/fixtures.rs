//! Recorded files for tests, and a writer of files that no program has written.

use proptest::prelude::*;

use super::super::{Block, Mode, varint};

macro_rules! recorded {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gocover/", $path))
    };
}

pub(crate) const COUNT_META: &[u8] = recorded!("count/data/covmeta.2580f4b65340bc2b63474139d103ae37");
pub(crate) const COUNT_COUNTERS: &[u8] =
    recorded!("count/data/covcounters.2580f4b65340bc2b63474139d103ae37.15163.1795923341957589166");
pub(crate) const RAW_COUNTERS: &[u8] =
    recorded!("raw-big-endian/data/covcounters.2580f4b65340bc2b63474139d103ae37.15163.1795923341957589166");
pub(crate) const SNAPSHOTS_META: &[u8] = recorded!("snapshots/data/covmeta.39bdad10ba087682b81906837d7d9e0d");
/// Four cumulative snapshots of one process, in the order in which it wrote them.
pub(crate) const SNAPSHOTS: [&[u8]; 4] = [
    recorded!("snapshots/data/covcounters.39bdad10ba087682b81906837d7d9e0d.31088.1795924281869788675"),
    recorded!("snapshots/data/covcounters.39bdad10ba087682b81906837d7d9e0d.31088.1795924281870953682"),
    recorded!("snapshots/data/covcounters.39bdad10ba087682b81906837d7d9e0d.31088.1795924281873278820"),
    recorded!("snapshots/data/covcounters.39bdad10ba087682b81906837d7d9e0d.31088.1795924281874880454"),
];

/// A package to be written.
#[derive(Clone, Debug)]
pub(crate) struct ModelPackage {
    pub(crate) import_path: String,
    pub(crate) functions: Vec<ModelFunction>,
}

/// A function to be written.
#[derive(Clone, Debug)]
pub(crate) struct ModelFunction {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) is_literal: bool,
    pub(crate) blocks: Vec<Block>,
}

impl ModelPackage {
    /// Makes a package of functions, each with its name, its file and its blocks.
    pub(crate) fn new(
        import_path: &str,
        functions: impl IntoIterator<Item = (String, String, Vec<Block>)>,
    ) -> Self {
        let function = |(name, file, blocks)| ModelFunction { name, file, is_literal: false, blocks };
        let functions = functions.into_iter().map(function).collect();
        Self { import_path: import_path.to_owned(), functions }
    }
}

fn push_strings(out: &mut Vec<u8>, strings: &[&str]) {
    varint::push(out, strings.len() as u64);
    for string in strings {
        varint::push(out, string.len() as u64);
        out.extend_from_slice(string.as_bytes());
    }
}

fn push_u32s<const N: usize>(out: &mut Vec<u8>, numbers: [usize; N]) {
    for number in numbers {
        out.extend_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
    }
}

/// Writes a number over the bytes at a place.
pub(crate) fn set_u32(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

fn package_bytes(package: &ModelPackage) -> Vec<u8> {
    let mut strings = vec!["", &*package.import_path];
    let mut functions = Vec::new();
    for function in &package.functions {
        let mut bytes = Vec::new();
        varint::push(&mut bytes, function.blocks.len() as u64);
        for name in [&*function.name, &*function.file] {
            let index = strings.iter().position(|string| *string == name).unwrap_or_else(|| {
                strings.push(name);
                strings.len() - 1
            });
            varint::push(&mut bytes, index as u64);
        }
        for block in &function.blocks {
            for number in [block.start.0, block.start.1, block.end.0, block.end.1, block.statements] {
                varint::push(&mut bytes, number.into());
            }
        }
        bytes.push(function.is_literal.into());
        functions.push(bytes);
    }
    let mut table = Vec::new();
    push_strings(&mut table, &strings);
    let mut out = Vec::new();
    let first = 44 + 4 * functions.len() + table.len();
    push_u32s(&mut out, [first + functions.iter().map(Vec::len).sum::<usize>()]);
    push_u32s(&mut out, [1, 1, 0]);
    out.extend_from_slice(&[7; 16]);
    push_u32s(&mut out, [0, strings.len(), functions.len()]);
    let mut offset = first;
    for function in &functions {
        push_u32s(&mut out, [offset]);
        offset += function.len();
    }
    out.extend_from_slice(&table);
    out.extend(functions.concat());
    out
}

/// Writes a meta file as Go does.
pub(crate) fn meta_bytes(mode: Mode, packages: &[ModelPackage]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = packages.iter().map(package_bytes).collect();
    let strings_at = 56 + 16 * parts.len();
    let first = strings_at + 2;
    let length = first + parts.iter().map(Vec::len).sum::<usize>();
    let mut out = b"\0cvm\x01\0\0\0".to_vec();
    out.extend_from_slice(&(length as u64).to_le_bytes());
    out.extend_from_slice(&(parts.len() as u64).to_le_bytes());
    out.extend_from_slice(&[9; 16]);
    push_u32s(&mut out, [strings_at, 2]);
    out.extend_from_slice(&[1 + mode as u8, 1, 0, 0, 0, 0, 0, 0]);
    let mut offset = first as u64;
    for part in &parts {
        out.extend_from_slice(&offset.to_le_bytes());
        offset += part.len() as u64;
    }
    for part in &parts {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
    }
    out.extend_from_slice(&[1, 0]);
    out.extend(parts.concat());
    out
}

/// A record of a counter file: package, function, counters.
pub(crate) type Record = (usize, usize, Vec<u32>);

/// Writes a counter file as Go does, with `arguments` as keys and values.
pub(crate) fn counter_bytes(records: &[Record], arguments: &[(&str, &str)]) -> Vec<u8> {
    let mut table = Vec::new();
    let strings: Vec<&str> =
        [""].into_iter().chain(arguments.iter().flat_map(|&(key, value)| [key, value])).collect();
    push_strings(&mut table, &strings);
    let mut indices = Vec::new();
    varint::push(&mut indices, arguments.len() as u64);
    (1..strings.len()).for_each(|index| varint::push(&mut indices, index as u64));
    while (table.len() + indices.len()) % 4 != 0 {
        indices.push(0);
    }
    let mut out = b"\0cwm\x01\0\0\0".to_vec();
    out.extend_from_slice(&[9; 16]);
    out.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&(records.len() as u64).to_le_bytes());
    push_u32s(&mut out, [table.len(), indices.len()]);
    out.extend(table);
    out.extend(indices);
    for (package, function, counters) in records {
        let head = [counters.len(), *package, *function].map(|number| number as u64);
        head.into_iter()
            .chain(counters.iter().map(|&count| count.into()))
            .for_each(|number| varint::push(&mut out, number));
    }
    out.extend_from_slice(b"\0cwm\0\0\0\0\x01\0\0\0\0\0\0\0");
    out
}

/// Programs with every oddity: packages, files, functions and blocks that occur more than once.
pub(crate) fn packages() -> impl Strategy<Value = Vec<ModelPackage>> {
    let number = || prop_oneof![8 => 0..4_u32, 1 => any::<u32>()];
    let block = ((number(), number()), (number(), number()), 0..2_u32)
        .prop_map(|(start, end, statements)| Block { start, end, statements });
    let function = ("[AB]", "[ab]{1,2}\\.go", any::<bool>(), prop::collection::vec(block, 0..6)).prop_map(
        |(name, file, is_literal, blocks)| ModelFunction {
            name,
            file: format!("p/{file}"),
            is_literal,
            blocks,
        },
    );
    let package = ("p/[ab]{0,1}", prop::collection::vec(function, 0..6))
        .prop_map(|(import_path, functions)| ModelPackage { import_path, functions });
    prop::collection::vec(package, 0..5)
}

/// Programs with two runs of each: for every function no record, one, or two.
pub(crate) fn programs() -> impl Strategy<Value = (Vec<ModelPackage>, Vec<Record>)> {
    let counts = || prop_oneof![3 => Just(0), 3 => 1..9_u32, 1 => u32::MAX - 3..=u32::MAX];
    packages().prop_flat_map(move |packages| {
        let functions: Vec<(usize, usize, usize)> = (0..)
            .zip(&packages)
            .flat_map(|(at, package)| {
                (0..).zip(&package.functions).map(move |(function, model)| (at, function, model.blocks.len()))
            })
            .collect();
        let records = functions.into_iter().map(|(package, function, blocks)| {
            prop::collection::vec(prop::collection::vec(counts(), blocks), 0..3).prop_map(move |all| {
                all.into_iter().map(|counts| (package, function, counts)).collect::<Vec<_>>()
            })
        });
        let records = records.collect::<Vec<_>>().prop_map(|records| records.concat());
        (Just(packages), records.prop_shuffle())
    })
}

/// Damages a file in some places, and now and then mends what a header says of its length.
pub(crate) fn damaged(file: &[u8], other: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..rng.usize(1..4) {
        let (from, len) = (rng.usize(..=bytes.len()), rng.usize(..24));
        let to = (from + len).min(bytes.len());
        match rng.u8(..7) {
            0 if from < bytes.len() => bytes[from] ^= 1 << rng.u8(..8),
            1 if from < bytes.len() => bytes[from] = rng.u8(..),
            2 if from + 4 <= bytes.len() => {
                set_u32(&mut bytes, from, *rng.choice(&[0, 1, 255, u32::MAX]).unwrap());
            }
            3 => drop(bytes.drain(from..to)),
            4 => {
                let start = rng.usize(..other.len());
                bytes.splice(from..to, other[start..(start + len).min(other.len())].iter().copied());
            }
            5 => drop(bytes.splice(from..from, std::iter::repeat_n(0x80, len))),
            _ if rng.u8(..4) == 0 => bytes.truncate(from),
            _ => {}
        }
    }
    if bytes.len() > 16 && bytes.starts_with(b"\0cvm") && rng.bool() {
        let length = bytes.len() as u64;
        bytes[8..16].copy_from_slice(&length.to_le_bytes());
    }
    bytes
}
