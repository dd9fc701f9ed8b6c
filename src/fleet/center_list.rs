//! The list of a center, cut where a limit was reached.

use std::fmt;

/// A name that the center lists, with its addresses in the order listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedService {
    /// The registered name, unchanged.
    pub name: String,
    /// The addresses as they were registered; some may be no valid address.
    pub addresses: Vec<String>,
}

/// The list of a center within the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CenterList {
    /// Sorted by name.
    pub services: Vec<ListedService>,
    /// The size of the part that was left out; `None` when nothing was.
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
    /// Addresses that were left out, including those of left-out names.
    pub addresses_left_out: usize,
    /// A name or an address that the database knows was left out, too.
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
