//! The number of functions and blocks in each package: all that counters need of a meta to be read.

use std::ops::Range;

use super::error::DataFault;

/// The first function of each package and the first block of each function, and the ends of the last ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MetaShape {
    packages: Vec<u32>,
    functions: Vec<u32>,
}

impl Default for MetaShape {
    fn default() -> Self {
        Self { packages: vec![0], functions: vec![0] }
    }
}

impl MetaShape {
    /// Adds a function that ends before the block `end` to the last package.
    pub(super) fn push_function(&mut self, end: u32) {
        self.functions.push(end);
    }

    /// Ends the last package.
    pub(super) fn end_package(&mut self) {
        self.packages.push(u32::try_from(self.function_count()).expect("a function has bytes of a file"));
    }

    pub(super) fn package_count(&self) -> usize {
        self.packages.len() - 1
    }

    pub(super) fn function_count(&self) -> usize {
        self.functions.len() - 1
    }

    pub(super) fn block_count(&self) -> usize {
        self.functions[self.function_count()] as usize
    }

    /// Returns the functions of a package.
    pub(super) fn functions(&self, package: usize) -> Range<usize> {
        self.packages[package] as usize..self.packages[package + 1] as usize
    }

    /// Returns the blocks of a function, by its place among the functions of all packages.
    pub(super) fn blocks(&self, function: usize) -> Range<usize> {
        self.functions[function] as usize..self.functions[function + 1] as usize
    }

    /// Returns the function of a block, and its package.
    pub(super) fn owner(&self, block: usize) -> (usize, usize) {
        // Functions without blocks begin where the next one does.
        let function = self.functions.partition_point(|&first| first as usize <= block) - 1;
        let package = self.packages.partition_point(|&first| first as usize <= function) - 1;
        (package, function)
    }

    /// Returns the blocks of a function that a counter file names.
    #[inline]
    pub(super) fn find(&self, package: u64, function: u64) -> Result<Range<usize>, DataFault> {
        let count = self.package_count();
        let Some(index) = usize::try_from(package).ok().filter(|&index| index < count) else {
            return Err(DataFault::NoPackage { index: package, count });
        };
        let functions = self.functions(index);
        match usize::try_from(function) {
            Ok(index) if index < functions.len() => Ok(self.blocks(functions.start + index)),
            _ => Err(DataFault::NoFunction { package, index: function, count: functions.len() }),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        (self.packages.capacity() + self.functions.capacity()) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_without_blocks_and_packages_without_functions_own_no_block() {
        let mut shape = MetaShape::default();
        shape.push_function(2);
        shape.push_function(2);
        shape.end_package();
        shape.end_package();
        shape.push_function(3);
        shape.end_package();
        assert_eq!([0, 1, 2].map(|block| shape.owner(block)), [(0, 0), (0, 0), (2, 2)]);
        assert_eq!(shape.find(0, 0), Ok(0..2));
        assert_eq!(shape.find(0, 1), Ok(2..2));
        assert_eq!(shape.find(2, 0), Ok(2..3));
        assert_eq!(shape.find(1, 0), Err(DataFault::NoFunction { package: 1, index: 0, count: 0 }));
        assert_eq!(shape.find(3, 0), Err(DataFault::NoPackage { index: 3, count: 3 }));
        assert_eq!(shape.find(u64::MAX, 0), Err(DataFault::NoPackage { index: u64::MAX, count: 3 }));
    }
}
