//! The list of a center, as far as it was read.

use std::fmt;

/// A name that the center lists, with its addresses in the order listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedService {
    /// The registered name, unchanged.
    pub name: String,
    /// As registered; a center can list what cannot be dialled.
    pub addresses: Vec<String>,
}

/// The list of a center, as far as the limits let it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CenterList {
    /// Sorted by name.
    pub services: Vec<ListedService>,
    /// The part that was left out.
    pub cut: Option<ListCut>,
}

/// The extent to which a list was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListCut {
    /// Names that the center lists.
    pub names: usize,
    /// Addresses that it lists.
    pub addresses: usize,
    /// Names that were left out.
    pub names_left_out: usize,
    /// Addresses that were left out, also those of such names.
    pub addresses_left_out: usize,
    /// Something that is known was left out, too.
    pub of_known: bool,
}

impl fmt::Display for ListCut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, addresses, names_left_out, addresses_left_out, of_known } = self;
        write!(
            out,
            "lists {names} names with {addresses} addresses, of which {names_left_out} and {addresses_left_out} are \
             left out ([pull] max_names, max_addresses)"
        )?;
        if *of_known { write!(out, ", known ones among them") } else { Ok(()) }
    }
}
